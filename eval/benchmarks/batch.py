"""`python -m eval.benchmarks.batch SET`: a run of a set against asking it one question after the other over HTTP.

A real server on loopback and one client that keeps its connection; the same index, settings and questions. The two take
turns, a slice of the set each, so that what else the machine does falls on both. What the run's processes take to start
is counted; the server's start is not.
"""

import argparse
import http.client
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from eval.asking import AHEAD
from eval.crew import Crew, hands
from eval.runs import run
from eval.sets import EvalItem, find_set, load_set
from rag.config import load_settings
from rag.pipeline import Pipeline

_PATIENCE = 300


def opened() -> Pipeline:
    """What is asked: the current index."""
    return Pipeline.open(load_settings())


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the seconds of both and their ratio."""
    parser = argparse.ArgumentParser(prog="python -m eval.benchmarks.batch", description="成批评测比经 HTTP 逐题提问快几倍。")
    parser.add_argument("set", metavar="SET", help="评测集的路径或名字；索引须已建好")
    parser.add_argument("--limit", type=int, metavar="N", help="只问前 N 题")
    given = parser.parse_args(arguments)
    asker = opened()
    whole = load_set(find_set(given.set), asker.text_of)
    items = [item for item in whole.items if not item.filters][: given.limit]
    singly = together = 0.0
    jobs = hands(len(items))
    size = AHEAD * jobs  # two windows for each process
    with _server() as port, tempfile.TemporaryDirectory() as folder, Crew(opened, jobs) as crew:
        for number, start in enumerate(range(0, len(items), size)):
            part = items[start : start + size]
            began = time.perf_counter()
            run(replace(whole, items=tuple(part)), asker, Path(folder) / str(number), crew=crew)
            together += time.perf_counter() - began
            singly += _asked_over_http(port, part)
            sys.stderr.write(f"{start + len(part)}/{len(items)} 题：逐题 {singly:.0f} 秒，成批 {together:.0f} 秒\n")
    sys.stdout.write(f"{len(items)} 题，{jobs} 个进程：逐题经 HTTP {1000 * singly / len(items):.1f} 毫秒一题，"
                     f"成批 {1000 * together / len(items):.1f} 毫秒一题，快 {singly / together:.1f} 倍。\n")  # fmt: skip


def _asked_over_http(port: int, items: Sequence[EvalItem]) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    began = time.perf_counter()
    for item in items:
        body = json.dumps({"question": item.question, "history": item.history})
        connection.request("POST", "/api/v1/ask", body, {"content-type": "application/json"})
        response = connection.getresponse()
        answer = response.read()
        if response.status != 200:
            raise RuntimeError(f"{response.status} {answer[:300]!r}")
    return time.perf_counter() - began


@contextmanager
def _server() -> Iterator[int]:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = [sys.executable, "-m", "ui.cli", "serve", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        _await(port, process)
        yield port
    finally:
        process.terminate()
        process.wait()


def _await(port: int, process: subprocess.Popen) -> None:
    for _ in range(10 * _PATIENCE):
        if process.poll() is not None:
            raise RuntimeError("the server did not start")
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise RuntimeError("the server did not become ready")


if __name__ == "__main__":
    main()
