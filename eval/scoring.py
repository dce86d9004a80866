"""From an answer and its hits to a record: every per-question score, and where a wrong answer was lost."""

import re
from collections.abc import Callable, Sequence

from eval.locate import Locator, Target
from eval.metrics import citations as cite
from eval.metrics import ranking
from eval.metrics.coverage import answer_coverage, answer_recall
from eval.metrics.exactness import exactness
from eval.metrics.inclusion import first_line, must_exclude, must_include
from eval.metrics.overlap import rouge_l, token_f1, tokens
from eval.metrics.scope import right_issuer, right_year
from eval.records import KEPT, SHOWN, Record, Stage, hit_record, without_timings
from eval.sets import EvalItem
from rag.schema import Answer, Citation, Hit, Passage

_MARKER = re.compile(r"\[\d+\]|\*\*|^\s*[>#-]+\s*", re.M)

Cut = Callable[[str], Sequence[Passage]]


def score(item: EvalItem, answer: Answer, hits: Sequence[Hit], locator: Locator, cut: Cut) -> Record:
    """The record of one question.

    hits: best first, as deep as the run looks. cut: the passages of a source, to tell a document that was cut badly
    from one that was ranked badly. Raises KeyError for a source that nobody knows.
    """
    targets = locator.targets(item) if item.answerable else ()
    found = [[t for t, target in enumerate(targets) if _holds(locator, target, h)] for h in hits]
    scores = _answer_scores(item, answer, locator, targets) | _refusal_scores(item, answer)
    if targets:
        scores |= _passage_scores(found, len(targets)) | _document_scores(item, hits, locator)
    correct = scores["correct"] == 1
    lost = None if correct else _lost(item, answer, hits, found, targets, locator, cut)
    kept = tuple(hit_record(r, h, bool(f)) for r, (h, f) in enumerate(zip(hits[:KEPT], found, strict=False), 1))
    return Record(item, without_timings(answer), kept, correct, lost, dict(sorted(scores.items())))


def _holds(locator: Locator, target: Target, hit: Hit) -> bool:
    return locator.touched(target, hit.document.source, hit.passage.start, hit.passage.end)


# ---------------------------------------------------------------- answers

def _answer_scores(item: EvalItem, answer: Answer, locator: Locator, targets: Sequence[Target]) -> dict[str, float]:
    answered = answer.status == "answered"
    scores: dict[str, float] = {}
    if answered:
        scores["citation_validity"] = cite.validity(answer.citations, locator.text)
        scores["exactness"] = exactness(answer.claims, answer.citations)
        scores["answer_tokens"] = len(tokens(plain(answer.answer)))
    if item.must_exclude:
        scores["must_exclude"] = must_exclude(answer.answer, item.must_exclude)
    if not item.answerable:
        return scores | {"correct": float(not answered and scores.get("must_exclude", 1))}
    given = answer.citations if answered else ()
    gold = [locator.is_gold(item, c.source) for c in given]
    said = plain(answer.answer) if answered else ""
    touches = [[_cites(locator, t, c) for t in targets] for c in given]
    scores["citation_precision"] = cite.precision(touches)
    scores["citation_recall"] = cite.recall(touches, len(targets))
    wanted = locator.answer_targets(item)
    spans = [(c.source, c.start, c.end) for c in given]
    coverages = [locator.covered(t, spans) for t in wanted]
    held = any(_cites(locator, t, c) for t in wanted for c in given)
    scores["cited"] = float(held or any(map(any, touches)))
    if wanted:
        scores |= {"answer_recall": answer_recall(coverages), "answer_coverage": answer_coverage(coverages)}
    if item.must_include:
        scores["must_include"] = must_include(said, item.must_include)
        scores["must_include_all"] = float(scores["must_include"] == 1)
    scores["right_document"] = float(any(gold))
    scores |= _overlaps(item, said)
    if (year := right_year(item.question, given, gold)) is not None:
        scores["right_year"] = year
    if (issuer := right_issuer(item.question, given, gold)) is not None:
        scores["right_issuer"] = issuer
    right = scores["cited"] and scores.get("must_include_all", 1) and scores.get("must_exclude", 1)
    if item.all_gold:
        right = right and scores["citation_recall"] == 1
    return scores | {"answered": float(answered), "correct": float(bool(right))}


