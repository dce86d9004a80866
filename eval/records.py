"""One question of a run: what was asked, answered and found, and its scores. One line of `questions.jsonl`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from eval.sets import EvalItem, item_json, parse_item
from rag.schema import Answer, Hit, Trace, answer_from_json, to_json

Stage = Literal["parsing", "retrieval", "reranking", "gate", "composition"]
STAGES: Mapping[Stage, str] = {
    "parsing": "解析：没有一个段落含有金标引句",
    "retrieval": "检索：金标段落没有进入前五",
    "reranking": "重排：前面的步骤找到了金标段落，重排后落到前五之外",
    "gate": "门槛：该答的没有答，或不该答的答了",
    "composition": "成文：找到了金标段落，答案却没有引到或没有说全",
}
SHOWN = 5
"""Hits kept with their text; an answer is expected to be composed from these."""
KEPT = 10


@dataclass(frozen=True, slots=True)
class HitRecord:
    """A hit as kept in a record. `gold`: it touches a target. `text` only for the first `SHOWN`."""

    rank: int
    source: str
    title: str | None
    section_path: tuple[str, ...]
    start: int
    end: int
    score: float
    gold: bool
    trace: tuple[Trace, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Record:
    """One question of a run. The answer is kept without its timings, which do not repeat.

    lost_at: the stage that lost the answer, None when `correct`.
    """

    item: EvalItem
    answer: Answer
    hits: tuple[HitRecord, ...]
    correct: bool
    lost_at: Stage | None
    scores: Mapping[str, float]

    @property
    def answered(self) -> bool:
        """Whether an answer was given."""
        return self.answer.status == "answered"


def hit_record(rank: int, hit: Hit, gold: bool) -> HitRecord:
    """The part of a hit that is kept."""
    passage, document = hit.passage, hit.document
    return HitRecord(rank, document.source, document.name, passage.section_path, passage.start, passage.end,
                     hit.score, gold, hit.trace, passage.text if rank <= SHOWN else "")  # fmt: skip


def write_record(record: Record) -> str:
    """One line of JSON with its line end; numbers rounded to six decimals."""
    return json.dumps(rounded(to_json(record) | {"item": item_json(record.item)}), ensure_ascii=False) + "\n"


def read_record(line: str) -> Record:
    """The record of a line. Raises ValueError, KeyError or TypeError for anything else."""
    value = json.loads(line)
    hits = tuple(
        HitRecord(**(h | {"section_path": tuple(h["section_path"]), "trace": tuple(Trace(**t) for t in h["trace"])}))
        for h in value["hits"]
    )
    names = {f.name for f in fields(Record)}
    rest = {k: v for k, v in value.items() if k in names}
    return Record(**(rest | {"item": parse_item(value["item"], "记录"), "answer": answer_from_json(value["answer"]), "hits": hits}))


def without_timings(answer: Answer) -> Answer:
    """The part of an answer that repeats."""
    return replace(answer, timings_ms={})


def rounded(value: Any) -> Any:
    """JSON values with every float rounded to six decimals."""
    match value:
        case float():
            return round(value, 6)
        case dict():
            return {k: rounded(v) for k, v in value.items()}
        case list():
            return [rounded(v) for v in value]
        case _:
            return value
