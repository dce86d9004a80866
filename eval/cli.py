"""`wenju eval …`: run, compare, import, generate, baseline, review. Progress goes to stderr; with --json stdout gets one document."""

import argparse
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path

from eval import cli_sets, cli_upkeep
from eval.asker import Asker
from eval.asking import AHEAD
from eval.cli_show import print_json, show
from eval.compare import Comparison, compare
from eval.crew import Crew, hands
from eval.metrics import BY_NAME
from eval.records import rounded
from eval.report import write_reports
from eval.report.words import HEADLINES, STAGE, figure, with_interval
from eval.runs import Run, folder_name, load_run, run
from eval.sets import find_set, load_set
from rag.config import load_settings
from rag.schema import to_json

OpenAsker = Callable[[argparse.Namespace], Asker]
DONE, FAILED = 0, 1


def register(subparsers: argparse._SubParsersAction, open_asker: OpenAsker) -> None:
    """Adds `eval` and its commands. Each sets `run`: a function of the parsed arguments that gives an exit code."""
    about = "评测：同样的输入得到同样的结果文件。"
    parser = subparsers.add_parser("eval", help="评测：运行、比较、导入、生成题目、基线、审题", description=about)
    inner = parser.add_subparsers(dest="eval_command", metavar="COMMAND", required=True)
    _add_run(inner, open_asker)
    _add_compare(inner)
    cli_sets.add(inner, open_asker)
    cli_upkeep.add(inner, open_asker)


def _add_run(inner: argparse._SubParsersAction, open_asker: OpenAsker) -> None:
    about = "逐题提问，写出结果、指标和报告；中断后用同样的命令接着跑。"
    parser = inner.add_parser("run", help="运行一个评测集", description=about)
    parser.add_argument("set", metavar="SET", help="评测集的路径，或自带评测集的名字")
    parser.add_argument("--out", type=Path, metavar="DIR", help="结果文件夹（默认 WENJU_HOME/runs/评测集-条件摘要）")
    parser.add_argument("--config", type=Path, metavar="FILE", help="这次评测用的设置（与 wenju.toml 同样的写法，胜过它和环境变量）")
    parser.add_argument("--limit", type=_count, metavar="N", help="只问前 N 题")
    parser.add_argument("--jobs", type=_count, metavar="N", help="几个进程同时提问（默认看题数和处理器数；本机的语言模型只载入一份）；结果不变")
    parser.add_argument("--one-by-one", action="store_true", help="不合并计算：慢，用时如同单独提问；结果不变")
    parser.add_argument("--seed", type=int, default=0, help="重抽样的种子（默认 0）")
    parser.add_argument("--json", action="store_true", help="在标准输出打印指标（一个 JSON）")
    parser.set_defaults(run=lambda arguments: _run(arguments, open_asker))


def _add_compare(inner: argparse._SubParsersAction) -> None:
    parser = inner.add_parser("compare", help="比较两次评测", description="成对检验每个指标，列出赢了和输了的题。")
    parser.add_argument("first", type=Path, metavar="A", help="前一次的结果文件夹")
    parser.add_argument("second", type=Path, metavar="B", help="后一次的结果文件夹")
    parser.add_argument("--fail-if", action="append", default=[], metavar="CONDITION",
                        help="成立则退出码为 1，例如 \"answer_recall drops significantly\"；可写多次")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="在标准输出打印比较结果（一个 JSON）")
    parser.set_defaults(run=_compare)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("应是正整数")
    return int(text)


# ---------------------------------------------------------------- run

def _run(arguments: argparse.Namespace, open_asker: OpenAsker) -> int:
    path = find_set(arguments.set)
    asker = open_asker(arguments)
    eval_set = load_set(path, asker.text_of)
    runs = load_settings({}).home / "runs"
    out = arguments.out or runs / folder_name(eval_set, asker, arguments.limit, arguments.seed)
    ahead = 1 if arguments.one_by_one else AHEAD
    with _crew(arguments, open_asker, asker, len(eval_set.items[: arguments.limit])) as crew:
        done = run(eval_set, asker, out, limit=arguments.limit, seed=arguments.seed, ahead=ahead, crew=crew, progress=show)
    reports = write_reports(done)
    if arguments.json:
        print_json({"out": out.as_posix(), "run": done.decides} | rounded(to_json(done.summary)))
    else:
        print("\n".join(_summary_lines(done)))
        print(f"结果在 {out}，报告：{reports[0]}")
    return DONE


def _crew(
    arguments: argparse.Namespace, open_asker: OpenAsker, asker: Asker, questions: int
) -> AbstractContextManager[Crew | None]:
    """The processes that are worth having, or nothing: each would load a language model of this machine for itself."""
    alone = arguments.one_by_one or asker.describe().get("generator") == "transformers"
    jobs = 1 if alone else arguments.jobs or hands(questions)
    plain = argparse.Namespace(**{name: value for name, value in vars(arguments).items() if not callable(value)})
    return Crew(partial(open_asker, plain), jobs) if jobs > 1 else nullcontext()


def _summary_lines(done: Run) -> Iterator[str]:
    summary = done.summary
    counts = f"{summary.questions} 题，可答 {summary.answerable}，答错 {len(summary.wrong)}"
    yield f"{done.decides['set']['name']}：{counts}（括号内是 95% 区间）"
    for name in HEADLINES:
        if name in summary.overall:
            yield f"  {BY_NAME[name].label}：{with_interval(name, summary.overall[name])}"
    if summary.aurc:
        yield f"  AURC：{summary.aurc.value:.4f}"
    yield "  失于：" + "、".join(f"{STAGE[s]} {n}" for s, n in summary.lost_at.items())
    timings = json.loads((done.folder / "timings.json").read_text(encoding="utf-8"))["ask_ms"]
    yield "  用时（毫秒）：" + "、".join(f"{k} {v:.0f}" for k, v in timings.items())


# ---------------------------------------------------------------- compare

def _compare(arguments: argparse.Namespace) -> int:
    found = compare(load_run(arguments.first), load_run(arguments.second), arguments.fail_if)
    if arguments.json:
        print_json(rounded(to_json(found)))
    else:
        print("\n".join(_comparison_lines(found)))
    return FAILED if found.failed else DONE


def _comparison_lines(found: Comparison) -> Iterator[str]:
    yield f"{found.questions} 题。p 为置换检验，已按同时看多个指标校正；“*”为显著。"
    for d in found.differences:
        mark = "*" if d.significant else " "
        values = f"{figure(d.name, d.first)} → {figure(d.name, d.second)}"
        change = f"变化 {d.change:+.4f}（{d.low:+.4f} 到 {d.high:+.4f}），p = {d.adjusted:.4f}"
        yield f"{mark} {BY_NAME[d.name].label} {d.name}：{values}，{change}，升 {d.better} 题，降 {d.worse} 题"
    for title, flips in (("改对的题", found.won), ("改错的题", found.lost)):
        yield f"{title}（{len(flips)}）"
        yield from (f"  {f.id} {f.question}" + (f"（失于{STAGE[f.lost_at]}）" if f.lost_at else "") for f in flips)
    for key, (one, other) in found.changed.items():
        yield f"条件不同：{key}：{one} → {other}"
    for verdict in found.verdicts:
        yield f"{'不通过' if verdict.failed else '通过'}：{verdict.condition}（{verdict.why}）"