def _cites(locator: Locator, target: Target, citation: Citation) -> bool:
    return locator.touched(target, citation.source, citation.start, citation.end)


def _overlaps(item: EvalItem, said: str) -> dict[str, float]:
    quotes = [g.quote for g in item.gold if g.quote]
    references = list(item.answers) or (["".join(quotes)] if item.all_gold and quotes else quotes)
    if not references:
        return {}
    mine, theirs = tokens(said), [tokens(r) for r in references]
    return {"token_f1": max(token_f1(mine, r) for r in theirs), "rouge_l": max(rouge_l(mine, r) for r in theirs),
            "first_line": first_line(said, references, item.must_include)}


def plain(answer: str) -> str:
    """An answer's words: without [n] markers and the marks of Markdown."""
    return _MARKER.sub("", answer)


def _refusal_scores(item: EvalItem, answer: Answer) -> dict[str, float]:
    refused = float(answer.status != "answered")
    scores = {"false_refusals" if item.answerable else "refusal_recall": refused}
    if refused:
        scores["refusal_precision"] = float(not item.answerable)
    return scores


# ---------------------------------------------------------------- retrieval

def _passage_scores(found: Sequence[Sequence[int]], targets: int) -> dict[str, float]:
    """found[r]: the targets that hit r holds. Each target counts where it is first found."""
    seen: set[int] = set()
    gains: list[float] = []
    for held in found:
        gains.append(float(len(set(held) - seen)))
        seen |= set(held)
    ideal = [g for g in gains if g] + [1.0] * (targets - len(seen))
    return {f"hit@{k}": ranking.hit(gains, k) for k in (1, 5, 10)} | {
        "mrr@10": ranking.reciprocal_rank(gains, 10),
        "ndcg@10": ranking.ndcg(gains, ideal, 10),
        "recall@10": ranking.recall(gains, targets, 10),
    }


def _document_scores(item: EvalItem, hits: Sequence[Hit], locator: Locator) -> dict[str, float]:
    """Documents ranked by their first passage; the gold ones are relevant."""
    ranked = dict.fromkeys(locator.document(h.document.source) for h in hits)
    gold = {locator.document(g.source) for g in item.gold}
    gains = [float(d in gold) for d in ranked]
    return {f"doc_hit@{k}": ranking.hit(gains, k) for k in (1, 5)} | {
        "doc_mrr@10": ranking.reciprocal_rank(gains, 10),
        "doc_ndcg@10": ranking.ndcg(gains, [1.0] * len(gold), 10),
    }


# ---------------------------------------------------------------- where it was lost

def _lost(
    item: EvalItem, answer: Answer, hits: Sequence[Hit], found: Sequence[Sequence[int]],
    targets: Sequence[Target], locator: Locator, cut: Cut,
) -> Stage:  # fmt: skip
    """The first stage that lost the first target that is not cited (DESIGN.md 3 has the stages)."""
    if not item.answerable:
        return "gate"
    given = answer.citations if answer.status == "answered" else ()
    missing = [t for t, target in enumerate(targets) if not any(_cites(locator, target, c) for c in given)]
    if not missing:
        return "composition"
    rank = next((r for r, held in enumerate(found, 1) if missing[0] in held), None)
    if rank is None:
        return "retrieval" if _cut_whole(targets[missing[0]], locator, cut) else "parsing"
    if rank > SHOWN:
        earlier = hits[rank - 1].trace[:-1]
        return "reranking" if any(t.rank <= SHOWN for t in earlier) else "retrieval"
    return "composition" if answer.status == "answered" else "gate"


def _cut_whole(target: Target, locator: Locator, cut: Cut) -> bool:
    """Whether some passage holds the target."""
    return any(
        locator.touched(target, place.source, passage.start, passage.end)
        for place in target.places for passage in cut(place.source)
    )  # fmt: skip
