"""Proves a generation of unknown origin in a child process: a parser that dies or eats the memory dies alone."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

from rag.errors import WenjuError

_SECONDS = 600
_MEMORY = 4 << 30
"""Beyond three times the size of the generation, which is mapped and partly read."""


def try_in_child(folder: Path, digest: str) -> list[str]:
    """What is wrong with the generation in `folder`, as `check` tells it; also that the child did not survive it."""
    package = str(Path(__file__).parents[2])
    command = [sys.executable, "-m", "rag.index.trial", str(folder.absolute()), digest]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([package, *filter(None, [os.environ.get("PYTHONPATH")])])}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, timeout=_SECONDS, check=False)
        problems = json.loads(done.stdout) if done.returncode == 0 else None
    except (subprocess.TimeoutExpired, ValueError):
        problems = None
    return ["检验它的进程没有正常结束"] if problems is None else [str(problem) for problem in problems]


def try_here(folder: Path, digest: str) -> list[str]:
    """The same in this process."""
    from rag.index.check import prove
    from rag.index.generation import Index

    try:
        return prove(Index(folder, digest))
    except WenjuError as error:
        return [error.message]


def _limit(folder: Path) -> None:
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY + 3 * size, _MEMORY + 3 * size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    _limit(Path(sys.argv[1]))
    sys.stdout.write(json.dumps(try_here(Path(sys.argv[1]), sys.argv[2])))
