"""Takes up new generations of the index while the service runs, and keeps an eye on what answering needs.

One thread looks at what CURRENT names. A new generation is opened there, off the path of every request, and then put in
the old one's place by one assignment; requests that run keep the old one alive until the last of them is done.
It also asks the vector server, where there is one, for a sign of life.
Between two looks it reads a piece of what opening a large index took on trust; is that damaged, the generation before it
is served.
"""

import logging
import threading
from typing import TYPE_CHECKING

from rag.errors import WenjuError

if TYPE_CHECKING:
    from ui.api.service import Service

SECONDS = 1.0
"""Between two looks; one look reads a file of one line."""
_PATIENCE = 30
"""Looks until a generation that could not be opened is tried again."""
_log = logging.getLogger("wenju")


class Follower:
    """Keeps `service.pipeline` on the current generation between `start` and `stop`."""

    def __init__(self, service: "Service", seconds: float = SECONDS) -> None:
        self.seconds = seconds
        self._service = service
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._refused, self._waits = "", 0
        self._proved, self._proof = "", iter(())

    def start(self) -> None:
        """Begins to look."""
        self._stopped.clear()
        self._thread = threading.Thread(target=self._run, name="wenju-follower", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends looking; does not wait for a generation that is being opened."""
        self._stopped.set()

    def look(self) -> bool:
        """Looks once; whether a new generation was taken up. One that cannot be opened leaves the old one in place."""
        served, now = self._service.pipeline, self._service.pipeline.published()
        if now in ("", served.generation):
            return False
        if now == self._refused and self._waits:
            self._waits -= 1
            return False
        try:
            self._service.pipeline = served.renewed()
        except (WenjuError, OSError, MemoryError) as error:
            _log.error("新版本 %s 打不开：%s", now, error)
        taken = self._service.pipeline.generation
        if taken != now:  # damaged, or already replaced again: the next look tells
            self._refused, self._waits = now, _PATIENCE
        _log.info("现在用的是版本 %s", taken)
        return taken != served.generation

    def prove(self) -> bool:
        """Reads a piece more of what was taken on trust; whether it was bad and another generation has taken over.

        Raises what opening another generation raises; what is served then goes on being served.
        """
        served = self._service.pipeline
        if served.generation != self._proved:
            self._proved, self._proof = served.generation, served.proving()
        try:
            next(self._proof, None)
            return False
        except WenjuError as error:
            _log.error("正在使用的版本 %s 已损坏：%s", served.generation, error)
        self._service.pipeline = served.renewed(thorough=True)
        return True

    def _ask_engine(self) -> None:
        """Notes, and logs when it changes, whether the vector server is there."""
        before, now = self._service.trouble, self._service.pipeline.trouble()
        self._service.trouble = now
        if now != before:
            _log.error("不能作答：%s", now) if now else _log.info("又能作答了")

    def _run(self) -> None:
        while not self._stopped.wait(self.seconds):
            try:
                self.look()
                self.prove()
                self._ask_engine()
            except Exception:  # the thread must outlive whatever a broken disk makes of a look
                _log.exception("查看索引时出错")
