"""Waits for files to change: looks again and again, and lets a change settle before it counts."""

import threading
from collections.abc import Sequence
from pathlib import Path

from rag.index.scan import Anchor, absolute, walk

SECONDS = 1.0
"""Between two looks. What looks the same twice has settled."""


class Watcher:
    """Follows files and folders by size, time stamp and inode, which works on network drives too."""

    def __init__(self, paths: Sequence[Path], skip: Path, stopped: threading.Event, seconds: float = SECONDS) -> None:
        """skip: the index's own folder. stopped: set from elsewhere to end the waiting."""
        self._paths, self._skip, self._stopped, self._seconds = [absolute(p) for p in paths], absolute(skip), stopped, seconds
        self._handled: dict | None = None
        self._first = True

    def changed(self) -> bool:
        """Waits until something differs from what was handled last; False when it was told to stop. True at once at first."""
        before = None
        while not self._stopped.is_set():
            now = self._state()
            if self._first or (now == before and now != self._handled):
                self._handled, self._first = now, False
                return True
            before = now
            self._stopped.wait(self._seconds)
        return False

    def retry(self) -> None:
        """What was handled last has failed: it counts as a change again."""
        self._handled = None

    def _state(self) -> dict:
        anchor = Anchor(Path("/"))
        files = (file for path in self._paths if path.exists() for file in walk(path, anchor, self._skip))
        return {file.key: (file.size, file.mtime_ns, file.inode, file.error, file.sidecar) for file in files}
