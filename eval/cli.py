"""`wenju eval …`: run, compare, import, make. Progress goes to stderr; with --json stdout gets one document."""

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from eval import generators, importers
from eval.asker import Asker
from eval.compare import Comparison, compare
from eval.metrics import BY_NAME
from eval.records import rounded
from eval.report import write_reports
from eval.report.words import HEADLINES, STAGE, figure, with_interval
from eval.runs import DEPTH, DRAWS, Progress, Run, deciding, load_run, run
from eval.sets import EvalItem, EvalSet, find_set, load_set, save_set
from rag.errors import UsageError
from rag.schema import to_json

OpenAsker = Callable[[argparse.Namespace], Asker]
DONE, FAILED = 0, 1


def register(subparsers: argparse._SubParsersAction, open_asker: OpenAsker) -> None:
    """Adds `eval` and its commands. Each sets `run`: a function of the parsed arguments that gives an exit code."""
    about = "评测：同样的输入得到同样的结果文件。"
    parser = subparsers.add_parser("eval", help="评测：运行、比较、导入、生成题目", description=about)
    inner = parser.add_subparsers(dest="eval_command", metavar="COMMAND", required=True)
    _add_run(inner, open_asker)
    _add_compare(inner)
    _add_import(inner)
    _add_make(inner, open_asker)


def _add_run(inner: argparse._SubParsersAction, open_asker: OpenAsker) -> None:
    about = "逐题提问，写出结果、指标和报告；中断后用同样的命令接着跑。"
    parser = inner.add_parser("run", help="运行一个评测集", description=about)
    parser.add_argument("set", metavar="SET", help="评测集的路径，或自带评测集的名字")
    parser.add_argument("--out", type=Path, metavar="DIR", help="结果文件夹（默认 runs/评测集-条件摘要）")
    parser.add_argument("--limit", type=_count, metavar="N", help="只问前 N 题")
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


def _add_import(inner: argparse._SubParsersAction) -> None:
    parser = inner.add_parser("import", help="导入别的格式的题目", description="把题目转成评测集，把所附文件写成文本。")
    parser.add_argument("kind", choices=("squad", "beir", "table", "shared"),
                        help="squad：JSON；beir、shared：文件夹；table：CSV 或 XLSX")  # fmt: skip
    parser.add_argument("path", type=Path, metavar="PATH", help="要导入的文件或文件夹")
    parser.add_argument("out", type=Path, metavar="OUT", help="写到哪个文件夹")
    parser.add_argument("--json", action="store_true", help="在标准输出打印结果（一个 JSON）")
    parser.set_defaults(run=_import)


def _add_make(inner: argparse._SubParsersAction, open_asker: OpenAsker) -> None:
    about = "不用语言模型，按种子生成，题目都带 generated 标签。"
    parser = inner.add_parser("make", help="由现有题目生成新题", description=about)
    parser.add_argument("kind", choices=("near-misses", "traditional", "typos", "follow-ups"),
                        help="似是而非的不可答题、繁体、同音错字、追问")  # fmt: skip
    parser.add_argument("set", metavar="SET", help="评测集的路径，或自带评测集的名字")
    parser.add_argument("out", type=Path, metavar="OUT", help="写到哪个 .jsonl 文件")
    parser.add_argument("--seed", type=int, default=0, help="种子（默认 0）")
    parser.add_argument("--json", action="store_true", help="在标准输出打印结果（一个 JSON）")
    parser.set_defaults(run=lambda arguments: _make(arguments, open_asker))


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("应是正整数")
    return int(text)


# ---------------------------------------------------------------- run

def _run(arguments: argparse.Namespace, open_asker: OpenAsker) -> int:
    path = find_set(arguments.set)
    asker = open_asker(arguments)
    eval_set = load_set(path, asker.text_of)
    out = arguments.out or _default_folder(eval_set, asker, arguments)
    done = run(eval_set, asker, out, limit=arguments.limit, seed=arguments.seed, progress=_show)
    reports = write_reports(done)
    if arguments.json:
        _print_json({"out": out.as_posix(), "run": done.decides} | rounded(to_json(done.summary)))
    else:
        print("\n".join(_summary_lines(done)))
        print(f"结果在 {out}，报告：{reports[0]}")
    return DONE


def _default_folder(eval_set: EvalSet, asker: Asker, arguments: argparse.Namespace) -> Path:
    decides = json.dumps(deciding(eval_set, asker, arguments.limit, DEPTH, arguments.seed, DRAWS), sort_keys=True)
    return Path("runs") / f"{eval_set.name}-{hashlib.sha256(decides.encode()).hexdigest()[:8]}"


def _show(progress: Progress) -> None:
    if progress.done < progress.total and progress.done % 5 and not sys.stderr.isatty():
        return
    left = "" if progress.left is None else f"，还需约 {progress.left:.0f} 秒"
    end = "\n" if progress.done == progress.total or not sys.stderr.isatty() else ""
    print(f"\r评测 {progress.done}/{progress.total} 题{left}    ", end=end, file=sys.stderr, flush=True)


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
        _print_json(rounded(to_json(found)))
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


# ---------------------------------------------------------------- import and make

def _import(arguments: argparse.Namespace) -> int:
    path, out = arguments.path, arguments.out
    docs = (out / "docs").as_posix()
    match arguments.kind:
        case "squad":
            imported = importers.from_squad(path, docs)
        case "beir":
            imported = importers.from_beir(path, docs)
        case "table":
            imported = importers.from_table(path)
        case _:
            imported = importers.from_shared(path, docs)
    if imported.documents:
        importers.write_documents(imported.documents, out / "docs")
    target = out / f"{path.stem}.jsonl"
    said = _saved(imported.items, target)
    said["documents"] = len(imported.documents)
    if arguments.json:
        _print_json(said)
    else:
        beside = f"，{said['documents']} 个文件写入 {docs}" if imported.documents else ""
        print(f"{said['questions']} 题写入 {target}{beside}")
    return DONE


def _make(arguments: argparse.Namespace, open_asker: OpenAsker) -> int:
    path = find_set(arguments.set)
    asker = open_asker(arguments) if arguments.kind == "near-misses" else None
    items = load_set(path, asker and asker.text_of).items
    match arguments.kind:
        case "traditional":
            made = generators.traditional(items)
        case "typos":
            made = generators.typos(items, arguments.seed)
        case "follow-ups":
            made = generators.follow_ups(items)
        case _:
            made = generators.near_misses(items, _presence(items, asker), arguments.seed)
    said = _saved(tuple(made), arguments.out)
    if arguments.json:
        _print_json(said)
    else:
        print(f"{said['questions']} 题写入 {arguments.out}")
    return DONE


def _presence(items: Sequence[EvalItem], asker: Asker) -> Callable[[str], bool]:
    """Whether the collection says a value: in the sources of the set, or in whatever a search for the value finds."""
    sources = dict.fromkeys(g.source for item in items for g in item.gold)
    texts = [asker.text_of(s) for s in sources]
    known: dict[str, bool] = {}

    def present(value: str) -> bool:
        if value not in known:
            known[value] = any(value in t for t in texts) or any(
                value in hit.document.text for hit in asker.search(value, DEPTH).hits
            )
        return known[value]

    return present


def _saved(items: Sequence[EvalItem], target: Path) -> dict[str, object]:
    if not items:
        raise UsageError("没有得到任何题目。", "请检查输入是否合适。")
    target.parent.mkdir(parents=True, exist_ok=True)
    save_set(items, target)
    return {"questions": len(items), "set": target.as_posix()}


def _print_json(value: object) -> None:
    print(json.dumps(value, ensure_ascii=False))
