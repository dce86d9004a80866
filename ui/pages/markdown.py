"""The answer's Markdown as safe markup: bold, bullets, paragraphs, backslash escapes and [n] markers. Nothing else.

The text of documents arrives here inside answers, so whatever is not one of these five is shown as it is written.
"""

import re
from collections.abc import Container, Iterator

from markupsafe import Markup

from ui.pages.escape import html, join

_INLINE = re.compile(r"\\(?P<escaped>[\\`*_\[\]<>#|])|(?P<bold>\*\*)|\[(?P<cite>\d{1,4})\]")
_BULLET = re.compile(r"\s*[-•]\s+")


def render(text: str, turn: int, citations: Container[int] = ()) -> Markup:
    """The answer as HTML. `[n]` becomes a button when n is in `citations`, and a quiet number until then."""
    lines = [line for line in text.splitlines() if line.strip()]
    return join(_blocks(lines, turn, citations))


def plain(text: str) -> str:
    """The answer as plain text: marks of bold and backslash escapes removed."""
    return _INLINE.sub(lambda m: m["escaped"] or ("" if m["bold"] else m.group()), text)


def _blocks(lines: list[str], turn: int, citations: Container[int]) -> Iterator[Markup]:
    items: list[Markup] = []
    for at, line in enumerate(lines):
        bullet = _BULLET.match(line)
        if bullet:
            items.append(html("<li>{inside}</li>", inside=_inline(line[bullet.end() :], turn, citations)))
            continue
        if items:
            yield html("<ul>{items}</ul>", items=join(items))
            items = []
        inside = _inline(line, turn, citations)
        heads = at + 1 < len(lines) and _BULLET.match(lines[at + 1])
        if heads:
            yield html('<h3 class="wj-block">{inside}</h3>', inside=inside)
        elif at == 0:
            yield html('<p class="wj-point">{inside}</p>', inside=inside)
        else:
            yield html("<p>{inside}</p>", inside=inside)
    if items:
        yield html("<ul>{items}</ul>", items=join(items))


def _inline(line: str, turn: int, citations: Container[int]) -> Markup:
    out: list[Markup] = []
    bold, done = False, 0

    def put(piece: Markup | str) -> None:
        if piece:
            out.append(html("<strong>{piece}</strong>", piece=piece) if bold else html("{piece}", piece=piece))

    for found in _INLINE.finditer(line):
        put(line[done : found.start()])
        done = found.end()
        if found["bold"]:
            bold = not bold
        elif found["escaped"]:
            put(found["escaped"])
        else:
            put(_marker(int(found["cite"]), turn, citations))
    put(line[done:])
    return join(out)


def _marker(number: int, turn: int, citations: Container[int]) -> Markup:
    if number not in citations:
        return html('<span class="wj-cite">{n}</span>', n=number)
    return html(
        '<button type="button" class="wj-cite" data-cite="{turn}-{n}" aria-label="依据{n}，打开原文">{n}</button>',
        turn=turn, n=number,
    )
