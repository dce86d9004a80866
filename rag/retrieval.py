"""From a question to ranked passages: dense and lexical candidates, slots, late interaction, one linear score."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import lru_cache, partial

import numpy as np

from rag import scope
from rag.emphasis import Emphasis, emphasis
from rag.fitted import FEATURES, weights
from rag.index import Index
from rag.protocols import Embedder, Encoded
from rag.query import Query
from rag.reranking import best_matches, late_interaction, weakest_fifth
from rag.schema import Hit, Span, Trace
from rag.scope import Slot
from rag.text import bigrams, normalise, words
from rag.validity import status_of
from rag.values import asked_for

POOL = 60
"""Candidates taken from each first-stage ranking."""
@dataclass(frozen=True, slots=True)
class Found:
    """What a question found. `hits` are admitted by every slot; `leads` are the best of the others.

    features: float64 [hits, len(FEATURES)]. evident: the same, the slots' own words counting little
    where they are met: whether the matter itself is there. unmet: slots that no passage of the index meets.
    """

    query: Query
    encoded: Encoded
    emphasis: Emphasis
    hits: tuple[Hit, ...]
    features: np.ndarray
    evident: np.ndarray
    leads: tuple[Hit, ...]
    unmet: tuple[Slot, ...]
    timings_ms: dict[str, float]

    def first(self, k: int) -> "Found":
        """What would have been found, had only the k best been asked for."""
        return replace(self, hits=self.hits[:k], features=self.features[:k], evident=self.evident[:k], leads=self.leads[:k])


class Embeddings:
    """What the last questions look like to the model: asked again, or prepared for, they cost nothing. Thread-safe."""

    KEPT = 512

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._known: dict[str, Encoded] = {}
        self._lock = threading.Lock()

    def of(self, text: str) -> Encoded:
        """The question's embedding."""
        with self._lock:
            if known := self._known.pop(text, None):
                self._known[text] = known  # the last to be dropped
                return known
        encoded = self._embedder.embed_query(text)
        self._keep({text: encoded})
        return encoded

    def fill(self, texts: Sequence[str]) -> None:
        """Computes those that are not known, together; of more than `KEPT` the last remain."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        self._keep(dict(zip(new, self._embedder.embed_queries(new), strict=True)))

    def _keep(self, encoded: Mapping[str, Encoded]) -> None:
        with self._lock:
            self._known |= encoded
            for text in list(self._known)[: -self.KEPT]:
                del self._known[text]


class Retriever:
    """Searches one generation."""

    def __init__(self, index: Index, embedder: Embedder, stale: Callable[[], Set[str]] = frozenset) -> None:
        """stale: ids of the documents that are no longer in force today, which answer only when they are asked for."""
        self.index = index
        self._places = {id: scope.places_of(entry.meta) for id, entry in index.metas.items()}
        self._series: dict[str, dict[int, str]] = {}
        for id, entry in index.metas.items():
            if key := scope.series_of(entry.meta):
                self._series.setdefault(key, {})[max(entry.meta.years)] = id
        self._said: dict[str, tuple[str, ...]] = {}
        self._order, self._stale = list(index.metas), stale
        self._embeddings = Embeddings(embedder)
        self._rarity = lru_cache(maxsize=50_000)(partial(_idf, index.lexical))
        self._normal = lru_cache(maxsize=20_000)(self._normalised)
        self._whole = lru_cache(maxsize=2_000)(index.whole)

    def retrieve(self, query: Query, k: int = 10) -> Found:
        """The k best passages for the question."""
        clock = _Clock()
        encoded = self._embeddings.of(query.text)
        clock.lap("embed")
        slots = list(scope.slots(query))
        weighed = emphasis(query.text, partial(self._rarity, "bigrams"))
        rankings, documents = self._first_stage(query, encoded, slots)
        rows = np.unique(np.concatenate([r for r, _ in rankings.values()]))
        clock.lap("search")
        features = self._features(query, encoded, weighed, slots, rows, rankings, documents)
        scores = features @ weights("ranking", query.language)
        if query.form != "metadata":
            scores -= _FRAME_PENALTY * np.array([self._is_frame(int(r)) for r in rows])
        order = np.lexsort((rows, -scores))
        clock.lap("rerank")
        owned = self._owned(query, slots)
        admitted, others = self._admitted(query, slots, owned, rows, order)
        admitted, stale = self._in_force(query, admitted, rows)
        others = stale + others
        unmet = () if admitted or stale else tuple(s for s in slots if not self._anyone_meets(s, query, owned, rows))
        hits = tuple(self._hit(rows, i, n, scores, features, rankings) for n, i in enumerate(admitted[:k], 1))
        all_features, features = features, features[admitted[:k]]
        evident = self._beyond_slots(query, encoded, weighed, slots, hits, features)
        leads = tuple(self._hit(rows, i, n, scores, all_features, rankings) for n, i in enumerate(others[:k], 1))
        clock.lap("select")
        return Found(query, encoded, weighed, hits, features, evident, leads, unmet, clock.laps)

    def prepare(self, texts: Sequence[str]) -> None:
        """Computes the vectors of questions that are about to come, together. See `Embeddings.KEPT` for how many."""
        self._embeddings.fill(texts)

    # ------------------------------------------------------------ first stage

    def _first_stage(
        self, query: Query, encoded: Encoded, slots: list[Slot]
    ) -> tuple[dict[str, tuple[np.ndarray, np.ndarray]], dict[str, float]]:
        """Rows and scores by ranking; and each document's lexical score as a share of the best possible."""
        index = self.index
        pairs, terms = bigrams(query.text), words(query.text)
        allowed = self._allowed(query, slots)
        rankings = {"dense": index.vectors.search(encoded.vector, POOL)}
        if query.language == "zh":
            rankings["bigrams"] = index.lexical.search(pairs, POOL, "bigrams")
            rankings["words"] = index.lexical.search(terms, POOL, "words")
        if allowed is not None and len(allowed):
            rankings["dense"] = _joined(rankings["dense"], index.vectors.search(encoded.vector, POOL, allowed))
            if query.language == "zh":
                more = index.lexical.search(pairs, POOL, "bigrams", allowed)
                rankings["bigrams"] = _joined(rankings["bigrams"], more)
        documents: dict[str, float] = {}
        if query.language == "zh" and pairs:
            found, scores = index.document_lexical.search(pairs, POOL, "bigrams")
            most = _most_possible(pairs, partial(_idf, index.document_lexical, "bigrams"))
            documents = {self._order[r]: float(s) / most for r, s in zip(found, scores, strict=True)}
        return rankings, documents

    def admitted_documents(self, query: Query) -> list[str]:
        """Ids of the documents that the question's slots are true of, in order; none when there are no slots."""
        slots = list(scope.slots(query))
        meant = [id for id in self._order if slots and all(scope.grouped(slots, self._verdicts(id, query, slots)))]
        return [id for id in meant if query.asks_for_edition or self.index.collection.newer_edition(id) is None]

    def series_of(self, id: str) -> Mapping[int, str]:
        """Ids of the document's notice by year, the newest first, when it was issued again and again; else empty."""
        series = self._series.get(scope.series_of(self.index.metas[id].meta) or "", {})
        return dict(sorted(series.items(), reverse=True)) if len(series) > 1 else {}

    def _allowed(self, query: Query, slots: list[Slot]) -> np.ndarray | None:
        """Rows of the documents that no slot excludes; None when the slots exclude nothing."""
        if not slots:
            return None
        kept = [id for id in self._order if False not in scope.grouped(slots, self._verdicts(id, query, slots))]
        return None if len(kept) == len(self._order) else self.index.rows_of(kept)

    def _verdicts(self, id: str, query: Query, slots: Sequence[Slot]) -> list[bool | None]:
        meta, places = self.index.metas[id].meta, self._places[id]
        return [self._valid_on(id, query.in_force_on) if slot.name == "效力" else
                scope.of_document(slot, query, id, meta, places) for slot in slots]

    def _valid_on(self, id: str, day: str) -> bool:
        """Whether nothing is known that puts the document out of force on that day."""
        return status_of(self.index.metas[id], day, self.index.collection).kind in ("in_force", "unknown")

    # ------------------------------------------------------------ second stage

    def _features(
        self, query: Query, encoded: Encoded, weighed: Emphasis, slots: Sequence[Slot], rows: np.ndarray,
        rankings: Mapping[str, tuple[np.ndarray, np.ndarray]], documents: Mapping[str, float],
    ) -> np.ndarray:
        """float64 [rows, len(FEATURES)]. What a slot says counts as met in a document that the slot is true of."""
        index = self.index
        best = best_matches(encoded.tokens, *index.tokens_of(rows))
        owners = [index.passage(int(r)).document_id for r in rows]
        met = {id: self._met(id, query, slots) for id in dict.fromkeys(owners)}
        said = {id: self._within(weighed, places) for id, places in met.items()}
        for i, owner in enumerate(owners):
            for start, end in met[owner]:
                best[i, (encoded.spans[:, 0] < end) & (encoded.spans[:, 1] > start)] = 1.0
        token_weights = weighed.of_tokens(encoded.spans)
        out = np.zeros((len(rows), len(FEATURES)))
        out[:, 0], out[:, 1] = late_interaction(best, token_weights), weakest_fifth(best, token_weights)
        total, most = float(weighed.weights.sum()) or 1.0, self._rarity("bigrams", "")
        for i, (row, owner) in enumerate(zip(rows, owners, strict=True)):
            out[i, 2] = weighed.weights[weighed.said_in(self._normal(int(row))) | said[owner]].sum() / total
            out[i, 6] = documents.get(owner, 0.0)
        for owner in met:
            has = weighed.said_in(self._whole(owner)) | said[owner]
            mine = [i for i, o in enumerate(owners) if o == owner]
            out[mine, 7] = weighed.weights[has].sum() / total
            out[mine, 8] = weighed.weights[~has].max(initial=0.0) / most
        self._first_stage_scores(out, query, encoded, rows, rankings)
        shape = asked_for(query)
        out[:, 9] = [shape is None or bool(shape.search(self.index.passage(int(r)).text)) for r in rows]
        return out

    def _beyond_slots(
        self, query: Query, encoded: Encoded, weighed: Emphasis, slots: Sequence[Slot], hits: Sequence[Hit],
        features: np.ndarray,
    ) -> np.ndarray:
        """`features` with the words of met slots counting little: float64 [hits, features]."""
        out = features.copy()
        most = self._rarity("bigrams", "")
        for i, hit in enumerate(hits):
            met = self._met(hit.document.id, query, slots)
            if not met:
                continue
            token_weights, pair_weights = _tokens_beyond(weighed, encoded, met), _pairs_beyond(weighed, met)
            best = best_matches(encoded.tokens, *self.index.tokens_of(np.array([hit.row])))
            total = float(pair_weights.sum()) or 1.0
            here = weighed.said_in(self._normal(hit.row))
            anywhere = weighed.said_in(self._whole(hit.document.id))
            out[i, 0], out[i, 1] = late_interaction(best, token_weights)[0], weakest_fifth(best, token_weights)[0]
            out[i, 2], out[i, 7] = pair_weights[here].sum() / total, pair_weights[anywhere].sum() / total
            out[i, 8] = pair_weights[~anywhere].max(initial=0.0) / most
        return out

    def _first_stage_scores(
        self, out: np.ndarray, query: Query, encoded: Encoded, rows: np.ndarray,
        rankings: Mapping[str, tuple[np.ndarray, np.ndarray]],
    ) -> None:
        """Fills in the columns bigrams, words and dense."""
        index = self.index
        for name, column in (("bigrams", 3), ("words", 4)):
            found, scores = rankings.get(name, (np.empty(0, np.int64), np.empty(0, np.float32)))
            tokens = bigrams(query.text) if name == "bigrams" else words(query.text)
            out[np.searchsorted(rows, found), column] = scores / _most_possible(tokens, partial(self._rarity, name))
        out[:, 5] = index.vectors.score(encoded.vector, rows)

    def _met(self, id: str, query: Query, slots: Sequence[Slot]) -> list[tuple[int, int]]:
        """Where the question says slots that are true of the document."""
        verdicts = self._verdicts(id, query, slots)
        return [m for slot, true in zip(slots, verdicts, strict=True) if true for m in scope.mentions(slot, query.text)]

    @staticmethod
    def _within(weighed: Emphasis, met: Sequence[tuple[int, int]]) -> np.ndarray:
        """Which of the question's bigrams stand inside a met slot: bool [pairs]."""
        return np.array([any(a <= start and end <= b for a, b in met) for start, end in weighed.places], bool)

    def _normalised(self, row: int) -> str:
        passage = self.index.passage(row)
        name = self.index.metas[passage.document_id].meta.title or ""
        return normalise("\n".join((name, *passage.section_path, passage.text)))

    def _is_frame(self, row: int) -> bool:
        """Whether a passage is but the document's head (title, number, addressees) or its signature."""
        passage = self.index.passage(row)
        proof = self.index.metas[passage.document_id].meta.proof
        head = max((proof[f].end for f in ("title", "document_number", "addressees") if f in proof), default=0)
        return passage.section_path == ("落款",) or passage.end <= head

    def _admitted(
        self, query: Query, slots: list[Slot], owned: frozenset[Slot], rows: np.ndarray, order: np.ndarray
    ) -> tuple[list[int], list[int]]:
        """Positions in `rows`, best first: those every slot admits, and the rest."""
        if not slots:
            return [int(i) for i in order], []
        admitted, others = [], []
        for i in order:
            (admitted if self._admits(query, slots, owned, int(rows[i])) else others).append(int(i))
        return admitted, others

    def _admits(self, query: Query, slots: list[Slot], owned: frozenset[Slot], row: int) -> bool:
        id = self.index.passage(row).document_id
        verdicts = self._verdicts(id, query, slots)
        text = self._normal(row)
        signed = self.index.passage(row).section_path == ("落款",)  # its date is that of issue, not of the matter
        return all(scope.grouped(slots, [
            bool(v or (v is None and self._may_be(slot, id))
                 or (not signed and (slot not in owned or scope.names_month(slot, query, text))
                     and scope.in_words(slot, self._whole(id) if slot.name == "标题" else text)))
            for v, slot in zip(verdicts, slots, strict=True)
        ]))

    def is_stale(self, id: str) -> bool:
        """Whether the document is no longer in force today."""
        return id in self._stale()

    def _in_force(self, query: Query, admitted: list[int], rows: np.ndarray) -> tuple[list[int], list[int]]:
        """Positions in `rows` of what is in force, and of what is not; all count as in force when old ones are asked for."""
        old = [i for i in admitted if self._is_past(self.index.passage(int(rows[i])).document_id, query)]
        return [i for i in admitted if i not in old], old

    def _is_past(self, id: str, query: Query) -> bool:
        """Whether a document is out of force and not asked for: by its name a law is asked for as it stands today."""
        if id not in self._stale() or query.asks_for_edition:
            return False
        return not query.asks_for_old or self.index.collection.newer_edition(id) is not None

    def _owned(self, query: Query, slots: Sequence[Slot]) -> frozenset[Slot]:
        """Slots that some document is of: then others that merely mention them do not answer for them."""
        return frozenset(slot for slot in slots if slot.name != "节日"
                         and any(True in self._verdicts(id, query, [slot]) for id in self._order))

    def _may_be(self, slot: Slot, id: str) -> bool:
        if id not in self._said:
            self._said[id] = self._places[id] or scope.places_in(self.index.document(id).text)
        return scope.may_be(slot, self.index.metas[id].meta, self._said[id], self._whole(id))

    def _anyone_meets(self, slot: Slot, query: Query, owned: frozenset[Slot], rows: np.ndarray) -> bool:
        return any(self._admits(query, [slot], owned, int(r)) for r in rows)

    def _hit(self, rows, i: int, rank: int, scores, features, rankings) -> Hit:
        row = int(rows[i])
        passage = self.index.passage(row)
        trace = []
        for name, (found, values) in rankings.items():
            place = np.flatnonzero(found == row)
            if len(place):
                trace.append(Trace(name, int(place[0]) + 1, round(float(values[place[0]]), 4)))
        late = features[:, 0]
        trace.append(Trace("late_interaction", int((late > late[i]).sum()) + 1, round(float(late[i]), 4)))
        trace.append(Trace("fused", rank, round(float(scores[i]), 4)))
        return Hit(row, passage, self.index.document(passage.document_id), round(float(scores[i]), 4), tuple(trace))

    # ------------------------------------------------------------ inside a passage

    def worth(self, found: "Found", hit: Hit, spans: Sequence[Span]) -> np.ndarray:
        """How well each span of the passage's text meets what is asked beyond the slots: float32 [spans].

        Late interaction plus the weighted share of the question's bigrams.
        """
        tokens, where = self.index.tokens(hit.row)
        inside = [np.flatnonzero((where[:, 0] >= s.start) & (where[:, 0] < s.end)) for s in spans]
        parts = tokens[np.concatenate(inside)], np.array([len(places) for places in inside])
        met = self._met(hit.document.id, found.query, list(scope.slots(found.query)))
        token_weights = _tokens_beyond(found.emphasis, found.encoded, met)
        late = late_interaction(best_matches(found.encoded.tokens, *parts), token_weights)
        return late + 0.5 * np.array([self.share(found, hit.document.id, hit.passage.text[s.start : s.end]) for s in spans])

    def idf(self, pair: str) -> float:
        """Weight of a bigram in the collection: the rarer, the more it says."""
        return self._rarity("bigrams", pair)

    def share(self, found: "Found", document_id: str, text: str) -> float:
        """Weighted share in [0, 1] of the question's bigrams, those of met slots counting little, that `text` has."""
        met = self._met(document_id, found.query, list(scope.slots(found.query)))
        weights = _pairs_beyond(found.emphasis, met)
        total = weights.sum()
        return float(weights[found.emphasis.said_in(normalise(text))].sum() / total) if total else 0.0


_FRAME_PENALTY = 3.0
"""The head of a document has all the words of its matter and says nothing of it."""
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
    weights = weighed.weights.copy()
    for start, end in met:
        weights[[start <= a and b <= end for a, b in weighed.places]] *= _MET_SHARE
    return weights


def _joined(first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Two rankings by the same score as one."""
    rows, at = np.unique(np.concatenate([first[0], second[0]]), return_index=True)
    scores = np.concatenate([first[1], second[1]])[at]
    order = np.lexsort((rows, -scores))
    return rows[order], scores[order]


def _idf(lexical, field: str, token: str) -> float:
    """BM25's inverse document frequency (Robertson & Zaragoza 2009)."""
    n = lexical.document_frequency(field, token)
    return float(np.log1p((len(lexical) - n + 0.5) / (n + 0.5)))


def _most_possible(tokens: Sequence[str], idf: Callable[[str], float]) -> float:
    """An upper bound of the BM25 score of a passage: every token at its saturation (k1 = 1.2)."""
    return 2.2 * sum(map(idf, tokens)) or 1.0


class _Clock:
    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = round((now - self._last) * 1000, 3)
        self._last = now
