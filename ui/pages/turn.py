"""One turn of the conversation as markup: the question, what is happening, the answer or the reason for none."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from rag.schema import Answer
from ui.api.shapes import DocumentEntry, references
from ui.pages import markdown, words
from ui.pages.escape import html, join


@dataclass(frozen=True, slots=True)
class Lead:
    """A document close to a question that has no answer; `start`–`end` is the place that came closest."""

    document: DocumentEntry
    name: str
    start: int
    end: int


@dataclass(slots=True)
class Turn:
    """A question on its way to an answer. `number` counts from 1 within the page's session."""

    number: int
    question: str
    steps: list[str] = field(default_factory=list)
    text: str = ""
    answer: Answer | None = None
    sources: Markup = field(default_factory=Markup)
    leads: Sequence[Lead] = ()
    failed: tuple[str, str] | None = None
    """What happened, and what to do next."""

    @property
    def busy(self) -> bool:
        """Whether more is to come."""
        return self.answer is None and self.failed is None


def render(turn: Turn) -> Markup:
    """The turn as an <article>. `data-say` is what a screen reader is told of its state."""
    return html(
        '<article class="wj-turn" data-turn="{n}" data-state="{state}" data-say="{say}">'
        '<h2 class="wj-question">{question}</h2>{steps}{body}{sources}</article>',
        n=turn.number, state=_state(turn), say=_say(turn), question=turn.question,
        steps=_steps(turn), body=_body(turn), sources=turn.sources,
    )


_THUMB = html(
    '<svg viewBox="0 0 20 20" aria-hidden="true"><path d="M3 9h3v8H3zM6 9.5 9.4 3c1.6 0 2.2 1.2 1.9 2.6L10.8 8h4.5'
    'c1.2 0 2 1 1.7 2.2l-1.3 5.3c-.2.9-1 1.5-1.9 1.5H6"/></svg>'
)
_THUMB_DOWN = html('<svg viewBox="0 0 20 20" aria-hidden="true"><g transform="rotate(180 10 10)">{inside}</g></svg>', inside=_THUMB)


def _state(turn: Turn) -> str:
    if turn.failed:
        return "failed"
    return turn.answer.status if turn.answer else "busy"


def _say(turn: Turn) -> str:
    if turn.failed:
        return "".join(turn.failed)
    if turn.answer is None:
        return words.WORKING
    return words.DONE.format(count=len(turn.answer.citations)) if turn.answer.status == "answered" else markdown.plain(turn.answer.answer)


def _steps(turn: Turn) -> Markup:
    if turn.failed or not (turn.steps or turn.busy):
        return Markup()
    steps = turn.steps or [words.WORKING]
    items = [
        html('<li class="{kind}">{step}</li>', kind="wj-now" if turn.busy and i == len(steps) - 1 else "wj-done", step=step)
        for i, step in enumerate(steps)
    ]
    if turn.answer:
        seconds = turn.answer.timings_ms.get("total", 0) / 1000
        items.append(html("<li>{time}</li>", time=f"{seconds:.1f} 秒" if seconds >= 0.1 else "不到 0.1 秒"))
    return html('<ol class="wj-steps">{items}</ol>', items=join(items))


def _body(turn: Turn) -> Markup:
    answer = turn.answer
    if answer is None:
        grown = html('<div class="wj-answer">{text}</div>', text=markdown.render(turn.text, turn.number))
        return grown if turn.failed is None else join([grown, _card("failed", turn.failed[0], _hint(turn.failed[1]))])
    text = markdown.render(answer.answer, turn.number, {c.id for c in answer.citations})
    match answer.status:
        case "no_evidence":
            # the card's title says it already
            said = markdown.render(answer.answer.removeprefix(words.NO_EVIDENCE).lstrip("：，。"), turn.number)
            inside = join([said, _hint(words.NO_EVIDENCE_HINT), _leads(turn.leads)])
            return join([_card("none", words.NO_EVIDENCE, inside), _chips(answer), _actions(turn, answer)])
        case "clarify":
            return join([_card("clarify", words.CLARIFY, join([text, _hint(words.CLARIFY_HINT)])), _chips(answer)])
        case _:
            return join([html('<div class="wj-answer">{text}</div>', text=text), _chips(answer), _actions(turn, answer)])


def _hint(text: str) -> Markup:
    return html('<p class="wj-hint">{text}</p>', text=text)


def _card(kind: str, title: str, inside: Markup) -> Markup:
    return html(
        '<section class="wj-card wj-{kind}"><h3>{title}</h3>{inside}</section>', kind=kind, title=title, inside=inside
    )


def _leads(leads: Sequence[Lead]) -> Markup:
    if not leads:
        return Markup()
    items = [
        html('<li><a href="#document/{id}@{start}-{end}">{name}</a></li>',
             id=lead.document.id, start=lead.start, end=lead.end, name=lead.name)
        for lead in leads
    ]
    return html('<p class="wj-quiet">{label}</p><ul class="wj-leads">{items}</ul>', label=words.LEADS, items=join(items))


def _chips(answer: Answer) -> Markup:
    """How the question was understood: what it was narrowed to, and what was assumed."""
    shown = answer.interpreted
    chips = [html('<li title="{kind}">{value}</li>', kind=words.FILTERS.get(name, name), value=value + "年" * (name == "year"))
             for name, value in shown.filters.items()]
    chips += [html('<li class="wj-assumed">{note}</li>', note=note) for note in shown.assumptions]
    if not chips:
        return Markup()
    return html('<div class="wj-chips"><span>{label}</span><ul>{chips}</ul></div>', label=words.UNDERSTOOD, chips=join(chips))


def _actions(turn: Turn, answer: Answer) -> Markup:
    """Copy and feedback. The script in static/page.js acts on the data attributes."""
    copied = "\n\n".join(x for x in (turn.question, markdown.plain(answer.answer), references(answer.citations)) if x)
    wrong = html('<button type="button" data-rate="wrong_citation">{wrong}</button>', wrong=words.WRONG)
    return html(
        '<div class="wj-actions" data-generation="{generation}" data-places="{places}">'
        '<button type="button" data-copy>{copy}</button><span class="wj-gap"></span>'
        '<button type="button" data-rate="up" aria-label="{good}" title="{good}">{thumb}</button>'
        '<button type="button" data-rate="down" aria-label="{bad}" title="{bad}">{thumb_down}</button>{wrong}'
        '<pre hidden>{copied}</pre></div>',
        generation=answer.generation, places=" ".join(f"{c.document_id}@{c.start}-{c.end}" for c in answer.citations),
        copy=words.COPY, good=words.GOOD, bad=words.BAD, wrong=wrong if answer.citations else Markup(), copied=copied, thumb=_THUMB, thumb_down=_THUMB_DOWN,
    )
