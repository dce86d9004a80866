"""From a question to ranked passages: dense and lexical candidates, slots, late interaction, one linear score."""

import time
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache, partial

import numpy as np

from rag import scope
from rag.admission import Admission, Register
from rag.candidates import Candidates
from rag.emphasis import Emphasis, emphasis
from rag.fitted import FEATURES, weights
from rag.index import Index
from rag.protocols import Embedder, Encoded
from rag.query import Query
from rag.relevance import blank_form
from rag.remembered import Embeddings
from rag.reranking import best_matches, best_stored_matches, late_interaction, weakest_fifth
from rag.schema import Hit, Span, Trace
from rag.scope import Slot
from rag.text import bigrams, normalise, words
from rag.values import asked_for


@dataclass(frozen=True, slots=True)
class Found:
    """What a question found. `hits` are admitted by every slot; `leads` are the best of the others.

    features: float64 [hits, len(FEATURES)]. evident: the same, the slots' own words counting little
    where they are met: whether the matter itself is there. unmet: slots that no passage of the index meets.
    """

    query: Query
    admission: Admission
    encoded: Encoded
    emphasis: Emphasis
    hits: tuple[Hit, ...]
    features: np.ndarray
    evident: np.ndarray
    further: Callable[[], tuple[Hit, ...]]
    unmet: tuple[Slot, ...]
    timings_ms: dict[str, float]
    shares: dict[str, np.ndarray] = field(default_factory=dict, compare=False)
    """Weights that add up to 1 of the question's bigrams in a document: what `Retriever.share` has found so far."""

    @property
    def leads(self) -> tuple[Hit, ...]:
        """The best of the passages that are no hits, best first. Looked up when first asked for: few answers need them."""
        return self.further()

    def first(self, k: int) -> "Found":
        """What would have been found, had only the k best been asked for."""
        return replace(self, hits=self.hits[:k], features=self.features[:k], evident=self.evident[:k],
                       further=lambda: self.leads[:k])


