"""Baselines: what the shipped sets gave when it was last accepted, small enough to be committed.

`baselines/<set>.jsonl` begins with a line on the set and its figures; then each question has one with its scores, and
no text. A later run is held against them question by question (`compare.differences`): a fall counts when it is no
accident, in one set or in all of them taken together.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from eval.compare import ALPHA, differences
from eval.files import write_whole
from eval.metrics import METRICS
from eval.records import Record, rounded
from eval.runs import Run, run
from eval.sets import SHIPPED, find_set, load_set
from rag.config import Settings
from rag.errors import UsageError
from rag.schema import to_json

FOLDER = Path(__file__).with_name("baselines")
TODAY = "2023-01-10"
"""The day the shipped sets are asked on: "今年" is the year of most of the sample documents."""
GATED = ("correct", "cited", "answer_recall", "must_include_all", "first_line", "must_exclude", "right_document", "right_year",
         "right_issuer", "citation_validity", "exactness", "refusal_recall", "hit@5")  # fmt: skip
"""Metrics that must not fall."""
CHIEF = "correct"
TOGETHER = "各集合计"


@dataclass(frozen=True, slots=True)
class Baseline:
    """scores: of each question by id, in the order of the set."""

    set: str
    sha256: str
    scores: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Fall:
    """A metric that fell from `first` to `second`. lost: questions of the set that were right and no longer are."""

    set: str
    metric: str
    first: float
    second: float
    p: float
    lost: tuple[str, ...]


def names() -> list[str]:
    """The shipped sets."""
    return sorted(p.stem for p in SHIPPED.glob("*.jsonl"))


def measure(settings: Settings, documents: Path, sets: Sequence[str], out: Path, progress=None) -> Iterator[Run]:
    """Runs sets over a fresh index of the documents, on `TODAY`, with everything else as the settings have it."""
    from rag.embedding import SentenceEmbedder
    from rag.index import Index
    from rag.pipeline import Pipeline, build_index

    embedder = SentenceEmbedder.load(settings)
    with TemporaryDirectory(prefix="wenju-baseline-") as folder:
        fresh = replace(settings, home=Path(folder), today=TODAY, store="faiss")
        build_index(fresh, [documents], embedder=embedder)
        pipeline = Pipeline(fresh, Index.open(fresh.index), embedder)
        for name in sets:
            yield run(load_set(find_set(name), pipeline.text_of), pipeline, out / name, progress=progress)


def save(done: Run, folder: Path = FOLDER) -> Path:
    """Writes the run as the baseline of its set; gives the file."""
    of = done.decides["set"]
    head = {"set": of["name"], "sha256": of["sha256"], "figures": rounded(to_json(done.summary.overall))}
    lines = [head, *({"id": r.item.id, "scores": rounded(_gated(r.scores))} for r in done.records)]
    path = folder / f"{of['name']}.jsonl"
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(path, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    return path


def load(name: str, folder: Path = FOLDER) -> Baseline:
    """The baseline of a set. Raises UsageError when there is none."""
    try:
        head, *lines = [json.loads(x) for x in (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
        return Baseline(head["set"], head["sha256"], {line["id"]: line["scores"] for line in lines})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"没有评测集 {name} 的基线。", "请用 wenju eval baseline 生成。") from error


def falls(pairs: Sequence[tuple[Baseline, Sequence[Record]]]) -> list[Fall]:
    """Where the records fall significantly below their baselines: set by set, then all together.

    The chief metric is tested by itself, the others share 5 % among them. Raises UsageError when a set has changed.
    """
    tables = [_tables(base, records) for base, records in pairs]
    lost = [[r.item.id for r in records if base.scores[r.item.id].get(CHIEF) == 1 and not r.correct] for base, records in pairs]
    found = [f for (base, _), two, ids in zip(pairs, tables, lost, strict=True) for f in _falls(base.set, *two, ids)]
    if len(pairs) > 1:
        first, second = (np.concatenate(part) for part in zip(*tables, strict=True))
        found += _falls(TOGETHER, first, second, [id for ids in lost for id in ids])
    return found


def _falls(name: str, first: np.ndarray, second: np.ndarray, lost: Sequence[str]) -> list[Fall]:
    fell = (d for d in differences(first, second) if d.change < 0)
    return [Fall(name, d.name, d.first, d.second, p, tuple(lost)) for d in fell
            if (p := d.p if d.name == CHIEF else d.adjusted) < ALPHA]  # fmt: skip


def _tables(base: Baseline, records: Sequence[Record]) -> tuple[np.ndarray, np.ndarray]:
    if list(base.scores) != [r.item.id for r in records]:
        raise UsageError(f"评测集 {base.set} 的题目变了，与基线对不上。", "请用 wenju eval baseline 重新生成基线。")
    return _table(list(base.scores.values())), _table([r.scores for r in records])


def _table(scores: Sequence[Mapping[str, float]]) -> np.ndarray:
    return np.array([[s.get(m.name, np.nan) if m.name in GATED else np.nan for m in METRICS] for s in scores])


def _gated(scores: Mapping[str, float]) -> dict[str, float]:
    return {name: scores[name] for name in GATED if name in scores}
