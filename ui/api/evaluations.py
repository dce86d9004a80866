"""Evaluations started from the page: one at a time, in a thread of its own; what is finished lies in WENJU_HOME/runs."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.compare import Comparison, compare
from eval.report import write_reports
from eval.runs import Progress, folder_name, load_run, run
from eval.sets import SHIPPED, find_set, load_set
from rag.errors import UsageError, WenjuError
from rag.files import inside
from ui.api.service import Service


@dataclass(frozen=True, slots=True)
class Past:
    """A run in the folder. figures: (value, low, high) by metric; none of an unfinished run. finished: ISO 8601."""

    name: str
    set: str
    questions: int
    generation: str
    finished: str
    figures: dict[str, tuple[float, float, float]]


@dataclass(frozen=True, slots=True)
class Now:
    """What is going on. state: "idle", "running", "done" (of run `name`), "stopped" or "failed" (`error` says why)."""

    state: str = "idle"
    set: str = ""
    name: str = ""
    progress: Progress | None = None
    error: str = ""


class _Stopped(Exception):
    pass


class Evaluations:
    """The runs of one service."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._lock, self._stop = threading.Lock(), threading.Event()
        self.now = Now()

    @property
    def folder(self) -> Path:
        """Where runs are kept."""
        return self._service.pipeline.settings.home / "runs"

    def sets(self) -> list[str]:
        """Names of the sets that can be run: those of WENJU_HOME/sets, then the shipped ones."""
        return list(dict.fromkeys(p.stem for p in (*sorted(self._own().glob("*.jsonl")), *sorted(SHIPPED.glob("*.jsonl")))))

    def start(self, name: str, limit: int | None) -> None:
        """Begins a run, or goes on with the same one. Raises UsageError when another is going on or the set is unknown."""
        if name not in self.sets():
            raise UsageError(f"没有评测集 {name}。", "请从列表里选一个。")
        with self._lock:
            if self.now.state == "running":
                raise UsageError("已有一次评测在进行。", "请等它结束，或先停止它。")
            self.now = Now("running", name)
            self._stop.clear()
        threading.Thread(target=self._work, args=(name, limit), name="wenju-evaluation", daemon=True).start()

    def stop(self) -> None:
        """Ends the run that is going on; what was asked is kept."""
        self._stop.set()

    def past(self) -> list[Past]:
        """All runs, the newest first; unfinished ones at the end."""
        folders = (p for p in self.folder.glob("*") if (p / "run.json").is_file()) if self.folder.is_dir() else ()
        found = [past for folder in folders if (past := _past(folder))]
        return sorted(found, key=lambda p: (p.finished, p.name), reverse=True)

    def report(self, name: str) -> str:
        """The report of a finished run, as HTML. Raises UsageError."""
        path = self._run(name) / "report.html"
        if not path.is_file():
            write_reports(load_run(self._run(name)))
        return path.read_text(encoding="utf-8")

    def compare(self, first: str, second: str) -> Comparison:
        """Two runs side by side. Raises UsageError."""
        return compare(load_run(self._run(first)), load_run(self._run(second)))

    # ------------------------------------------------------------ inside

    def _own(self) -> Path:
        return self._service.pipeline.settings.home / "sets"

    def _run(self, name: str) -> Path:
        try:
            path = inside(self.folder, name)
        except ValueError as error:
            raise UsageError("没有这次评测。", "请从列表里选。") from error
        if "/" in name or not path.is_dir():
            raise UsageError("没有这次评测。", "它可能已被删除，请刷新页面。")
        return path

    def _work(self, name: str, limit: int | None) -> None:
        pipeline = self._service.pipeline
        try:
            own = self._own() / f"{name}.jsonl"
            found = load_set(own if own.is_file() else find_set(name), pipeline.text_of)
            out = self.folder / folder_name(found, pipeline, limit)
            write_reports(run(found, pipeline, out, limit=limit, progress=self._progress))
            self.now = Now("done", name, out.name)
        except _Stopped:
            self.now = Now("stopped", name)
        except (WenjuError, OSError) as error:
            self.now = Now("failed", name, error=str(error))
        except Exception as error:
            self.now = Now("failed", name, error=f"程序出错：{type(error).__name__}。请查看服务的日志。")
            raise

    def _progress(self, progress: Progress) -> None:
        self.now = Now("running", self.now.set, progress=progress)
        if self._stop.is_set():
            raise _Stopped


def _past(folder: Path) -> Past | None:
    try:
        decides = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        of, asker = decides["set"], decides["asker"]
        return Past(folder.name, of["name"], of["questions"], asker.get("generation", ""), *_finished(folder))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _finished(folder: Path) -> Iterator[Any]:
    """When it was finished, and its figures; empty ones while it is not."""
    try:
        overall = json.loads((folder / "summary.json").read_text(encoding="utf-8"))["overall"]
        finished = json.loads((folder / "timings.json").read_text(encoding="utf-8"))["finished"]
        return iter((finished, {name: (e["value"], e["low"], e["high"]) for name, e in overall.items()}))
    except (OSError, ValueError, KeyError):
        return iter(("", {}))
