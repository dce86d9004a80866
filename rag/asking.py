"""A question of a conversation, understood and searched for: grounded, mended, written out, carried on from the answer before."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace

from rag import gate, scope
from rag.checks import vague
from rag.config import Settings
from rag.enumerations import whole_list
from rag.query import Query, understand
from rag.retrieval import Found, Retriever
from rag.spelling import mended
from rag.validity import clock

DEPTH = 10
"""How many passages an answer is chosen from."""
_REMEMBERED = 3
"""Questions before the last one that are looked back to."""


class Asking:
    """Searches one generation for what people ask. Thread-safe."""

    def __init__(self, settings: Settings, retriever: Retriever) -> None:
        self._settings, self._retriever = settings, retriever

    def found(
        self, question: str, history: Sequence[str] = (), filters: Mapping[str, str] | None = None, k: int = DEPTH
    ) -> Found:
        """All that searching finds, with features and leads. Raises QuestionError."""
        query = scope.filtered(self.understood(question, history), filters or {}, clock(self._settings))
        found = self._searched(query, k)
        return self._carried(found, history, k) if history else found

    def _searched(self, query: Query, k: int) -> Found:
        """What the question finds, as it is or with its abbreviations written out, whichever is surer."""
        found, other = self._retriever.retrieve(query, k), query.written_out()
        if other is None:
            return found
        note = f"也写作“{other.text}”来找"
        again = self._retriever.retrieve(replace(other, assumptions=(*query.assumptions, note)), k)
        return again if self._sure(again) > self._sure(found) else found

    def _sure(self, found: Found) -> float:
        return gate.confidence(found.query, found.first(DEPTH).evident, len(self._retriever.index))

    def _carried(self, found: Found, history: Sequence[str], k: int) -> Found:
        """What was found, or, when the question alone finds little or leaves open of which document it speaks, what the
        document that answered the question before it has."""
        query = found.query
        sure = self._sure(found) >= self._settings.min_confidence
        open_ = bool(query.labels) or vague(query)
        elsewhere = query.years or query.festivals or query.numbers or query.titles
        if elsewhere or (not open_ and (sure or query.places or query.offices)):
            return found
        earlier = self.found(history[-1], history[:-1][-_REMEMBERED:])
        if not earlier.hits:
            return found
        document, items = earlier.hits[0].document, whole_list(earlier, self._retriever)
        carried = self._retriever.retrieve(replace(
            query, within=document.id, listed=items[0].section_path if items else None,
            assumptions=(*query.assumptions, f"接着上一问，在《{document.name}》中找"),
        ), k)
        return carried if open_ or self._sure(carried) >= self._settings.min_confidence else found

    def understood(self, question: str, history: Sequence[str] = ()) -> Query:
        """The question that is meant. Raises QuestionError."""
        today, longest = dt.date.fromisoformat(clock(self._settings)), self._settings.max_question
        query = understand(question, history, today, longest)
        text, changes = mended(query.text, lambda pair: self._retriever.index.lexical.document_frequency("bigrams", pair))
        if not changes:
            return query
        notes = tuple(f"“{before}”按“{after}”理解" for before, after in changes)
        return replace(understand(text, (), today, longest), assumptions=query.assumptions + notes)
