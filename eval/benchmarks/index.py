"""Indexing against plain `SentenceTransformer.encode` of the same passages at its default settings."""

import tempfile
from dataclasses import replace
from pathlib import Path

from eval.benchmarks.measure import Family, figure, in_turns, medians
from eval.benchmarks.parts import Parts
from rag.pipeline import build_index


def indexing(parts: Parts, docs: Path, rounds: int = 5) -> Family:
    """The passages of the index embedded plainly and by Wenju; and all of indexing, from files to a published generation."""
    index = parts.pipeline().index
    passages = [index.passage(row).text for row in range(len(index))]

    def whole(number: int) -> None:
        with tempfile.TemporaryDirectory() as home:
            build_index(replace(parts.settings, home=Path(home)), [docs], embedder=parts.embedder)

    sides = {
        "encode": lambda n: parts.plain.encode(passages, prompt_name="passage"),
        "embed": lambda n: list(parts.embedder.embed_passages(passages, [""] * len(passages))),
        "index": whole,
        "again": lambda n: build_index(parts.settings, [docs], embedder=parts.embedder),
    }
    sides["embed"](0)
    spent = in_turns(sides, rounds)
    figures = (
        figure("每秒编入的段 ÷ 普通 encode", "≥ 2.5", spent["encode"], spent["embed"]),
        figure("整个编入（读文件到发布）÷ 普通 encode 同样的段", "", spent["index"], spent["encode"]),
        figure("没有改动时再编入 ÷ 首次编入", "", spent["again"], spent["index"]),
    )
    return Family(figures, {f"{name}（{len(passages)} 段）": value for name, value in medians(spent).items()})
