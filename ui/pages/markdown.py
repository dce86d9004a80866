"""An answer as safe markup: what `ui.api.prose` reads in it, every text escaped."""

from collections.abc import Container, Iterator, Sequence

from markupsafe import Markup

from ui.api import prose
from ui.pages import words
from ui.pages.escape import html, join


def render(text: str, turn: int, citations: Container[int] = ()) -> Markup:
    """The answer as HTML. `[n]` becomes a button when n is in `citations`, and a quiet number until then."""
    return join(_parts(text, turn, citations))


def _parts(text: str, turn: int, citations: Container[int]) -> Iterator[Markup]:
    for n, part in enumerate(prose.parts(text)):
        inside = [_inline(line, turn, citations) for line in part.lines]
        match part.kind:
            case "table":
                yield _table(part, turn, citations)
            case "bullets":
                yield html("<ul>{items}</ul>", items=join(html("<li>{inside}</li>", inside=item) for item in inside))
            case "heading":
                yield html('<h3 class="wj-block">{inside}</h3>', inside=inside[0])
            case _:
                yield html('<p class="{kind}">{inside}</p>', kind="wj-more" if n else "wj-point", inside=inside[0])


def _table(part: prose.Part, turn: int, citations: Container[int]) -> Markup:
    """A table; each cell repeats its column's name, for a phone, where rows are stacked."""
    head, *body = part.rows
    top = join(html('<th scope="col">{cell}</th>', cell=_inline(cell, turn, ())) for cell in head)
    lines = []
    for row in body:
        first = html('<th scope="row">{cell}</th>', cell=_inline(row[0], turn, citations))
        rest = (html('<td data-column="{name}">{cell}</td>', name=prose.plain(name), cell=_inline(cell, turn, citations))
                for name, cell in zip(head[1:], row[1:], strict=True))
        lines.append(html("<tr>{first}{rest}</tr>", first=first, rest=join(rest)))
    return html(
        '<div class="wj-table" role="region" tabindex="0" {label}><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>',
        label=words.named(words.TABLE), top=top, body=join(lines),
    )


def _inline(line: Sequence[prose.Piece], turn: int, citations: Container[int]) -> Markup:
    out: list[Markup] = []
    for piece in line:
        if piece.cite is not None:
            out.append(_marker(piece.cite, turn, citations))
        else:
            out.append(html("<strong>{text}</strong>" if piece.bold else "{text}", text=piece.text))
    return join(out)


def _marker(number: int, turn: int, citations: Container[int]) -> Markup:
    if number not in citations:
        return html('<span class="wj-cite">{n}</span>', n=number)
    return html('<button type="button" class="wj-cite" data-cite="{turn}-{n}" {label}>{n}</button>',
                turn=turn, n=number, label=words.named(words.CITE, n=number))
