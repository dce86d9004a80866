"""The work that is going on or was done last, and the state of the index."""

from collections.abc import Sequence

from markupsafe import Markup

from rag.index import Purged, Report
from rag.index.entries import Duplicate, Failure
from ui.api.administration import Health
from ui.api.jobs import Job
from ui.pages import words as common
from ui.pages.admin import words as w
from ui.pages.escape import html, join

_SHOWN = 50


def job(now: Job) -> Markup:
    """A card of the work; nothing before the first. The script fills the empty paragraph while it goes on."""
    if now.state == "idle":
        return html('<div data-job="idle"></div>')
    head = html("<b>{what}</b>", what=common.show(w.JOBS[now.what]))
    match now.state:
        case "running":
            inside = html('<p>{head} {running}</p><progress max="1" {label}></progress><p class="wj-quiet" data-told></p>', head=head,
                          running=common.show(w.RUNNING), label=common.named(w.JOBS[now.what]))
        case "failed":
            inside = html('<p class="adm-bad" role="alert">{head} {failed}<span lang="zh-CN">{error}</span></p>', head=head, failed=common.show(w.FAILED), error=now.error)
        case _:
            took = common.show(w.TOOK, seconds=f"{now.seconds:.1f}")
            inside = html('<p>{head} {done} <small>{took}</small></p>{outcome}', head=head, done=common.show(w.DONE), took=took, outcome=_outcome(now))
    return html('<div class="adm-card" data-job="{state}">{inside}</div>', state=now.state, inside=inside)


def _outcome(now: Job) -> Markup:
    match now.outcome:
        case Report() as report:
            return _report(report)
        case Purged() as purged:
            said = common.show(w.CLEARED, sentences=purged.sentences, files=purged.files_searched, found=len(purged.found))
            traces = join(html("<li>{file}：{sentence}</li>", file=t.file, sentence=t.sentence[:60]) for t in purged.found[:_SHOWN])
            return html('<p>{said}</p><ul class="adm-bad" lang="zh-CN">{traces}</ul>', said=said, traces=traces)
        case None:
            return Markup()
        case problems:
            return _problems(problems)


def _problems(problems: Sequence[str]) -> Markup:
    if not problems:
        return html('<p class="adm-fine">{fine}</p>', fine=common.show(w.NO_FAULT))
    items = join(html("<li>{problem}</li>", problem=problem) for problem in problems[:_SHOWN])
    return html('<p class="adm-bad">{said}</p><ul lang="zh-CN">{items}</ul>', said=common.show(w.FAULTS, count=len(problems)), items=items)


def _report(report: Report) -> Markup:
    rows = []
    for name, word in w.REPORT.items():
        found = getattr(report, name)
        if not found:
            continue
        shown = () if name == "unchanged" else found[:_SHOWN]
        more = html(" {more}", more=common.show(w.AND_MORE)) if shown and len(found) > _SHOWN else Markup()
        rows.append(html('<dt>{word} <b>{count}</b></dt><dd lang="zh-CN">{items}{more}</dd>', word=common.show(word), count=len(found),
                         items=join(map(_named, shown)), more=more))  # fmt: skip
    held = common.show(w.NOW_HELD, documents=report.documents, passages=report.passages, embedded=report.embedded, reused=report.reused)
    warning = html('<p class="adm-bad" lang="zh-CN">{warning}</p>', warning=report.warning) if report.warning else Markup()
    return html('<dl class="adm-report">{rows}</dl>{warning}<p class="wj-quiet">{held}</p>', rows=join(rows), warning=warning, held=held)


def _named(item: str | Duplicate | Failure) -> Markup:
    match item:
        case Duplicate():
            return html("<span>{source}（{same}）</span>", source=item.source, same=common.show(w.SAME_AS, kept=item.kept))
        case Failure():
            return html('<span class="adm-bad">{source}：{reason}</span>', source=item.source, reason=item.reason)
        case _:
            return html("<span>{item}</span>", item=item)


# ---------------------------------------------------------------- the index

def health(now: Health) -> Markup:
    """The part 索引."""
    facts = (
        (w.GENERATION, html("<code>{id}</code> <small>{kept}</small>", id=now.generation, kept=common.show(w.KEPT, count=now.generations))),
        (common.DOCUMENTS, html("{n}", n=f"{now.documents:,}")), (w.PASSAGES, html("{n}", n=f"{now.passages:,}")),
        (w.OUT, html("{n}", n=now.withdrawn)),
        (w.ON_DISK, html("{size} <small>{free}</small>", size=_size(now.bytes), free=common.show(w.FREE, free=_size(now.free)))),
        (w.MODEL, html("{name}", name=now.embedder)), (w.FOLDERS, _folders(now)), (w.LAST_CHECK, _check(now.checked)),
    )
    rows = join(html("<div><dt>{word}</dt><dd>{value}</dd></div>", word=common.show(word), value=value) for word, value in facts)
    return html(
        '<section class="adm-part"><h2>{heading}</h2><dl class="adm-facts">{rows}</dl><p class="adm-row"><button type="button" class="adm-go" data-act="reindex">{reindex}</button>'
        '<button type="button" data-act="check">{check}</button><span class="wj-quiet">{note}</span></p></section>{failed}',
        heading=common.show(w.HEALTH), rows=rows, reindex=common.show(w.REINDEX), check=common.show(w.CHECK), note=common.show(w.REINDEX_NOTE), failed=_failed(now.failed),
    )


def _folders(now: Health) -> Markup:
    there = [html("<li>{name}</li>", name=name) for name in now.roots]
    gone = [html('<li class="adm-bad">{name}</li>', name=common.show(w.ABSENT, name=name)) for name in now.absent]
    return html('<ul lang="zh-CN">{items}</ul>', items=join([*there, *gone]))


def _check(checked: Job | None) -> Markup:
    if checked is None:
        return html('<span class="wj-quiet">{none}</span>', none=common.show(w.NOT_CHECKED))
    said = html('<p class="adm-bad" lang="zh-CN">{error}</p>', error=checked.error) if checked.state == "failed" else _outcome(checked)
    return html("<small>{at}</small>{said}", at=checked.began[:16].replace("T", " ") + " UTC", said=said)


def _failed(failed: Sequence[tuple[str, str]]) -> Markup:
    if not failed:
        return html('<section class="adm-part"><h2>{heading}</h2><p class="wj-quiet">{none}</p></section>', heading=common.show(w.NOT_READ), none=common.show(w.ALL_READ))
    rows = join(html('<tr><td class="adm-name">{source}</td><td class="adm-name">{reason}</td></tr>', source=source, reason=reason) for source, reason in failed)
    return html(
        '<section class="adm-part"><h2>{heading}（{n}）</h2><div class="adm-scroll" tabindex="0" role="region" {label}><table><thead><tr><th>{source}</th><th>{reason}</th></tr></thead>'
        '<tbody lang="zh-CN">{rows}</tbody></table></div></section>', heading=common.show(w.NOT_READ), n=len(failed), label=common.named(w.NOT_READ),
        source=common.show(w.SOURCE), reason=common.show(w.REASON), rows=rows,
    )


def _size(count: float) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TB"
