"""Reads risky formats in a process of its own: one that crashes, hangs or eats the memory harms one file only.

The process is started once and serves many files. See `child` for what runs in it.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from rag.errors import DocumentError, Scanned
from rag.loading import frames
from rag.loading.content import Content, content_from_json

MEMORY = 512 << 20
SECONDS = 20
IDLE = 45
"""Seconds without work after which a process is not used again; it ends by itself a little later."""
_MANY = 500
"""Files after which a process is replaced, whatever its parsers may have left behind."""
_BROKEN = (OSError, EOFError, ValueError, KeyError, TypeError)


class _Killed(DocumentError):
    """The reading process was killed by somebody else: an administrator, or a kernel short of memory."""


class Sandbox:
    """A reading process and the way to talk to it. Thread-safe: one file at a time."""

    def __init__(self, memory: int = MEMORY, seconds: int = SECONDS) -> None:
        """memory: bytes of address space. seconds: for one file, of the processor and of the clock."""
        self._memory, self._seconds = memory, seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._served, self._last = 0, 0.0
        self._lock = threading.Lock()

    def read(self, suffix: str, data: bytes, name: str) -> Content:
        """The document in `data`, a file called `name`. Raises DocumentError."""
        def take(header: dict[str, Any], payload: bytes) -> Content:
            return content_from_json(json.loads(payload.decode("utf-8", "surrogatepass")))

        try:
            return self._ask({"suffix": suffix, "name": name}, data, take)
        except _Killed:  # not by the file, or it will be again
            return self._ask({"suffix": suffix, "name": name}, data, take)

    def unpack(self, data: bytes, name: str, most: int, take: Callable[[str, bytes, DocumentError | None], None]) -> None:
        """Gives every member of an archive to `take`: its path, and its bytes or why they are refused.

        most: bytes in one member. Raises DocumentError for an archive that is refused as a whole.
        """
        def each(header: dict[str, Any], payload: bytes) -> bool:
            if "member" in header:
                refusal = header["refusal"]
                take(str(header["member"]), payload, DocumentError(*map(str, refusal)) if refusal else None)
            return "end" in header

        self._ask({"suffix": ".zip", "name": name, "most": most}, data, each)

    def close(self) -> None:
        """Ends the process; the next file starts another."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None and not pipe.closed:
                    with suppress(OSError):  # what was still buffered cannot be written any more
                        pipe.close()
            process.wait()

    # ------------------------------------------------------------ talking

    def _ask(self, request: dict[str, Any], data: bytes, take: Callable[[dict[str, Any], bytes], Any]) -> Any:
        """Sends a request and gives each frame of the answer to `take`, until it gives something true."""
        with self._lock:
            process, late = self._running(), threading.Event()
            timer = threading.Timer(self._seconds, lambda: (late.set(), process.kill()))
            timer.start()
            whole = False
            try:
                frames.send(process.stdin, request, data)
                while True:
                    header, payload = frames.receive(process.stdout)
                    if "error" in header:
                        whole = "last" not in header
                        kind = Scanned if header.get("scanned") is True else DocumentError
                        message, hint = header["error"]
                        raise kind(str(message), str(hint))
                    if result := take(header, payload):
                        whole = True
                        return result
            except _BROKEN as error:
                raise self._lost(request["name"], late.is_set()) from error
            finally:
                timer.cancel()
                if late.is_set() or not whole:
                    self.close()
                self._last = time.monotonic()

    def _running(self) -> "subprocess.Popen[bytes]":
        if self._served >= _MANY or time.monotonic() - self._last > IDLE:
            self.close()
        if self._process is None:
            self._process, self._served = _started(self._memory, self._seconds), 0
        self._served += 1
        return self._process

    def _lost(self, name: str, late: bool) -> DocumentError:
        """Why no answer came."""
        code = None
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):  # when a process ends, its pipes are closed a little before
                code = self._process.wait(1)
        self.close()
        if late or code == -signal.SIGXCPU:
            return DocumentError(f"读“{name}”超过 {self._seconds} 秒，已放弃。", "文件可能有问题；若无误，请拆分后再试。")
        kind = _Killed if code == -signal.SIGKILL else DocumentError
        return kind(f"读“{name}”的进程异常退出，文件可能已损坏，或要用的内存过多。", "请用办公软件打开它，确认无误后另存再试。")


def _started(memory: int, seconds: int) -> "subprocess.Popen[bytes]":
    package = str(Path(__file__).parents[2])
    command = [sys.executable, "-P", "-B", "-m", "rag.loading.child", str(memory), str(seconds)]
    environment = {"PATH": os.defpath, "PYTHONPATH": package, "LANG": "C.UTF-8"}
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, cwd="/")
