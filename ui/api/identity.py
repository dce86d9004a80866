"""Who is asking."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Asker:
    """A person, or nobody in particular (""), and the groups whose documents are open to them."""

    name: str = ""
    groups: frozenset[str] = frozenset()


NOBODY = Asker()
_KEY = "wenju.asker"


def asker_of(request: Any) -> Asker:
    """Who sent a request (Starlette's or, on the page, Gradio's); nobody unless the sign-in layer said who."""
    return getattr(request, "request", request).scope.get(_KEY, NOBODY)
