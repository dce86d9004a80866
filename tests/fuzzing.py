"""Fuzzing of everything that takes what strangers send: `python fuzzing.py FOLDER RUNS [TARGET …]`.

Each target of fuzz_targets.py runs in a fork of its own: led by the code it reaches where atheris (libFuzzer) is installed,
else by chance.
"""

import json
import os
import random
import signal
import sys
import traceback
from contextlib import nullcontext
from pathlib import Path

try:
    import atheris
except ImportError:
    atheris = None

with atheris.instrument_imports(include=["rag", "ui", "markupsafe"]) if atheris else nullcontext():
    from fuzz_targets import TARGETS, prepare, seeds
    from test_hostile_formats import mutated


def led(name: str, runs: int, folder: Path, corpus: Path) -> None:
    """Runs a target with what reaches new code, and ends the process."""
    options = [f"-runs={runs}", "-timeout=30", "-rss_limit_mb=4096", "-max_len=4000", "-seed=1", "-verbosity=0", f"-artifact_prefix={folder}/{name}-"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], TARGETS[name])
    atheris.Fuzz()


def drawn(name: str, runs: int) -> None:
    """Runs a target with changed copies of its seeds, and ends the process."""
    draw, given, code = random.Random(1), list(seeds(name)), 0
    for number in range(runs):
        data = given[number] if number < len(given) else mutated(draw, draw.choice(given))
        signal.alarm(30)
        try:
            TARGETS[name](data)
        except BaseException:
            sys.stderr.write(f"{name}: {data!r}\n{traceback.format_exc()}")
            code = 1
            break
    os._exit(code)


def main(folder: Path, runs: int, names: list[str]) -> int:
    """Runs the targets one after another; what went wrong is on standard error, with the input. Exit code 1 then."""
    prepare(folder)
    bad = 0
    for name in names or TARGETS:
        corpus = folder / f"corpus{name}"
        corpus.mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(seeds(name)):
            (corpus / f"seed-{number}").write_bytes(seed)
        if not (pid := os.fork()):
            os.chdir(corpus.parent)
            led(name, runs, folder, corpus) if atheris else drawn(name, runs)
        status = os.waitpid(pid, 0)[1]
        found = len(list(corpus.iterdir()))
        sys.stdout.write(json.dumps({"target": name, "status": status, "corpus": found, "led": atheris is not None}) + "\n")
        sys.stdout.flush()
        bad |= status != 0
    return bad


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).absolute(), int(sys.argv[2]), sys.argv[3:]))
