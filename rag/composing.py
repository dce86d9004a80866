"""From what was found to the answer: evidence chosen, composed and checked, or the reason why there is none."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from rag.answering import Selection, select
from rag.assembly import Stamp, asking_back, assembled, refused
from rag.citations import problems
from rag.config import Settings
from rag.generators import extractive
from rag.generators.guard import Guard
from rag.protocols import Embedder
from rag.query import Query
from rag.reranking import best_matches
from rag.retrieval import Found, Retriever
from rag.schema import Draft, Event
from rag.validity import KINDS, STALE, clock, status_of
from rag.verification import Checked
from rag.writing import Writing, composed, rewritten


class Composer:
    """Answers over one generation. Thread-safe."""

    def __init__(self, settings: Settings, retriever: Retriever, embedder: Embedder) -> None:
        self._settings, self._retriever, self._index, self._embedder = settings, retriever, retriever.index, embedder

    def selected(self, found: Found) -> Selection:
        """The evidence that answers the question, or the reason why there is none."""
        return select(found, self._retriever, self._settings.min_confidence)

    def answering(self, question: str, found: Found, model: Guard | None) -> Iterator[Event]:
        """What a language model writes, as it comes, if one writes; at last the answer."""
        chosen = self.selected(found)
        query = replace(found.query, assumptions=(*found.query.assumptions, *filter(None, [chosen.assumption])))
        stamp = Stamp(question, query, "extractive", self._index.generation)
        if not chosen.evidence:
            yield Event("answer", answer=asking_back(stamp, chosen.reason, chosen.choices) if chosen.choices else refused(
                stamp, found.hits + found.leads, chosen.confidence, chosen.reason))
            return
        draft = self._drafted(query, chosen)
        answer = assembled(stamp, draft, chosen.evidence, chosen.confidence, chosen.choices)
        wrong = problems(answer, self._text_by_id)
        if wrong:  # withheld rather than shown wrong; the tests see to it that this does not happen
            answer = refused(stamp, found.hits + found.leads, chosen.confidence, "核对引文时发现问题：" + "；".join(wrong))
        elif model and chosen.listing in (None, "sides"):  # of a complete list a model could only lose items
            writing = Writing()
            yield from composed(writing, model, query, draft, chosen.evidence, self._retriever.idf, self._closeness)
            by = replace(stamp, generator=model.name) if writing.statements else stamp
            written = assembled(by, rewritten(draft, writing), chosen.evidence, chosen.confidence, chosen.choices)
            answer = answer if problems(written, self._text_by_id) else written
        yield Event("answer", answer=answer)

    def checks(self, query: Query, chosen: Selection, model: Guard | None) -> Sequence[Checked]:
        """What becomes of each sentence that a language model writes over the evidence."""
        writing = Writing()
        if model and chosen.evidence:
            draft = self._drafted(query, chosen)
            deque(composed(writing, model, query, draft, chosen.evidence, self._retriever.idf, self._closeness), 0)
        return writing.checks

    def _drafted(self, query: Query, chosen: Selection) -> Draft:
        ids = {item.document.id: self._status(item.document.id) for item in chosen.evidence}
        marks = {id: KINDS[kind] for id, kind in ids.items() if kind in (*STALE, "not_yet")}
        return extractive.compose(query, chosen.evidence, chosen.listing, chosen.remark, marks)

    def _closeness(self, sentence: str, texts: Sequence[str]) -> float:
        """Mean over the sentence's tokens of the best cosine with any token of the texts."""
        own, *others = self._embedder.embed_queries([sentence, *texts])
        tokens = np.concatenate([other.tokens for other in others])
        best = best_matches(own.tokens, tokens, np.array([len(tokens)]))
        return float(best.mean()) if best.size else 0.0

    def _text_by_id(self, id: str) -> str | None:
        try:
            return self._index.document(id).text
        except KeyError:
            return None

    def _status(self, id: str) -> str:
        return status_of(self._index.metas[id], clock(self._settings), self._index.collection).kind
