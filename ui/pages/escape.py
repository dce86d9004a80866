"""The one place where text becomes markup. Everything a page shows is built through `html` and `join`.

A panel that shows documents is where scripts get in, so no other module may make `Markup` (a test looks).
"""

from collections.abc import Iterable

from markupsafe import Markup


def html(template: str, /, **parts: object) -> Markup:
    """The template, a literal of ours, with its `{named}` parts put in.

    A part that is Markup goes in as it is; anything else is escaped, quotes included, so that it may
    stand in element content and in quoted attributes.
    """
    return Markup(template).format(**parts)


def join(parts: Iterable[Markup]) -> Markup:
    """Pieces of markup in a row; a piece that is plain text is escaped."""
    return Markup("").join(parts)
