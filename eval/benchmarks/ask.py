"""Asking against merely embedding the question with plain `SentenceTransformer.encode`; one asker against many."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from queue import Empty, SimpleQueue

import numpy as np

from eval.benchmarks.measure import Family, figure, in_turns, medians
from eval.benchmarks.parts import Parts
from rag.pipeline import Pipeline

_ASKERS = 32


def asking(parts: Parts) -> Family:
    """Each question once: embedded plainly, embedded by Wenju, searched for and answered; and where an answer's time goes."""
    questions, stages = parts.questions, []
    pipeline, fresh = parts.pipeline(), parts.pipeline()

    def ask(number: int) -> None:
        stages.append(pipeline.ask(questions[number]).timings_ms)

    sides = {
        "encode": lambda n: parts.plain.encode(questions[n], prompt_name="query"),
        "embed": lambda n: parts.embedder.embed_query(questions[n]),
        "search": lambda n: fresh.search(questions[n]),
        "ask": ask,
    }
    _warm(parts, sides["encode"], pipeline, fresh)
    stages.clear()
    spent = in_turns(sides, len(questions))
    figures = (
        figure("一个问题的向量 ÷ 普通 encode", "≤ 0.45", spent["embed"], spent["encode"]),
        figure("整个回答（抽取式）÷ 普通 encode", "≤ 1.0", spent["ask"], spent["encode"]),
        figure("只检索 ÷ 普通 encode", "", spent["search"], spent["encode"]),
    )
    return Family(figures, medians(spent) | _profile(stages))


def concurrent(parts: Parts, rounds: int = 4) -> Family:
    """All questions one after the other, and by many askers at once; new to the pipeline each time."""
    fresh = [(parts.pipeline(), parts.pipeline()) for _ in range(rounds)]

    def alone(number: int) -> None:
        for question in parts.questions:
            fresh[number][0].ask(question)

    for pair in fresh:
        _warm(parts, lambda n: None, *pair)
    spent = in_turns({"alone": alone, "together": lambda n: _asked_by_many(fresh[n][1], parts.questions)}, rounds)
    return Family((figure(f"{_ASKERS} 人同时问的吞吐 ÷ 一人", "≥ 3", spent["alone"], spent["together"]),),
                  {f"{name} / 题": value / len(parts.questions) for name, value in medians(spent).items()})


def growth(parts: Parts, large: Parts, questions: Sequence[str]) -> Family:
    """The same questions asked of a small and of a large index; every question is new to both."""
    small, big = parts.pipeline(), large.pipeline()
    _warm(replace(parts, questions=questions), lambda n: None, small, big)
    spent = in_turns({"small": lambda n: small.ask(questions[n]), "large": lambda n: big.ask(questions[n])}, len(questions))
    name = f"回答：{len(big.index)} 段 ÷ {len(small.index)} 段"
    return Family((figure(name, "≤ 1.5", spent["large"], spent["small"]),), medians(spent))


def _warm(parts: Parts, encode: Callable[[int], object], *pipelines: Pipeline) -> None:
    """What is done only once, by questions that are not asked again."""
    for question in parts.warming:
        for pipeline in pipelines:
            pipeline.ask(question)
    encode(0)


def _asked_by_many(pipeline: Pipeline, questions: Sequence[str]) -> None:
    waiting: SimpleQueue[str] = SimpleQueue()
    for question in questions:
        waiting.put(question)

    def asker() -> None:
        while True:
            try:
                pipeline.ask(waiting.get_nowait())
            except Empty:
                return

    threads = [threading.Thread(target=asker) for _ in range(_ASKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _profile(stages: Sequence[dict[str, float]]) -> dict[str, float]:
    """Milliseconds of an answer by stage, medians; what is left is understanding before and composing after."""
    names = [name for name in stages[0] if name != "total"]
    out = {f"其中 {name}": float(np.median([s.get(name, 0.0) for s in stages])) for name in names}
    rest = [s["total"] - sum(s.get(name, 0.0) for name in names) for s in stages]
    return {name: round(value, 2) for name, value in (out | {"其中 理解与成文": float(np.median(rest))}).items()}
