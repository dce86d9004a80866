"""A progress bar on standard error: files done, passages, rate and time left."""

import time
from typing import TYPE_CHECKING, Self

from tqdm import tqdm

if TYPE_CHECKING:
    from rag.index import Progress

_STAGES = {"scan": "查看文件", "build": "编入文件", "publish": "写入索引"}
_FORMAT = "{desc} {n_fmt}/{total_fmt} 份 |{bar}| {elapsed}{postfix}"
_SURE = 3.0
"""Seconds of work before it is said how much is left."""


class Bar:
    """Shows what `build_index` reports; silent when standard error is not a terminal."""

    def __init__(self) -> None:
        self._bar: tqdm = tqdm(unit="份", disable=None, leave=False, bar_format=_FORMAT)
        self._stage, self._began = "", 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def update(self, progress: "Progress") -> None:
        """Takes one step of the work."""
        if progress.stage != self._stage or progress.done < self._bar.n:
            self._stage, self._began = progress.stage, time.monotonic()
            self._bar.reset(progress.total)
            self._bar.set_description(_STAGES[progress.stage])
        self._bar.set_postfix_str(told(progress, time.monotonic() - self._began), refresh=False)
        self._bar.update(progress.done - self._bar.n)


def told(progress: "Progress", seconds: float) -> str:
    """Passages, rate and time left after so many seconds of a stage."""
    if not progress.passages:
        return ""
    rate, left = pace(progress, seconds)
    parts = [f"段落 {progress.passages}"]
    if rate is not None:
        parts.append(f"{rate:.0f} 段/秒")
    if left is not None:
        parts.append(f"约剩 {tqdm.format_interval(int(left) + 1)}")
    return "，".join(parts)


def pace(progress: "Progress", seconds: float) -> tuple[float | None, float | None]:
    """Passages a second, and seconds left, after so many seconds of a stage; None while neither can be told.

    The rate is that of passages computed; the time left follows from the bytes of new and changed files read so far,
    since how many passages the others hold is known only when they have been read.
    """
    if not progress.passages or seconds < _SURE:
        return None, None
    reading = 0 < progress.read_bytes < progress.to_read_bytes
    left = seconds * (progress.to_read_bytes - progress.read_bytes) / progress.read_bytes if reading else None
    return progress.embedded / seconds if progress.embedded else None, left
