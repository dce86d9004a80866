"""A stretch of text without its white space, and the way back to where each character stands."""

from dataclasses import dataclass

from rag.schema import Span


@dataclass(frozen=True, slots=True)
class Squeezed:
    """`text` holds no white space; its character n stands at `places[n]` of the document."""

    text: str
    places: list[int]

    @classmethod
    def of(cls, whole: str, start: int, end: int) -> "Squeezed":
        """The characters of `whole[start:end]`."""
        places = [at for at in range(start, end) if not whole[at].isspace()]
        return cls("".join(whole[at] for at in places), places)

    def span(self, start: int, end: int) -> Span:
        """Where characters start…end (not empty) stand in the document."""
        return Span(self.places[start], self.places[end - 1] + 1)
