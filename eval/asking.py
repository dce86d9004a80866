"""Questions asked of an asker, each made into a line of the run."""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from eval.asker import Asker
from eval.locate import Locator
from eval.records import write_record
from eval.scoring import score
from eval.sets import EvalItem
from rag.errors import UsageError
from rag.schema import Answer, Interpreted

AHEAD = 128
"""How many questions are prepared together; more would not be faster."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question's line of `questions.jsonl`, the generation that answered, and what it took, in milliseconds."""

    record: str
    generation: str
    spent: Mapping[str, Any]


def windows(items: Sequence[EvalItem], done: int, ahead: int) -> list[tuple[Sequence[EvalItem], int]]:
    """Stretches of `ahead` items, those wholly among the first `done` left out, and how many of each are done already.

    They begin at the same places however often a run was interrupted, and whoever asks.
    """
    starts = range(done - done % ahead, len(items), ahead)
    return [(items[start : start + ahead], max(0, done - start)) for start in starts]


def asked_here(items: Sequence[EvalItem], done: int, asker: Asker, depth: int, ahead: int) -> Iterator[Asked]:
    """Each item from `done` on, asked in this process; while one window is asked, the next is prepared in a thread."""
    locator = Locator(asker.text_of)
    cut = windows(items, done, ahead)
    with ThreadPoolExecutor(1) as other:
        coming = [other.submit(_told, window, asker, ahead > 1) for window, _ in cut[:1]]
        for number, (window, skipped) in enumerate(cut):
            share = coming.pop().result()
            coming = [other.submit(_told, following, asker, ahead > 1) for following, _ in cut[number + 1 : number + 2]]
            yield from (_ask(item, asker, locator, depth, share) for item in window[skipped:])


def asked_together(
    window: Sequence[EvalItem], skipped: int, asker: Asker, locator: Locator, depth: int
) -> list[Asked]:
    """One window prepared, then asked from `skipped` on."""
    share = _told(window, asker)
    return [_ask(item, asker, locator, depth, share) for item in window[skipped:]]


def _told(window: Sequence[EvalItem], asker: Asker, together: bool = True) -> float:
    """Tells the asker of a window, if `together`; gives each question's share of the milliseconds that took."""
    begun = time.perf_counter()
    if together:
        asker.prepare((item.question, item.history) for item in window)
    return round(1000 * (time.perf_counter() - begun) / len(window), 3)


def _ask(item: EvalItem, asker: Asker, locator: Locator, depth: int, share: float) -> Asked:
    begun = time.perf_counter()
    try:
        examined = asker.examine(item.question, item.history, item.filters or None, depth)
        answer, hits = examined.answer, examined.hits
    except UsageError as error:
        answer, hits = _unasked(item, asker, error), ()
    took = round(1000 * (time.perf_counter() - begun), 3)
    spent = {"id": item.id, "ask_ms": took, "stages_ms": dict(answer.timings_ms), "prepare_ms": share}
    return Asked(write_record(score(item, answer, hits, locator, asker.passages)), answer.generation, spent)


def _unasked(item: EvalItem, asker: Asker, error: UsageError) -> Answer:
    """A question the asker would not take: not answered, with the reason it gave."""
    described = asker.describe()
    return Answer(item.question, "no_evidence", "", (), (), 0.0, described.get("generator", ""),
                  described.get("generation", ""), Interpreted(item.question), {}, str(error))  # fmt: skip
