"""Files of a run: whole lines that survive a kill, and files that are either old or new."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

FLUSH_EVERY = 20


def write_whole(path: Path, text: str) -> None:
    """Replaces a file in one step; UTF-8, line ends as given."""
    draft = path.with_name(path.name + ".part")
    with draft.open("w", encoding="utf-8", newline="") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    draft.replace(path)


def write_json(path: Path, value: Any) -> None:
    """Writes indented JSON in one step."""
    write_whole(path, json.dumps(value, ensure_ascii=False, indent=1) + "\n")


def whole_lines(path: Path) -> list[str]:
    """The lines that end with a line end, without it; what a kill left of another one is not among them.

    Raises UnicodeDecodeError (a ValueError) for a damaged file.
    """
    raw = path.read_bytes() if path.exists() else b""
    return raw[: raw.rfind(b"\n") + 1].decode("utf-8").split("\n")[:-1]


class Lines:
    """Appends lines to a file and makes them durable every `FLUSH_EVERY` of them and at the end."""

    def __init__(self, path: Path, keep: Iterable[str]) -> None:
        """keep: lines the file is to begin with; what else it held goes."""
        write_whole(path, "".join(f"{line}\n" for line in keep))
        self._out = path.open("a", encoding="utf-8", newline="")
        self._waiting = 0

    def add(self, line: str) -> None:
        """Appends one line (with its line end)."""
        self._out.write(line)
        self._waiting += 1
        if self._waiting >= FLUSH_EVERY:
            self._sync()

    def _sync(self) -> None:
        self._out.flush()
        os.fsync(self._out.fileno())
        self._waiting = 0

    def __enter__(self) -> "Lines":
        return self

    def __exit__(self, *_: object) -> None:
        self._sync()
        self._out.close()
