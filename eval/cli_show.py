"""What the commands say: progress on standard error, one JSON document on standard output."""

import json
import sys

from eval.runs import Progress


def show(progress: Progress) -> None:
    """A line that is written over on a terminal; elsewhere every fifth question."""
    if progress.done < progress.total and progress.done % 5 and not sys.stderr.isatty():
        return
    left = "" if progress.left is None else f"，还需约 {progress.left:.0f} 秒"
    end = "\n" if progress.done == progress.total or not sys.stderr.isatty() else ""
    print(f"\r评测 {progress.done}/{progress.total} 题{left}    ", end=end, file=sys.stderr, flush=True)


def print_json(value: object) -> None:
    """The one document."""
    print(json.dumps(value, ensure_ascii=False))
