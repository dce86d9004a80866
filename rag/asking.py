"""A question of a conversation, understood and searched for: grounded, mended, written out, carried on from the answer before."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from rag import followups, gate, kinds, scope
from rag.checks import vague
from rag.config import Settings
from rag.conversation import followed
from rag.enumerations import whole_list
from rag.generators.guard import Guard
from rag.query import Query, understand
from rag.retrieval import Found, Retriever
from rag.schema import Hit
from rag.spelling import mended
from rag.validity import clock

DEPTH = 10
"""How many passages an answer is chosen from."""
_TOLD = 0.4
"""Share of what a question says by itself that the document it is taken to lean on has to say."""
_AS_WELL = 0.8
"""Share of what the question's own best hit says of it that another has to say to stand in its place."""
_LOOKED_AT = 3
"""First hits in which a value of the kind that a model names is looked for."""
_REMEMBERED = 3
"""Questions before the last one that are looked back to."""


class Asking:
    """Searches one generation for what people ask. Thread-safe."""

    def __init__(self, settings: Settings, retriever: Retriever) -> None:
        self._settings, self._retriever = settings, retriever

    def found(
        self, question: str, history: Sequence[str] = (), filters: Mapping[str, str] | None = None, k: int = DEPTH,
        model: Guard | None = None,
    ) -> Found:
        """All that searching finds, with features and leads. Raises QuestionError.

        model: asked what kind of answer is wanted where the rules do not see it, and to complete a question of a conversation
        for which they are not sure to have found anything.
        """
        found = self._ruled(question, history, filters, k)
        if model and self._is_sure(found):
            return self._of_kind(found, model, k)
        if not (model and history):
            return found
        text = followups.completed(model, question, history[-_REMEMBERED:], dt.date.fromisoformat(clock(self._settings)))
        other = self._whole(text, filters, k) if text else found
        return other if self._is_sure(other) else found

    def _of_kind(self, found: Found, model: Guard, k: int) -> Found:
        """The same with the kind of answer that the model names, where the rules leave it open and the answer is as sure."""
        query = found.query
        if not kinds.is_open(query):
            return found
        form = kinds.kind_of(model, query, [hit.passage.text for hit in found.hits[:_LOOKED_AT]])
        other = found if form == "general" else self._searched(replace(query, form=form), k)
        return other if self._is_sure(other) else found

    def _ruled(self, question: str, history: Sequence[str], filters: Mapping[str, str] | None, k: int) -> Found:
        query = scope.filtered(self.understood(question, history), filters or {}, clock(self._settings))
        found = self._searched(query, k)
        if not history:
            return found
        if query.completed:
            return self._leaning(found, self._before(history), filters, k)
        return self._carried(found, partial(self._before, history), k)

    def _before(self, history: Sequence[str]) -> Found:
        """What the question before finds."""
        return self.found(history[-1], history[:-1][-_REMEMBERED:])

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

    def _leaning(self, found: Found, earlier: Found, filters: Mapping[str, str] | None, k: int) -> Found:
        """What a question that says little finds: in the document that answered the question before it, else with that one's topic,
        else what it finds alone."""
        own = earlier.hits[0].document.id if earlier.hits else ""
        here = bool(found.hits) and found.hits[0].document.id == own and self._is_sure(found)
        ways = [self._whole(text, filters, k) for text in found.query.completed]
        if ways := [way for way in ways if way.hits and self._is_sure(way) and self._says(found, way.hits[0], here)]:
            return max(ways, key=lambda way: self._said(found, way.hits[0]))
        if here:
            return found
        return self._carried(found, lambda: earlier, k)

    def _says(self, found: Found, hit: Hit, here: bool) -> bool:
        """Whether the hit is of what the question says itself, little as it is. here: the question alone finds an answer in the
        same document, which the hit has to match."""
        if not here:
            return self._retriever.told(found, hit.document.id) >= _TOLD
        return self._said(found, hit) >= _AS_WELL * self._said(found, found.hits[0])

    def _said(self, found: Found, hit: Hit) -> float:
        return self._retriever.share(found, hit.document.id, hit.passage.text)

    def _whole(self, text: str, filters: Mapping[str, str] | None, k: int) -> Found:
        """What a completed question finds."""
        query = self._mended(understand(text), f"按上一问补全为：{text}")
        return self._searched(scope.filtered(query, filters or {}, clock(self._settings)), k)

    def _carried(self, found: Found, before: Callable[[], Found], k: int) -> Found:
        """What was found, or, when the question alone finds little or leaves open of which document it speaks, what the
        document that answered the question before it has."""
        query = found.query
        open_ = bool(query.labels) or vague(query)
        elsewhere = query.years or query.festivals or query.numbers or query.titles
        if elsewhere or (not open_ and (self._is_sure(found) or query.places or query.offices)) or not (earlier := before()).hits:
            return found
        document, items = earlier.hits[0].document, whole_list(earlier, self._retriever)
        carried = self._retriever.retrieve(replace(
            query, within=document.id, listed=items[0].section_path if items else None,
            assumptions=(*query.assumptions, f"接着上一问，在《{document.name}》中找"),
        ), k)
        return carried if open_ or self._is_sure(carried) else found

    def _is_sure(self, found: Found) -> bool:
        return self._sure(found) >= self._settings.min_confidence

    def understood(self, question: str, history: Sequence[str] = ()) -> Query:
        """The question that is meant. Raises QuestionError."""
        return self._mended(followed(question, history, dt.date.fromisoformat(clock(self._settings)), self._settings.max_question))

    def _mended(self, query: Query, *notes: str) -> Query:
        """The question with its typos mended. notes: what else was made of it."""
        text, changes = mended(query.text, lambda pair: self._retriever.index.lexical.document_frequency("bigrams", pair))
        mends = (f"“{before}”按“{after}”理解" for before, after in changes)
        meant = replace(understand(text), completed=query.completed) if changes else query
        return replace(meant, assumptions=(*query.assumptions, *notes, *mends))
