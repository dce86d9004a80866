"""Fuzzing of parsers, questions, filters, headers, tokens, names, sidecars, index files and all that is shown.

The targets and what must hold of each are in fuzz_targets.py. In CI a little of it, by chance; `make torture` goes on for longer,
led by the code that is reached.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from torture import amount, figure

RUNS = amount(400, 100_000)
TESTS = Path(__file__).parent


def test_nothing_that_is_made_of_what_was_reached_raises_what_it_should_not(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": f"{TESTS.parent}{os.pathsep}{TESTS}"}
    done = subprocess.run([sys.executable, str(TESTS / "fuzzing.py"), str(tmp_path), str(RUNS)], env=environment, cwd=tmp_path,
                          capture_output=True, text=True, errors="replace", check=False)
    seen = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"target"')]
    wrong = {one["target"] for one in seen if one["status"]}
    assert done.returncode == 0 and not wrong, f"{wrong}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    grown = {one["target"]: one["corpus"] for one in seen}
    assert len(grown) == 17
    if led := all(one["led"] for one in seen):
        assert sum(count > 3 for count in grown.values()) > 10, "what reaches new code is kept"
    figure(f"fuzzing{', led by what it reaches' if led else ''}: {RUNS} runs of each of {len(grown)} targets, corpus {grown}: "
           "nothing raised that should not be")
