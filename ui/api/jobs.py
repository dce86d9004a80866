"""Work on the index that an administrator starts: one piece at a time, in a thread of its own, and how far it is."""

import datetime as dt
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from rag.config import Settings
from rag.errors import IndexBusy, WenjuError
from rag.files import locked, make_folders
from rag.index import Progress, Purged, Report
from rag.index.publish import lock_path
from ui.progress import pace

_log = logging.getLogger("wenju")
What = Literal["", "index", "withdraw", "purge", "correct", "check"]
Outcome = Report | Purged | tuple[str, ...]
"""What came of it: of a check, what is wrong."""
Tell = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Job:
    """What is going on, or what went on last. began: ISO 8601, UTC. seconds: since then, or in all.

    rate: passages computed a second; left: seconds; None while neither can be told.
    """

    state: Literal["idle", "running", "done", "failed"] = "idle"
    what: What = ""
    who: str = ""
    began: str = ""
    seconds: float = 0.0
    progress: Progress | None = None
    rate: float | None = None
    left: float | None = None
    outcome: Outcome | None = None
    error: str = ""


class Jobs:
    """The one piece of work of a service."""

    def __init__(self, settings: Callable[[], Settings], ended: Callable[[Job], None]) -> None:
        """ended: called in the thread, before anybody is told that the work is over."""
        self._settings, self._ended = settings, ended
        self._lock = threading.Lock()
        self.now = Job()

    def start(self, what: What, who: str, work: Callable[[Tell], Outcome]) -> Job:
        """Begins. Raises IndexBusy while anybody, of this service or not, works on the index."""
        with self._lock:
            if self.now.state == "running":
                raise IndexBusy("索引正在更新。", "请等它完成后再试。")
            folder = self._settings().index
            make_folders(folder)
            with locked(lock_path(folder)):
                pass  # somebody else's work is told now, rather than after ours has begun
            began = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
            self.now = job = Job("running", what, who, began)
        threading.Thread(target=self._work, args=(job, work), name="wenju-job", daemon=True).start()
        return job

    def _work(self, job: Job, work: Callable[[Tell], Outcome]) -> None:
        started, stage, since = time.monotonic(), "", time.monotonic()

        def tell(progress: Progress) -> None:
            nonlocal stage, since
            now = time.monotonic()
            if progress.stage != stage:
                stage, since = progress.stage, now
            rate, left = pace(progress, now - since)
            self.now = replace(job, seconds=now - started, progress=progress, rate=rate, left=left)

        try:
            done = replace(job, state="done", outcome=work(tell))
        except (WenjuError, OSError) as error:
            said = str(error) if isinstance(error, WenjuError) else f"系统错误：{error.strerror}。请检查磁盘后再试。"
            done = replace(job, state="failed", error=said)
        except Exception as error:
            _log.exception("管理操作出错")
            done = replace(job, state="failed", error=f"程序出错：{type(error).__name__}。请查看服务的日志。")
        done = replace(done, seconds=round(time.monotonic() - started, 1))
        try:
            self._ended(done)
        except (WenjuError, OSError):
            _log.exception("审计日志写不进去")
        self.now = done
