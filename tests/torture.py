"""How much the tests that count do: what fits into CI, or a share of their long form with `make torture`.

`WENJU_TORTURE` is that share: 1 is the whole long form, 0.05 a twentieth of it; unset, CI's number.
"""

import os

SHARE = float(os.environ.get("WENJU_TORTURE", "0"))
FIGURES: list[str] = []
"""What was counted and measured; `make torture` prints it at the end (conftest.py)."""


def amount(quick: int, long: int) -> int:
    """How many: `quick` in CI, else the share of `long`, never fewer than in CI."""
    return max(quick, round(long * SHARE))


def figure(text: str) -> None:
    """A line for the summary."""
    FIGURES.append(text)
