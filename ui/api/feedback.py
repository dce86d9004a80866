"""Readers' feedback: one JSON line for each, appended, never rewritten, up to a size the disk can bear."""

import datetime as dt
import json
import os
import secrets
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LIMIT_BYTES = 64 * 1024 * 1024


class FeedbackFull(Exception):
    """The file has reached its limit and waits for the administrator to move it away."""


class FeedbackBook:
    """Appends to one JSONL file. Safe for threads and for processes (each line is one O_APPEND write)."""

    def __init__(self, path: Path, limit: int = LIMIT_BYTES) -> None:
        self._path, self._limit = path, limit
        self._lock = threading.Lock()

    def add(self, entry: Mapping[str, Any]) -> str:
        """Writes the entry with an id and the time (UTC), waits for the disk, returns the id.

        Raises FeedbackFull past the limit, OSError when the disk refuses.
        """
        number = secrets.token_hex(8)
        now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        line = json.dumps({"id": number, "at": now, **entry}, ensure_ascii=False).encode() + b"\n"
        with self._lock:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                if os.fstat(handle).st_size + len(line) > self._limit:
                    raise FeedbackFull
                if os.write(handle, line) != len(line):
                    raise OSError("short write")
                os.fsync(handle)
            finally:
                os.close(handle)
        return number
