"""What one can do with an answer: copy it, take it away as Word, print it, say what one thinks of it."""

from rag.schema import Answer
from ui.api import exports
from ui.pages import words
from ui.pages.escape import Markup, html

_THUMB = html(
    '<svg viewBox="0 0 20 20" aria-hidden="true"><path d="M3 9h3v8H3zM6 9.5 9.4 3c1.6 0 2.2 1.2 1.9 2.6L10.8 8h4.5'
    'c1.2 0 2 1 1.7 2.2l-1.3 5.3c-.2.9-1 1.5-1.9 1.5H6"/></svg>'
)
_THUMB_DOWN = html('<svg viewBox="0 0 20 20" aria-hidden="true"><g transform="rotate(180 10 10)">{inside}</g></svg>', inside=_THUMB)


def render(question: str, answer: Answer) -> Markup:
    """The row of buttons. The scripts in ui/static act on the data attributes."""
    cited = bool(answer.citations)
    return html(
        '<div class="wj-actions" data-generation="{generation}" data-places="{places}">'
        '<button type="button" data-copy {about}>{copy}</button>{markdown}{word}{printing}<span class="wj-gap"></span>{rating}'
        '<pre hidden data-text>{text}</pre><pre hidden data-markdown>{as_markdown}</pre></div>',
        generation=answer.generation, places=" ".join(f"{c.document_id}@{c.start}-{c.end}" for c in answer.citations),
        about=words.named(words.COPY_ABOUT, "title"), copy=words.show(words.COPY),
        markdown=_button("data-copy-markdown", words.COPY_MARKDOWN) if cited else Markup(),
        word=_button("data-word", words.WORD) if cited else Markup(),
        printing=_button("data-print", words.PRINT) if cited else Markup(),
        rating=_rating(cited), text=exports.as_text(question, answer), as_markdown=exports.as_markdown(question, answer),
    )


def _button(act: str, word: words.Word) -> Markup:
    return html('<button type="button" {act}>{word}</button>', act=html(act), word=words.show(word))


def _rating(cited: bool) -> Markup:
    wrong = html('<button type="button" data-rate="wrong_citation">{wrong}</button>', wrong=words.show(words.WRONG))
    return html(
        '<button type="button" data-rate="up" {good} {good_title}>{thumb}</button>'
        '<button type="button" data-rate="down" {bad} {bad_title}>{thumb_down}</button>{wrong}',
        good=words.named(words.GOOD), good_title=words.named(words.GOOD, "title"), thumb=_THUMB,
        bad=words.named(words.BAD), bad_title=words.named(words.BAD, "title"), thumb_down=_THUMB_DOWN,
        wrong=wrong if cited else Markup(),
    )
