"""The same job with txtai, Haystack and LlamaIndex: each in a process of its own, told in turns what to do.

As a program (`python -m eval.benchmarks.peers NAME …`) it is such a process: it reads one command a line, "index" or
"ask QUESTION", and answers each with the seconds it took; at the end of the commands with its peak memory.
"""

import json
import logging
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from eval.benchmarks.measure import Family, figure
from eval.benchmarks.parts import Parts
from eval.peers.base import Model, Peer, Source
from rag.config import DEFAULT_EMBEDDER, load_settings

_PEERS = {"txtai": ("txtai", "txtai"), "haystack": ("haystack", "haystack-ai"), "llamaindex": ("llama_index", "llama-index-core")}
"""Module and package of each."""


def beside_peers(parts: Parts, docs: Path, rounds: int = 3) -> Family:
    """Asking (finding the best passages), indexing and peak memory of the best of the peers ÷ those of Wenju."""
    from importlib.util import find_spec

    present = [name for name, (module, _) in _PEERS.items() if find_spec(module)]
    missing = [package for name, (_, package) in _PEERS.items() if name not in present]
    notes = tuple(f"没有安装 {package}，未比较；装法：pip install 'wenju[peers]'。" for package in missing)
    if not present:
        return Family(notes=notes)
    spent: dict[str, dict[str, list[float]]] = {name: {kind: [] for kind in ("ask", "index", "memory")} for name in ("wenju", *present)}
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            workers = {name: _Worker(name, docs, Path(folder)) for name in spent}
            _job(workers, parts.warming[:2], parts.questions[number::rounds], spent)
    named = (("提问（检索）", "ask", "≥ 3"), ("编入", "index", "≥ 2"), ("内存峰值", "memory", "≥ 1"))
    figures = []
    for what, kind, bar in named:
        best = min(present, key=lambda name, kind=kind: float(np.median(spent[name][kind])))
        figures.append(figure(f"同类中最好的（{best}）÷ 文据：{what}", bar, spent[best][kind], spent["wenju"][kind]))
    middle = {f"{name} {kind}": round(1000 * float(np.median(spent[name][kind])), 2) for name in spent for kind in ("ask", "index")}
    return Family(tuple(figures), middle, notes)


def _job(
    workers: Mapping[str, "_Worker"], warming: Sequence[str], questions: Sequence[str], spent: dict[str, dict[str, list[float]]]
) -> None:
    """Indexes once and asks, the workers taking turns, another one first each question."""
    for name, worker in workers.items():
        spent[name]["index"].append(worker.does("index"))
    for worker in workers.values():
        for question in warming:
            worker.does(f"ask {question}")
    turned = list(workers)
    for question in questions:
        turned = [*turned[1:], turned[0]]
        for name in turned:
            spent[name]["ask"].append(workers[name].does(f"ask {question}"))
    for name, worker in workers.items():
        spent[name]["memory"].append(worker.ends())


class _Worker:
    def __init__(self, name: str, docs: Path, folder: Path) -> None:
        command = [sys.executable, "-m", "eval.benchmarks.peers", name, str(docs), str(folder / name)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")

    def does(self, command: str) -> float:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def ends(self) -> float:
        """Gives the peak memory."""
        rest, _ = self._process.communicate()
        return float(rest)


# ---------------------------------------------------------------- the process of one system

def main() -> None:
    """See the module."""
    name, docs, home = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", HAYSTACK_TELEMETRY_ENABLED="False",
                      TOKENIZERS_PARALLELISM="false")
    logging.disable(logging.WARNING)
    answers, sys.stdout = sys.stdout, sys.stderr  # what a framework prints is no answer
    index, search = _system(name, docs, home)
    for line in sys.stdin:
        command, _, question = line.rstrip("\n").partition(" ")
        began = time.perf_counter()
        index() if command == "index" else search(question)
        answers.write(f"{time.perf_counter() - began}\n")
        answers.flush()
    answers.write(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}\n")


def _system(name: str, docs: Path, home: Path) -> tuple[Callable[[], object], Callable[[str], object]]:
    """The two things the system is asked to do. The peers get the documents' text; Wenju reads the files."""
    settings = load_settings()
    folder = settings.models / DEFAULT_EMBEDDER if settings.embedder == DEFAULT_EMBEDDER else Path(settings.embedder)
    prompts = json.loads((folder / "config_sentence_transformers.json").read_text(encoding="utf-8")).get("prompts", {})
    given = {"folder": folder, "query_prompt": prompts.get("query", ""), "passage_prompt": prompts.get("passage", "")}
    if name == "wenju":
        from eval.peers.wenju import Wenju
        from rag.embedding import SentenceEmbedder

        wenju = Wenju(settings, Model(**given, embedder=SentenceEmbedder.load(settings)), docs, home)
        return wenju.index, wenju.search
    peer = _peer(name, Model(**given, embedder=None))  # type: ignore[arg-type]  # each loads the folder for itself
    sources = [Source(str(file), file.read_text(encoding="utf-8")) for file in sorted(docs.rglob("*.txt"))]
    return lambda: peer.index(sources), peer.search


def _peer(name: str, model: Model) -> Peer:
    import torch

    torch.set_num_threads(load_settings().threads)
    match name:
        case "txtai":
            from eval.peers.txtai import Txtai as Made
        case "haystack":
            from eval.peers.haystack import Haystack as Made
        case _:
            from eval.peers.llamaindex import LlamaIndex as Made
    return Made(model)


if __name__ == "__main__":
    main()
