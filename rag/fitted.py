"""The two small linear models, as fitted by `python -m eval.fit`: numbers only, kept in fitted.json."""

import json
from functools import cache
from pathlib import Path

import numpy as np


@cache
def weights(model: str, language: str) -> np.ndarray:
    """Weights of `model` ("ranking" or "gate") for questions in `language` ("zh" or "other"); float64, read-only."""
    values = json.loads(Path(__file__).with_name("fitted.json").read_text(encoding="utf-8"))
    out = np.array(values[model][language], np.float64)
    out.flags.writeable = False
    return out
