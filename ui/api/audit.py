"""Who asked what, when, and which documents the answer cited: one JSON line for each, appended, never rewritten.

One file a day (UTC) in `$WENJU_HOME/audit/`, so that keeping entries for so many days is removing whole files. Only
people with access to the machine and administrators (`ui.api.administration`) read it.
"""

import csv
import datetime as dt
import json
import logging
import os
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

from rag.errors import WenjuError

_FILE = re.compile(r"(\d{4}-\d{2}-\d{2})\.jsonl")
_log = logging.getLogger("wenju")
_FORMULA = re.compile(r"^[\s]*[=+\-@]|^[\t\r\n|]")


class AuditError(WenjuError):
    """The entry could not be written; then there is no answer either."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing a person did. kind: "ask", "search", "read" or "admin" (then `question` says what an administrator did).
    documents: ids that the answer cited, that were shown, or that were worked on.

    status: that of the answer; "stopped" when the reader left before it was whole. request: the id in X-Request-Id.
    ms: how long the answer took, in milliseconds.
    """

    who: str
    door: str
    kind: str
    question: str
    status: str = "stopped"
    documents: tuple[str, ...] = ()
    generation: str = ""
    request: str = ""
    at: str = ""
    ms: float = 0.0


class AuditLog:
    """Appends entries. Safe for threads and for processes (each line is one O_APPEND write).

    days: how long entries are kept. sync: whether `add` waits for the disk. strict: whether what cannot be written down may
    not be done either. now: the clock, in UTC.
    """

    def __init__(
        self, folder: Path, days: int, sync: bool = True, strict: bool = True,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._folder, self._days, self._sync, self._strict, self._now = folder, days, sync, strict, now
        self._lock = threading.Lock()
        self._day: dt.date | None = None

    def add(self, entry: Entry) -> None:
        """Writes the entry with the time. Raises AuditError when the disk does not take it and the log is strict."""
        now = self._now()
        line = json.dumps({**asdict(entry), "at": now.isoformat(timespec="milliseconds")}, ensure_ascii=False).encode() + b"\n"
        try:
            with self._lock:
                new = self._day != now.date()
                if new:
                    self._begin(now.date())
                self._append(self._folder / f"{now.date()}.jsonl", line, new)
        except OSError as error:
            if not self._strict:
                return _log.warning("审计日志写不进去：%s", error.strerror)
            raise AuditError("审计日志写不进去，所以不能作答。", "请管理员检查磁盘空间和权限。") from error

    def _begin(self, day: dt.date) -> None:
        """A new day: the folder is there, and what is older than it should be is gone.

        Its age is that on the last day before this one with an entry: a clock that leaps ahead deletes nothing.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        kept: dict[dt.date, Path] = {}
        for path in self._folder.iterdir():
            with suppress(ValueError):  # 2026-02-31.jsonl is not ours
                if found := _FILE.fullmatch(path.name):
                    kept[dt.date.fromisoformat(found[1])] = path
        last = max((other for other in kept if other < day), default=day)
        for old in (other for other in kept if (last - other).days > self._days):
            kept[old].unlink(missing_ok=True)
        self._day = day

    def _append(self, path: Path, line: bytes, new: bool) -> None:
        handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(handle).st_size
            if new and size and os.pread(handle, 1, size - 1) != b"\n":  # a power failure tore the last line
                line = b"\n" + line
            if os.write(handle, line) != len(line):
                raise OSError("short write")
            if self._sync:
                os.fsync(handle)
        finally:
            os.close(handle)
        if new and self._sync:
            folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def entries(folder: Path, since: dt.date | None = None, until: dt.date | None = None) -> Iterator[Entry]:
    """Entries of these days (both included), oldest first. A line that a power failure tore is passed over."""
    for path in _days(folder, since, until):
        yield from _of(path)


def newest(folder: Path, since: dt.date | None = None, until: dt.date | None = None) -> Iterator[Entry]:
    """The same, newest first, one day in memory at a time."""
    for path in reversed(_days(folder, since, until)):
        yield from reversed(list(_of(path)))


def _days(folder: Path, since: dt.date | None, until: dt.date | None) -> list[Path]:
    named = [(found[1], path) for path in (folder.glob("*.jsonl") if folder.is_dir() else ()) if (found := _FILE.fullmatch(path.name))]
    return sorted(path for day, path in named
                  if (not since or day >= since.isoformat()) and (not until or day <= until.isoformat()))


def _of(path: Path) -> Iterator[Entry]:
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            with suppress(ValueError, TypeError, KeyError):
                value = json.loads(line)
                yield Entry(**{**value, "documents": tuple(value["documents"])})


def export(rows: Iterator[Entry] | Sequence[Entry], file: TextIO) -> int:
    """Writes entries as CSV that spreadsheets take for text only; returns how many."""
    names = ("at", "who", "door", "kind", "question", "status", "documents", "generation", "request", "ms")
    writer, count = csv.writer(file), 0
    writer.writerow(("时间（UTC）", "用户", "入口", "操作", "问题", "结果", "引用的文件", "索引版本", "请求编号", "耗时（毫秒）"))
    for entry in rows:
        values = asdict(entry) | {"documents": " ".join(entry.documents), "ms": f"{entry.ms:.0f}"}
        writer.writerow([plain(values[name]) for name in names])
        count += 1
    return count


def plain(value: str) -> str:
    """The value with an apostrophe before it if a spreadsheet would take it for a formula (OWASP, CSV injection)."""
    return f"'{value}" if _FORMULA.match(value) else value
