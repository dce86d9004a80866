"""The audit log and the queue of readers' complaints."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from markupsafe import Markup

from eval.review import Candidate
from ui.api.administration import AuditPage
from ui.api.audit import Entry
from ui.pages import words as common
from ui.pages.admin import words as w
from ui.pages.admin.files import leaves
from ui.pages.escape import html, join

_DOCUMENTS = 5


@dataclass(frozen=True, slots=True)
class Asked:
    """What is looked for in the audit log."""

    find: str = ""
    kind: str = ""
    since: dt.date | None = None
    until: dt.date | None = None

    def query(self) -> dict[str, str]:
        """As it stands in an address."""
        days = {name: day.isoformat() for name, day in (("since", self.since), ("until", self.until)) if day}
        return {k: v for k, v in {"find": self.find, "kind": self.kind, **days}.items() if v}


def audit(asked: Asked, found: AuditPage) -> Markup:
    """The part 审计: what to look for, the entries, the ways to older ones and to the export."""
    kinds = join(html('<option value="{kind}"{on}>{word}</option>', kind=kind, word=word.zh, on=html(" selected") if kind == asked.kind else Markup())
                 for kind, word in w.KINDS.items())  # fmt: skip
    heads = join(html("<th>{word}</th>", word=common.show(word)) for word in (w.TIME, w.WHO, w.KIND, w.WHAT, w.RESULT, w.CITED_DOCUMENTS))
    table = html(
        '<div class="adm-scroll" tabindex="0" role="region" {label}><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>',
        label=common.named(w.PANES["audit"]), heads=heads, rows=join(map(_entry, found.entries)),
    ) if found.entries else html('<p class="wj-quiet">{none}</p>', none=common.show(w.NO_ENTRY))
    return html(
        '<section class="adm-part"><form class="adm-row" data-go="audit" role="search"><input type="search" name="find" value="{find}" maxlength="200" {hint} {label}>'
        '<label>{kind}<select name="kind" lang="zh-CN">{kinds}</select></label><label>{since_word}<input type="date" name="since" value="{since}"></label>'
        '<label>{until_word}<input type="date" name="until" value="{until}"></label><button>{search}</button>'
        '<a class="adm-act" href="./api/v1/admin/audit.csv?{query}" download>{export}</a></form>{table}{pages}</section>',
        find=asked.find, hint=common.named(w.FIND_ENTRY, "placeholder"), label=common.named(w.FIND_ENTRY), kind=common.show(w.KIND), kinds=kinds,
        since_word=common.show(w.SINCE), since=asked.since or "", until_word=common.show(w.UNTIL), until=asked.until or "", search=common.show(w.SEARCH),
        query=urlencode(asked.query()), export=common.show(w.EXPORT), table=table, pages=leaves("audit", asked.query(), found.page, found.more),
    )


def _entry(entry: Entry) -> Markup:
    shown = join(html('<a href="./#document/{id}"><code>{id}</code></a> ', id=id) for id in entry.documents[:_DOCUMENTS])
    more = html(" +{n}", n=len(entry.documents) - _DOCUMENTS) if len(entry.documents) > _DOCUMENTS else Markup()
    who = html("{who}", who=entry.who) if entry.who else html('<span class="wj-quiet">{none}</span>', none=common.show(w.NOBODY))
    status = w.STATUS.get(entry.status, common.Word(entry.status, entry.status))
    return html(
        '<tr><td class="adm-day">{at}</td><td>{who}</td><td>{kind}<small>{door}</small></td><td class="adm-name" lang="zh-CN">{question}</td><td>{status}</td><td>{shown}{more}</td></tr>',
        at=entry.at[:19].replace("T", " "), who=who, kind=common.show(w.KINDS.get(entry.kind, common.Word(entry.kind, entry.kind))),
        door=entry.door, question=entry.question or "—", status=common.show(status), shown=shown, more=more,
    )


def feedback(found: Sequence[Candidate]) -> Markup:
    """The part 反馈: each complaint with what was answered, and what to do with it."""
    if not found:
        return html('<section class="adm-part"><p class="wj-quiet">{none}</p></section>', none=common.show(w.NO_FEEDBACK))
    return html('<p class="wj-quiet">{note}</p>{cards}', note=common.show(w.ACCEPT_NOTE), cards=join(map(_candidate, found)))


def _candidate(one: Candidate) -> Markup:
    quotes = join(html("<li><q>{quote}</q> <small>{source}</small></li>", quote=c.quote or w.GONE.zh, source=c.source) for c in one.cited)
    before = join(html("<p><small>{label}{q}</small></p>", label=common.show(w.BEFORE), q=q) for q in one.history)
    return html(
        '<article class="adm-card" data-candidate="{id}"><p class="wj-quiet">{at}　<b class="adm-rating">{rating}</b>　<code>{generation}</code></p>{before}<h3 lang="zh-CN">{question}</h3>'
        "{comment}<details><summary>{answered}</summary><p class=\"adm-answer\" lang=\"zh-CN\">{answer}</p></details>{cited}"
        '<form data-decide="{id}"><label for="gold-{id}">{gold}</label><textarea id="gold-{id}" name="quotes" rows="2" lang="zh-CN"></textarea>'
        '<p class="adm-row"><button class="adm-go" value="accept">{accept}</button><button value="dismiss">{dismiss}</button></p></form></article>',
        id=one.id, at=one.at[:16].replace("T", " ") + " UTC", rating=common.show(w.RATINGS[one.rating]), generation=one.generation[:16], before=before, question=one.question,
        comment=html('<p>{label}<span lang="zh-CN">{said}</span></p>', label=common.show(w.READER), said=one.comment) if one.comment else Markup(),
        answered=common.show(w.ANSWERED), answer=one.answer or "—",
        cited=html('<details><summary>{label}</summary><ul lang="zh-CN">{quotes}</ul></details>', label=common.show(w.CITED), quotes=quotes) if one.cited else Markup(),
        gold=common.show(w.GOLD), accept=common.show(w.ACCEPT), dismiss=common.show(w.DISMISS),
    )
