"""`python -m eval.benchmarks [FAMILY …]`: what Wenju costs, each figure a ratio measured side by side in one run.

Prints a Markdown table and where the time goes, and writes both as JSON.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from eval.benchmarks.ask import asking, concurrent, growth
from eval.benchmarks.index import indexing
from eval.benchmarks.measure import Family
from eval.benchmarks.parts import Parts, prepared
from eval.benchmarks.peers import beside_peers

_FAMILIES = ("ask", "concurrent", "index", "peers")


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the families that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m eval.benchmarks", description="速度：每个数都是与基准同场轮流测出的比值。")
    parser.add_argument("families", metavar="FAMILY", nargs="*", help=f"只测这些：{'、'.join(_FAMILIES)}、growth")
    parser.add_argument("--docs", type=Path, default=Path("seeds"), help="编入哪个文件夹（默认 seeds）")
    parser.add_argument("--set", default="seeds_test", help="用哪个评测集的题（默认 seeds_test）")
    parser.add_argument("--questions", type=int, default=80, metavar="N", help="最多问几题（默认 80）")
    parser.add_argument("--small", type=Path, metavar="HOME", help="growth：小索引所在的 WENJU_HOME")
    parser.add_argument("--large", type=Path, metavar="HOME", help="growth：大索引所在的 WENJU_HOME，小索引的文件都在其中")
    parser.add_argument("--out", type=Path, default=Path("build/bench.json"), help="结果写到哪里（默认 build/bench.json）")
    given = parser.parse_args(arguments)
    results: dict[str, Family] = {}
    with tempfile.TemporaryDirectory() as home:
        parts = prepared(Path(home), given.docs, given.set, given.questions)
        families: dict[str, Callable[[], Family]] = {
            "ask": lambda: asking(parts), "concurrent": lambda: concurrent(parts),
            "index": lambda: indexing(parts, given.docs), "peers": lambda: beside_peers(parts, given.docs),
            "growth": lambda: _grown(parts, given.small, given.large, given.questions),
        }  # fmt: skip
        for name in given.families or _FAMILIES:
            sys.stderr.write(f"{name} ……\n")
            results[name] = families[name]()
    given.out.parent.mkdir(parents=True, exist_ok=True)
    told = {name: asdict(family) for name, family in results.items()}
    given.out.write_text(json.dumps(told, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(table(results))


def _grown(parts: Parts, small: Path, large: Path, most: int) -> Family:
    """Questions made of passages of the small index, spread over it: document and heading, or the first words."""
    few = parts.of(small)
    index = few.pipeline().index
    rows = range(0, len(index), max(1, len(index) // most))
    said = [f"{index.metas[p.document_id].meta.title or ''}{p.text[:24]}" for p in map(index.passage, rows)]
    return growth(few, parts.of(large), list(dict.fromkeys(said)))


def table(results: dict[str, Family]) -> str:
    """All figures as Markdown, then the medians, then what was left out."""
    lines = ["| 指标 | 比值 | 五分之四的轮次 | 轮次 | 目标 | |", "|---|---:|---:|---:|---|---|"]
    for family in results.values():
        for f in family.figures:
            mark = {None: "", True: "达到", False: "**未达到**"}[f.holds()]
            lines.append(f"| {f.name} | {f.ratio:.2f} | {f.low:.2f}–{f.high:.2f} | {f.rounds} | {f.bar} | {mark} |")
    for name, family in results.items():
        told = "，".join(f"{what} {value:.2f}" for what, value in (family.milliseconds or {}).items())
        lines += [f"\n{name}（毫秒，中位数）：{told}。"] if told else []
        lines += [f"\n- {note}" for note in family.notes]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