class Retriever:
    """Searches one generation."""

    def __init__(self, index: Index, embedder: Embedder, stale: Callable[[], Set[str]] = frozenset) -> None:
        """stale: ids of the documents that are no longer in force today, which answer only when they are asked for."""
        self.index = index
        self._series: dict[str, dict[int, str]] = {}
        for id, entry in index.metas.items():
            if key := scope.series_of(entry.meta):
                self._series.setdefault(key, {})[max(entry.meta.years)] = id
        self._stale = stale
        self._embeddings = Embeddings(embedder)
        self._candidates = Candidates(index)
        self._rarity = self._candidates.rarity
        self._normal = lru_cache(maxsize=20_000)(self._normalised)
        self._whole = lru_cache(maxsize=2_000)(index.whole)
        self._frame = lru_cache(maxsize=20_000)(self._is_frame)
        self._register = Register(index, self._whole, self._normal)

    def retrieve(self, query: Query, k: int = 10) -> Found:
        """The k best passages for the question."""
        clock = _Clock()
        encoded = self._embeddings.of(query.text)
        clock.lap("embed")
        admission = self._register.on(query)
        weighed = emphasis(query.text, partial(self._rarity, "bigrams"), query.language)
        tokens = {"bigrams": bigrams(query.text), "words": words(query.text)}
        rankings, documents = self._candidates.ranked(query, encoded, tokens, admission.rows())
        rows = np.unique(np.concatenate([r for r, _ in rankings.values()]))
        clock.lap("search")
        best = best_stored_matches(encoded.tokens, *self.index.stored_tokens_of(rows))
        features = self._features(query, encoded, weighed, admission, rows, best, documents)
        self._candidates.score(features, encoded, tokens, rows, rankings)
        scores = features @ weights("ranking", query.language)
        if query.form != "metadata":
            scores -= _FRAME_PENALTY * np.array([self._frame(row) for row in rows.tolist()])
        order = np.lexsort((rows, -scores))
        clock.lap("rerank")
        admitted, stale = self._admitted(query, admission, rows, order, k)
        unmet = () if admitted or stale else admission.unmet(rows)
        places = [(name, {row: n for n, row in enumerate(found.tolist())}, values) for name, (found, values) in rankings.items()]
        hit = partial(self._hit, rows, scores=scores, features=features, places=places)
        hits = tuple(hit(i, n) for n, i in enumerate(admitted, 1))
        further = cache(lambda: tuple(hit(i, n) for n, i in enumerate(self._others(query, admission, rows, order)[:k], 1)))
        features = features[admitted]
        evident = self._beyond_slots(encoded, weighed, admission, hits, features, best[admitted])
        clock.lap("select")
        return Found(query, admission, encoded, weighed, hits, features, evident, further, unmet, clock.laps)

    def prepare(self, texts: Sequence[str]) -> None:
        """Computes the vectors of questions that are about to come, together. See `Embeddings.KEPT` for how many."""
        self._embeddings.fill(texts)

    def admitted_documents(self, query: Query) -> list[str]:
        """Ids of the documents that the question's slots are true of, in order; none when there are no slots."""
        meant = self._register.on(query).documents()
        return [id for id in meant if query.asks_for_edition or self.index.collection.newer_edition(id) is None]

    def series_of(self, id: str) -> Mapping[int, str]:
        """Ids of the document's notice by year, the newest first, when it was issued again and again; else empty."""
        series = self._series.get(scope.series_of(self.index.metas[id].meta) or "", {})
        return dict(sorted(series.items(), reverse=True)) if len(series) > 1 else {}

    def _features(
        self, query: Query, encoded: Encoded, weighed: Emphasis, admission: Admission, rows: np.ndarray, best: np.ndarray,
        documents: Mapping[str, float],
    ) -> np.ndarray:
        """float64 [rows, len(FEATURES)], the first stage's left 0. best: `best_matches` of the rows.

        What a slot says counts as met in a document that the slot is true of.
        """
        index, best = self.index, best.copy()
        passages = [index.passage(row) for row in rows.tolist()]
        owners = [passage.document_id for passage in passages]
        ids = {id: n for n, id in enumerate(dict.fromkeys(owners))}
        of = np.array([ids[owner] for owner in owners], np.int64)
        has, whole = weighed.said_in_each(map(self._normal, rows.tolist())), weighed.said_in_each(map(self._whole, ids))
        alike: dict[tuple[tuple[int, int], ...], list[int]] = {}
        for n, id in enumerate(ids):
            alike.setdefault(tuple(admission.met(id)), []).append(n)
        for met, numbers in alike.items():
            mine = np.flatnonzero(np.isin(of, numbers)) if met else ()
            for start, end in met:
                best[np.ix_(mine, (encoded.spans[:, 0] < end) & (encoded.spans[:, 1] > start))] = 1.0
            if met:
                said = self._within(weighed, met)
                has[mine] |= said
                whole[numbers] |= said
        token_weights = weighed.of_tokens(encoded.spans)
        out = np.zeros((len(rows), len(FEATURES)))
        out[:, 0], out[:, 1] = late_interaction(best, token_weights), weakest_fifth(best, token_weights)
        total, most = float(weighed.weights.sum()) or 1.0, self._rarity("bigrams", "")
        out[:, 2] = has @ weighed.weights / total
        out[:, 7] = np.array([weighed.weights @ everywhere for everywhere in whole.astype(np.float32)])[of] / total
        out[:, 8] = np.where(whole, np.float32(0), weighed.weights).max(axis=1, initial=0.0)[of] / most
        out[:, 6] = [documents.get(owner, 0.0) for owner in owners]
        shape = asked_for(query)
        out[:, 9] = [shape is None or bool(shape.search(passage.text)) for passage in passages]
        return out

    def _beyond_slots(
        self, encoded: Encoded, weighed: Emphasis, admission: Admission, hits: Sequence[Hit], features: np.ndarray,
        best: np.ndarray,
    ) -> np.ndarray:
        """`features` of the hits with the words of met slots counting little. best: `best_matches` of the hits."""
        out = features.copy()
        most = self._rarity("bigrams", "")
        for i, hit in enumerate(hits):
            met = admission.met(hit.document.id)
            if not met:
                continue
            token_weights, pair_weights = _tokens_beyond(weighed, encoded, met), _pairs_beyond(weighed, met)
            total = float(pair_weights.sum()) or 1.0
            here = weighed.said_in(self._normal(hit.row))
            anywhere = weighed.said_in(self._whole(hit.document.id))
            mine = best[i : i + 1]
            out[i, 0], out[i, 1] = late_interaction(mine, token_weights)[0], weakest_fifth(mine, token_weights)[0]
            out[i, 2], out[i, 7] = pair_weights @ here / total, pair_weights @ anywhere / total
            out[i, 8] = pair_weights[~anywhere].max(initial=0.0) / most
        return out

    @staticmethod
    def _within(weighed: Emphasis, met: Sequence[tuple[int, int]]) -> np.ndarray:
        """Which of the question's bigrams stand inside a met slot: bool [pairs]."""
        return np.array([any(a <= start and end <= b for a, b in met) for start, end in weighed.places], bool)

    def _normalised(self, row: int) -> str:
        passage = self.index.passage(row)
        name = self.index.metas[passage.document_id].meta.title or ""
        return normalise("\n".join((name, *passage.section_path, passage.text)))

    def _is_frame(self, row: int) -> bool:
        """Whether a passage is but the document's head (title, number, addressees), its signature or a blank form."""
        passage = self.index.passage(row)
        proof = self.index.metas[passage.document_id].meta.proof
        head = max((proof[f].end for f in ("title", "document_number", "addressees") if f in proof), default=0)
        return passage.section_path == ("落款",) or passage.end <= head or blank_form(passage.text)

    def _admitted(
        self, query: Query, admission: Admission, rows: np.ndarray, order: np.ndarray, k: int
    ) -> tuple[list[int], bool]:
        """Positions in `rows` of the k best that every slot admits and that are in force; whether any on the way were not."""
        admitted, stale = [], False
        for i in order.tolist():
            if len(admitted) == k:
                break
            if admission.admits(int(rows[i])):
                if self._is_past(self.index.passage(int(rows[i])).document_id, query):
                    stale = True
                else:
                    admitted.append(i)
        return admitted, stale

    def _others(self, query: Query, admission: Admission, rows: np.ndarray, order: np.ndarray) -> list[int]:
        """Positions in `rows`, best first: those admitted but out of force, then those that some slot does not admit."""
        stale, others = [], []
        for i in order.tolist():
            if not admission.admits(int(rows[i])):
                others.append(i)
            elif self._is_past(self.index.passage(int(rows[i])).document_id, query):
                stale.append(i)
        return stale + others

    def is_stale(self, id: str) -> bool:
        """Whether the document is no longer in force today."""
        return id in self._stale()

    def _is_past(self, id: str, query: Query) -> bool:
        """Whether a document is out of force and not asked for: by its name a law is asked for as it stands today.

        When old ones are asked for, all count as in force.
        """
        if id not in self._stale() or query.asks_for_edition:
            return False
        return not query.asks_for_old or self.index.collection.newer_edition(id) is not None

    def _hit(
        self, rows: np.ndarray, i: int, rank: int, scores: np.ndarray, features: np.ndarray,
        places: Sequence[tuple[str, Mapping[int, int], np.ndarray]],
    ) -> Hit:
        """places: of each ranking its name, the place of each row in it, and the scores."""
        row = int(rows[i])
        passage = self.index.passage(row)
        trace = [Trace(name, at[row] + 1, round(float(values[at[row]]), 4)) for name, at, values in places if row in at]
        late = features[:, 0]
        trace.append(Trace("late_interaction", int((late > late[i]).sum()) + 1, round(float(late[i]), 4)))
        trace.append(Trace("fused", rank, round(float(scores[i]), 4)))
        return Hit(row, passage, self.index.outlined(passage.document_id), round(float(scores[i]), 4), tuple(trace))

    # ------------------------------------------------------------ inside a passage

    def worth(self, found: "Found", hit: Hit, spans: Sequence[Span]) -> tuple[np.ndarray, np.ndarray]:
        """How well each span of the passage's text meets what is asked beyond the slots: late interaction, and the weighted share
        of the question's bigrams, both float [spans]."""
        tokens, where = self.index.tokens(hit.row)
        inside = [np.flatnonzero((where[:, 0] >= s.start) & (where[:, 0] < s.end)) for s in spans]
        parts = tokens[np.concatenate(inside)], np.array([len(places) for places in inside])
        token_weights = _tokens_beyond(found.emphasis, found.encoded, found.admission.met(hit.document.id))
        share = [self.share(found, hit.document.id, hit.passage.text[s.start : s.end]) for s in spans]
        return late_interaction(best_matches(found.encoded.tokens, *parts), token_weights), np.array(share)

    def told(self, found: "Found", document_id: str) -> float:
        """Weighted share in [0, 1] of the question's bigrams that the document has; 1 when the question hardly says anything."""
        weights = found.emphasis.weights
        if not len(weights) or weights.max() < _HARDLY * self._rarity("bigrams", ""):
            return 1.0
        return float(weights @ found.emphasis.said_in(self._whole(document_id)) / weights.sum())

    def idf(self, pair: str) -> float:
        """Weight of a bigram in the collection: the rarer, the more it says."""
        return self._rarity("bigrams", pair)

    def share(self, found: "Found", document_id: str, text: str) -> float:
        """Weighted share in [0, 1] of the question's bigrams, those of met slots counting little, that `text` has."""
        return float(self._shares(found, document_id) @ found.emphasis.said_in(normalise(text)))

    def said(self, found: "Found", document_id: str, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Which of the question's bigrams each text has, bool [texts, pairs], and their weights as `share` adds them up."""
        return found.emphasis.said_in_each(map(normalise, texts)), self._shares(found, document_id)

    def _shares(self, found: "Found", document_id: str) -> np.ndarray:
        if document_id not in found.shares:
            weights = _pairs_beyond(found.emphasis, found.admission.met(document_id))
            found.shares[document_id] = weights / (float(weights.sum()) or 1.0)
        return found.shares[document_id]


_FRAME_PENALTY = 3.0
"""The head of a document has all the words of its matter and says nothing of it."""
_HARDLY = 0.25
"""Weight of a question's weightiest words, over the weightiest there could be, below which it only asks."""
_MET_SHARE = 0.1
"""What is left of the weight of a slot's words inside a document that the slot is true of."""


def _tokens_beyond(weighed: Emphasis, encoded: Encoded, met: Sequence[tuple[int, int]]) -> np.ndarray:
    """Weights of the question's tokens, float32 [tokens], those of met slots reduced."""
    weights = weighed.of_tokens(encoded.spans)
    for start, end in met:
        weights[(encoded.spans[:, 0] < end) & (encoded.spans[:, 1] > start)] *= _MET_SHARE
    return weights


def _pairs_beyond(weighed: Emphasis, met: Sequence[tuple[int, int]]) -> np.ndarray:
    """Weights of the question's bigrams, float32 [pairs], those of met slots reduced."""
    weights = weighed.weights.copy() if met else weighed.weights
    for start, end in met:
        weights[[start <= a and b <= end for a, b in weighed.places]] *= _MET_SHARE
    return weights


class _Clock:
    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = round((now - self._last) * 1000, 3)
        self._last = now
