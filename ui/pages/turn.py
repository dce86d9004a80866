"""One turn of the conversation as markup: the question, what is happening, the answer or the reason for none."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from markupsafe import Markup

from rag.schema import Answer, to_json
from ui.api import prose
from ui.api.shapes import citation_line
from ui.pages import actions, markdown, words
from ui.pages.escape import html, join


@dataclass(frozen=True, slots=True)
class Lead:
    """A document close to a question that has no answer; `start`–`end` is the place that came closest."""

    id: str
    name: str
    start: int
    end: int


@dataclass(slots=True)
class Turn:
    """A question on its way to an answer. `number` counts from 1 within the page's session.

    filters: what the asker narrowed the question to; an empty value lifts what the question itself fixes.
    """

    number: int
    question: str
    filters: Mapping[str, str] = field(default_factory=dict)
    steps: list[str] = field(default_factory=list)
    text: str = ""
    answer: Answer | None = None
    sources: Markup = field(default_factory=Markup)
    leads: Sequence[Lead] = ()
    failed: tuple[words.Word, words.Word] | None = None
    """What happened, and what to do next."""

    @property
    def busy(self) -> bool:
        """Whether more is to come."""
        return self.answer is None and self.failed is None

    @property
    def record(self) -> str:
        """The finished turn as JSON, from which `restored` makes it again; the browser keeps it."""
        return json.dumps({"question": self.question, "filters": dict(self.filters), "answer": to_json(self.answer),
                           "leads": [asdict(lead) for lead in self.leads]}, ensure_ascii=False)


def render(turn: Turn) -> Markup:
    """The turn as an <article>. `data-say` is what a screen reader is told of its state."""
    said = _say(turn)
    record = html("<pre hidden data-record>{record}</pre>", record=turn.record) if turn.answer else Markup()
    return html(
        '<article class="wj-turn" data-turn="{n}" data-state="{state}" data-say="{say}" data-say-en="{say_en}" data-filters="{filters}">'
        '<h2 class="wj-question" lang="zh-CN">{question}</h2>{steps}{body}{sources}{record}</article>',
        n=turn.number, state=_state(turn), say=said.zh, say_en=said.en, question=turn.question,
        filters=json.dumps(dict(turn.filters), ensure_ascii=False),
        steps=_steps(turn), body=_body(turn), sources=turn.sources, record=record,
    )


def _state(turn: Turn) -> str:
    if turn.failed:
        return "failed"
    return turn.answer.status if turn.answer else "busy"


def _say(turn: Turn) -> words.Word:
    if turn.failed:
        return words.Word(*(a + b for a, b in zip(*turn.failed, strict=True)))
    if turn.answer is None:
        return words.WORKING
    if turn.answer.status == "answered":
        return words.Word(*(text.format(count=len(turn.answer.citations)) for text in words.DONE))
    said = prose.plain_text(turn.answer.answer)
    return words.Word(said, said)


def _steps(turn: Turn) -> Markup:
    if turn.failed or not (turn.steps or turn.busy):
        return Markup()
    steps = [words.step(text) for text in turn.steps] or [words.WORKING]
    items = [
        html('<li class="{kind}">{step}</li>', kind="wj-now" if turn.busy and i == len(steps) - 1 else "wj-done", step=words.show(step))
        for i, step in enumerate(steps)
    ]
    if turn.answer:
        seconds = turn.answer.timings_ms.get("total", 0) / 1000
        took = words.show(words.TOOK, seconds=f"{seconds:.1f}") if seconds >= 0.1 else words.show(words.TOOK_NO_TIME)
        items.append(html("<li>{time}</li>", time=took))
    return html('<ol class="wj-steps">{items}</ol>', items=join(items))


def _body(turn: Turn) -> Markup:
    answer = turn.answer
    if answer is None:
        grown = html('<div class="wj-answer" lang="zh-CN">{text}</div>', text=markdown.render(turn.text, turn.number))
        return join([grown, _failure(turn)]) if turn.failed else grown
    text = markdown.render(answer.answer, turn.number, {c.id for c in answer.citations})
    understood = chips(answer, turn.filters)
    match answer.status:
        case "no_evidence":
            # the card's title says it already, and the nearest documents follow as links
            said = html("<p>{reason}</p>", reason=answer.reason) if turn.leads and answer.reason else markdown.render(
                answer.answer.removeprefix(words.NO_EVIDENCE.zh).lstrip("：，。"), turn.number)
            inside = join([html('<div lang="zh-CN">{said}</div>', said=said), _hint(words.NO_EVIDENCE_HINT), _leads(turn.leads)])
            return join([_card("none", words.NO_EVIDENCE, inside), understood, actions.render(turn.question, answer)])
        case "clarify":
            said = markdown.render(_unlisted(answer), turn.number)
            inside = join([html('<div lang="zh-CN">{said}</div>', said=said), _choices(answer.interpreted.choices), _hint(words.CLARIFY_HINT)])
            return join([_card("clarify", words.CLARIFY, inside), understood])
        case _:
            references = (html("<li>{line}</li>", line=citation_line(c)) for c in answer.citations)
            printed = html('<ol class="wj-printed" lang="zh-CN">{items}</ol>', items=join(references))
            shown = html('<div class="wj-answer" lang="zh-CN">{text}</div>', text=text)
            others = _choices(answer.interpreted.choices)
            return join([shown, others, understood, actions.render(turn.question, answer), printed])


def _failure(turn: Turn) -> Markup:
    what, hint = turn.failed
    again = html('<p class="wj-again"><button type="button" data-again>{again}</button></p>', again=words.show(words.AGAIN))
    return _card("failed", what, join([_hint(hint), again]))


def _hint(word: words.Word) -> Markup:
    return html('<p class="wj-hint">{text}</p>', text=words.show(word)) if word.zh else Markup()


def _card(kind: str, title: words.Word, inside: Markup) -> Markup:
    return html('<section class="wj-card wj-{kind}"><h3>{title}</h3>{inside}</section>', kind=kind, title=words.show(title), inside=inside)


def _leads(leads: Sequence[Lead]) -> Markup:
    if not leads:
        return Markup()
    items = [
        html('<li><a href="#document/{id}@{start}-{end}">{name}</a></li>', id=lead.id, start=lead.start, end=lead.end, name=lead.name)
        for lead in leads
    ]
    return html('<p class="wj-quiet">{label}</p><ul class="wj-leads" lang="zh-CN">{items}</ul>', label=words.show(words.LEADS), items=join(items))


def _unlisted(answer: Answer) -> str:
    """What asks back, without the lines that the buttons say again."""
    return "\n".join(line for line in answer.answer.splitlines() if prose.plain(prose.pieces(line)).lstrip("·-• ") not in answer.interpreted.choices)


def _choices(choices: Sequence[str]) -> Markup:
    items = (html('<li><button type="button" class="wj-ask" data-ask="{choice}">{choice}</button></li>', choice=c) for c in choices)
    return html('<ul class="wj-choices" lang="zh-CN">{items}</ul>', items=join(items)) if choices else Markup()


# ---------------------------------------------------------------- what was understood

def chips(answer: Answer, filters: Mapping[str, str]) -> Markup:
    """How the question was understood: what it was narrowed to, each with a way out of it, and what was assumed."""
    shown = answer.interpreted
    items = [_chip(name, value, shown.standalone_question) for name, value in shown.filters.items()]
    items += [_lifted(name, shown.standalone_question) for name, value in filters.items() if not value and name in words.FILTERS]
    items += [html('<li class="wj-assumed" lang="zh-CN">{note}</li>', note=note) for note in shown.assumptions]
    if not items:
        return Markup()
    return html('<div class="wj-chips"><span>{label}</span><ul>{chips}</ul></div>', label=words.show(words.UNDERSTOOD), chips=join(items))


def _chip(name: str, value: str, question: str) -> Markup:
    kind, value = words.FILTERS.get(name, words.Word(name, name)), "、".join(f"{v}年" for v in value.split("、")) if name == "year" else value
    inside = html('<span class="wj-kind">{kind}</span><span lang="zh-CN">{value}</span>', kind=words.show(kind), value=value)
    if name not in words.LIFTABLE:
        return html("<li>{inside}</li>", inside=inside)
    return html('<li>{inside}<button type="button" data-lift="{name}" data-question="{question}" {label}>×</button></li>',
                inside=inside, name=name, question=question, label=words.named(words.LIFT, value=value))


def _lifted(name: str, question: str) -> Markup:
    kind = words.FILTERS[name]
    return html(
        '<li class="wj-lifted">{lifted}<button type="button" data-unlift="{name}" data-question="{question}" {label}>↺</button></li>',
        lifted=words.show(words.LIFTED, zh=kind.zh, en=kind.en), name=name, question=question, label=words.named(words.RESTORE, kind=kind.zh),
    )
