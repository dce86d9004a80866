"""From a question to ranked passages: dense and lexical candidates, slots, late interaction, one linear score."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial

import numpy as np

from rag import scope
from rag.admission import Admission, Register
from rag.emphasis import Emphasis, emphasis
from rag.fitted import FEATURES, weights
from rag.index import Index
from rag.protocols import Embedder, Encoded
from rag.query import Query
from rag.relevance import blank_form
from rag.reranking import best_matches, best_stored_matches, late_interaction, weakest_fifth
from rag.schema import Hit, Span, Trace
from rag.scope import Slot
from rag.text import bigrams, normalise, words
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
    admission: Admission
    encoded: Encoded
    emphasis: Emphasis
    hits: tuple[Hit, ...]
    features: np.ndarray
    evident: np.ndarray
    leads: tuple[Hit, ...]
    unmet: tuple[Slot, ...]
    timings_ms: dict[str, float]
    shares: dict[str, np.ndarray] = field(default_factory=dict, compare=False)
    """Weights that add up to 1 of the question's bigrams in a document: what `Retriever.share` has found so far."""

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
        self._series: dict[str, dict[int, str]] = {}
        for id, entry in index.metas.items():
            if key := scope.series_of(entry.meta):
                self._series.setdefault(key, {})[max(entry.meta.years)] = id
        self._order, self._stale = list(index.metas), stale
        self._embeddings = Embeddings(embedder)
        self._rarity = lru_cache(maxsize=50_000)(partial(_idf, index.lexical))
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
        rankings, documents = self._first_stage(query, encoded, tokens, admission)
        rows = np.unique(np.concatenate([r for r, _ in rankings.values()]))
        clock.lap("search")
        best = best_stored_matches(encoded.tokens, *self.index.stored_tokens_of(rows))
        features = self._features(query, encoded, weighed, admission, rows, best, documents)
        self._first_stage_scores(features, encoded, tokens, rows, rankings)
        scores = features @ weights("ranking", query.language)
        if query.form != "metadata":
            scores -= _FRAME_PENALTY * np.array([self._frame(int(r)) for r in rows])
        order = np.lexsort((rows, -scores))
        clock.lap("rerank")
        admitted, others = self._admitted(admission, rows, order)
        admitted, stale = self._in_force(query, admitted, rows)
        others = stale + others
        unmet = () if admitted or stale else admission.unmet(rows)
        places = [(name, {int(row): n for n, row in enumerate(found)}, values) for name, (found, values) in rankings.items()]
        hits = tuple(self._hit(rows, i, n, scores, features, places) for n, i in enumerate(admitted[:k], 1))
        leads = tuple(self._hit(rows, i, n, scores, features, places) for n, i in enumerate(others[:k], 1))
        features = features[admitted[:k]]
        evident = self._beyond_slots(encoded, weighed, admission, hits, features, best[admitted[:k]])
        clock.lap("select")
        return Found(query, admission, encoded, weighed, hits, features, evident, leads, unmet, clock.laps)

    def prepare(self, texts: Sequence[str]) -> None:
        """Computes the vectors of questions that are about to come, together. See `Embeddings.KEPT` for how many."""
        self._embeddings.fill(texts)

    # ------------------------------------------------------------ first stage

    def _first_stage(
        self, query: Query, encoded: Encoded, tokens: Mapping[str, Sequence[str]], admission: Admission
    ) -> tuple[dict[str, tuple[np.ndarray, np.ndarray]], dict[str, float]]:
        """Rows and scores by ranking; and each document's lexical score as a share of the best possible."""
        index, pairs = self.index, tokens["bigrams"]
        allowed = admission.rows()
        rankings = {"dense": index.vectors.search(encoded.vector, POOL)}
        if query.language == "zh":
            rankings |= {field: index.lexical.search(tokens[field], POOL, field) for field in ("bigrams", "words")}
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
        meant = self._register.on(query).documents()
        return [id for id in meant if query.asks_for_edition or self.index.collection.newer_edition(id) is None]

    def series_of(self, id: str) -> Mapping[int, str]:
        """Ids of the document's notice by year, the newest first, when it was issued again and again; else empty."""
        series = self._series.get(scope.series_of(self.index.metas[id].meta) or "", {})
        return dict(sorted(series.items(), reverse=True)) if len(series) > 1 else {}

    # ------------------------------------------------------------ second stage

    def _features(
        self, query: Query, encoded: Encoded, weighed: Emphasis, admission: Admission, rows: np.ndarray, best: np.ndarray,
        documents: Mapping[str, float],
    ) -> np.ndarray:
        """float64 [rows, len(FEATURES)], the first stage's left 0. best: `best_matches` of the rows.

        What a slot says counts as met in a document that the slot is true of.
        """
        index, best = self.index, best.copy()
        passages = [index.passage(int(row)) for row in rows]
        owners = [passage.document_id for passage in passages]
        of = {id: np.array([i for i, owner in enumerate(owners) if owner == id]) for id in dict.fromkeys(owners)}
        has, whole = weighed.said_in_each([self._normal(int(row)) for row in rows]), weighed.said_in_each(map(self._whole, of))
        for i, (id, mine) in enumerate(of.items()):
            for start, end in admission.met(id):
                best[np.ix_(mine, (encoded.spans[:, 0] < end) & (encoded.spans[:, 1] > start))] = 1.0
            said = self._within(weighed, admission.met(id))
            has[mine] |= said
            whole[i] |= said
        token_weights = weighed.of_tokens(encoded.spans)
        out = np.zeros((len(rows), len(FEATURES)))
        out[:, 0], out[:, 1] = late_interaction(best, token_weights), weakest_fifth(best, token_weights)
        total, most = float(weighed.weights.sum()) or 1.0, self._rarity("bigrams", "")
        out[:, 2] = has @ weighed.weights / total
        for mine, everywhere in zip(of.values(), whole, strict=True):
            out[mine, 7] = weighed.weights @ everywhere / total
            out[mine, 8] = weighed.weights[~everywhere].max(initial=0.0) / most
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

    def _first_stage_scores(
        self, out: np.ndarray, encoded: Encoded, tokens: Mapping[str, Sequence[str]], rows: np.ndarray,
        rankings: Mapping[str, tuple[np.ndarray, np.ndarray]],
    ) -> None:
        """Fills in the columns bigrams, words and dense."""
        for name, column in (("bigrams", 3), ("words", 4)):
            found, scores = rankings.get(name, (np.empty(0, np.int64), np.empty(0, np.float32)))
            most = _most_possible(tokens[name], partial(self._rarity, name))
            out[np.searchsorted(rows, found), column] = scores / most
        out[:, 5] = self.index.vectors.score(encoded.vector, rows)

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

    @staticmethod
    def _admitted(admission: Admission, rows: np.ndarray, order: np.ndarray) -> tuple[list[int], list[int]]:
        """Positions in `rows`, best first: those every slot admits, and the rest."""
        if not admission.slots:
            return order.tolist(), []
        admitted, others = [], []
        for i in order.tolist():
            (admitted if admission.admits(int(rows[i])) else others).append(i)
        return admitted, others

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
        return Hit(row, passage, self.index.document(passage.document_id), round(float(scores[i]), 4), tuple(trace))

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
        if document_id not in found.shares:
            weights = _pairs_beyond(found.emphasis, found.admission.met(document_id))
            found.shares[document_id] = weights / (float(weights.sum()) or 1.0)
        return float(found.shares[document_id] @ found.emphasis.said_in(normalise(text)))


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
