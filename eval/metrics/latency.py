"""Latency: percentiles of milliseconds, linear interpolation between the two nearest (numpy's default)."""

from collections.abc import Mapping, Sequence

import numpy as np

LEVELS = (50, 90, 95, 99)


def percentiles(milliseconds: Sequence[float]) -> Mapping[str, float]:
    """p50, p90, p95, p99 and the longest, rounded to microseconds; empty for no measurements."""
    if not milliseconds:
        return {}
    found = np.percentile(milliseconds, (*LEVELS, 100))
    return {name: round(float(v), 3) for name, v in zip([*(f"p{n}" for n in LEVELS), "max"], found, strict=True)}
