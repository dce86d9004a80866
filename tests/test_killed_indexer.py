"""SIGKILL of the indexer at random moments: the next start serves one of the two generations, whole."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

from index_fakes import memory_folder
from office_files import docx_of
from torture import amount, figure

from rag.config import Settings
from rag.index import Index, check
from rag.pipeline import Pipeline, build_index

ROOT = Path(__file__).parents[1]
ROUNDS = amount(200, 2_000)
Ask = Callable[..., dict]


def edition(folder: Path, number: int) -> None:
    """Three notices, one of them a docx, that the reading process reads; all name telephone numbers of this edition."""
    folder.mkdir(exist_ok=True)
    for name, unit in (("a", "青川市民政局"), ("b", "白水县教育局"), ("c", "南溪区卫生健康局")):
        lines = (f"{unit}关于做好春节期间值班工作的通知", "", "各科室：", "一、值班要求", "春节期间实行24小时值班。", "二、联系方式",
                 f"春节期间值班电话：0839-33{number:02d}{ord(name):03d}。", "", unit, "2023年1月10日")
        if name == "c":
            (folder / "c.docx").write_bytes(_docx(lines))
        else:
            (folder / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


_docx = cache(docx_of)
"""The same bytes each time: a zip file holds the time at which it was made."""


@contextmanager
def indexer(home: Path, docs: Path) -> Iterator[Ask]:
    """The process of killed_indexer.py."""
    tests = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tests}", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, str(tests / "killed_indexer.py"), str(home), str(docs)]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=docs.parent) as process:
        def ask(job: str, **more: float) -> dict:
            process.stdin.write(json.dumps({"do": job, **more}) + "\n")
            process.stdin.flush()
            result = json.loads(process.stdout.readline())
            assert "error" not in result, result.get("error")
            return result

        yield ask
        process.stdin.close()


def test_a_killed_indexer_leaves_an_index_that_serves_one_of_the_two_generations() -> None:
    draw, outcomes, slowest = random.Random(17), {"old": 0, "new": 0, "done before it was killed": 0}, 0.0
    with memory_folder() as place, indexer(place / "home", place / "docs") as ask:
        known: dict[str, str] = {}
        lasted = 0.0
        generations = []
        for number in (0, 1):
            edition(place / "docs", number)
            result = ask("index")
            lasted = max(lasted, result["seconds"])
            served = ask("serve")
            assert served["generation"] == result["generation"] and not served["fallback"]
            known[served["generation"]] = served["answers"]
            generations.append(served["generation"])
        assert len(set(known.values())) == 2, "the canary questions must tell the two apart"
        now = 1
        for round_ in range(ROUNDS):
            edition(place / "docs", 1 - now)
            # half of the moments over all that it does, half over its end, where it publishes
            at = draw.random() * 1.1 if round_ % 2 else 0.5 + draw.random() * 0.6
            killed = ask("index", seconds=at * lasted)
            began = time.monotonic()
            served = ask("serve")
            slowest = max(slowest, time.monotonic() - began)
            assert not served["fallback"] and known[served["generation"]] == served["answers"]
            moved = served["generation"] == generations[1 - now]
            assert moved or "killed" in killed, "what was reported as done must be there"
            outcomes["old" if not moved else "new" if "killed" in killed else "done before it was killed"] += 1
            now = 1 - now if moved else now
        ask("index")
        assert ask("check")["problems"] == []
        left = {path.name for path in (place / "home" / "index").iterdir()}
        assert left <= {"CURRENT", "generations", "lock", "seen"}
        assert len(list((place / "home" / "index" / "generations").iterdir())) <= 2
    figure(f"SIGKILL of the indexer: {ROUNDS} rounds, {outcomes}, slowest next start {slowest:.2f} s")
    assert slowest < 10
    assert outcomes["old"] >= ROUNDS // 20 and outcomes["new"] + outcomes["done before it was killed"] >= ROUNDS // 20


def test_the_command_itself_killed_with_the_real_model(tmp_path: Path, settings: Settings, embedder) -> None:
    draw, own = random.Random(3), replace(settings, home=tmp_path / "home")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "models").symlink_to((settings.home / "models").resolve())
    edition(tmp_path / "docs", 0)
    build_index(own, [tmp_path / "docs"], embedder=embedder)
    generations = {Index.open(own.index).generation}
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "WENJU_HOME": str(own.home)}
    command = [sys.executable, "-m", "ui.cli", "index", str(tmp_path / "docs")]
    for number in range(1, 1 + amount(3, 30)):
        edition(tmp_path / "docs", number % 90)
        folder = own.index / "generations"
        before = {path.name for path in folder.iterdir()}
        with subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            while process.poll() is None and {path.name for path in folder.iterdir()} <= before:
                time.sleep(0.005)  # until it has begun to write
            time.sleep(draw.random() * 0.6)
            process.send_signal(signal.SIGKILL)
        index = Index.open(own.index)
        answer = Pipeline(own, index, embedder).ask("春节期间值班电话是多少？")
        editions = {n for n in range(90) if f"0839-33{n:02d}097" in answer.answer}
        assert index.fallback is None and answer.status == "answered" and len(editions) == 1
        generations.add(index.generation)
    build_index(own, [tmp_path / "docs"], embedder=embedder)
    assert check(own.index, embedder) == []
