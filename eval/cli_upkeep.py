"""`wenju eval baseline` and `wenju eval review`: what keeps the shipped sets honest and lets them grow."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from eval import baseline
from eval.asker import Asker
from eval.cli_show import print_json, show
from eval.metrics import BY_NAME
from eval.report.words import figure
from eval.review import RATINGS, Candidate, Review
from eval.runs import Run
from eval.sets import item_json
from rag.config import load_settings
from rag.errors import UsageError
from rag.schema import to_json

OpenAsker = Callable[[argparse.Namespace], Asker]
DONE, FAILED = 0, 1


def add(inner: argparse._SubParsersAction, open_asker: OpenAsker) -> None:
    """Adds both commands."""
    _add_baseline(inner)
    _add_review(inner, open_asker)


def _add_baseline(inner: argparse._SubParsersAction) -> None:
    about = "在样本文件上新建索引，逐集运行：写成新的基线，或与已有的基线比较（有显著下降则退出码为 1）。"
    parser = inner.add_parser("baseline", help="更新或核对自带评测集的基线", description=about)
    parser.add_argument("sets", nargs="*", metavar="SET", help="自带评测集的名字（默认全部）")
    parser.add_argument("--docs", type=Path, default=Path("seeds"), help="样本文件所在的文件夹（默认 seeds）")
    parser.add_argument("--check", action="store_true", help="只核对，不改写基线")
    parser.add_argument("--json", action="store_true", help="在标准输出打印结果（一个 JSON）")
    parser.set_defaults(run=_baseline)


def _add_review(inner: argparse._SubParsersAction, open_asker: OpenAsker) -> None:
    about = "逐条看网页上标了“没帮助”“引文有误”的回答，收进评测集或不收；在终端里不带参数即可一问一答地审。"
    parser = inner.add_parser("review", help="把网页上的反馈审成题目", description=about)
    parser.add_argument("--into", type=Path, metavar="SET", help="收进哪个 .jsonl（没有则新建）")
    parser.add_argument("--accept", metavar="ID", help="收下这一条")
    parser.add_argument("--gold", action="append", default=[], metavar="引句", help="答案所在的原句，须与原文一致（可写多次）")
    parser.add_argument("--unanswerable", action="store_true", help="文件里没有答案，应当不答")
    parser.add_argument("--question", metavar="TEXT", help="改写后的问题")
    parser.add_argument("--must-include", action="append", default=[], metavar="TEXT", help="答案必含的字串（可写多次）")
    parser.add_argument("--type", help="题型（默认 fact 或 no_answer）")
    parser.add_argument("--reject", metavar="ID", help="不收这一条")
    parser.add_argument("--feedback", type=Path, metavar="FILE", help="反馈文件（默认 WENJU_HOME 里的 feedback.jsonl）")
    parser.add_argument("--json", action="store_true", help="在标准输出打印待审的条目或结果（一个 JSON）")
    parser.set_defaults(run=lambda arguments: _review(arguments, open_asker))


def _baseline(arguments: argparse.Namespace) -> int:
    sets = arguments.sets or baseline.names()
    if unknown := sorted(set(sets) - set(baseline.names())):
        raise UsageError(f"没有自带的评测集 {'、'.join(unknown)}。", f"有的是：{'、'.join(baseline.names())}。")
    known = [baseline.load(name) for name in sets] if arguments.check else []
    with TemporaryDirectory(prefix="wenju-baseline-") as out:
        runs = list(baseline.measure(load_settings({}), arguments.docs, sets, Path(out), show))
    if not arguments.check:
        said = [str(baseline.save(done)) for done in runs]
        print_json({"written": said}) if arguments.json else print("\n".join(map(_figures, runs)))
        return DONE
    found = baseline.falls([(base, done.records) for base, done in zip(known, runs, strict=True)])
    if arguments.json:
        print_json({"falls": to_json(found)})
    else:
        print("\n".join(map(_figures, runs)))
        print("\n".join(map(said_of, found)) or "与基线相比没有显著下降。")
    return FAILED if found else DONE


def _figures(done: Run) -> str:
    shown = (f"{BY_NAME[n].label} {figure(n, e.value)}" for n, e in done.summary.overall.items() if n in baseline.GATED)
    return f"{done.decides['set']['name']}：{'，'.join(shown)}"


def said_of(fall: baseline.Fall) -> str:
    """A fall as a sentence, with the questions that were lost."""
    values = f"{figure(fall.metric, fall.first)} → {figure(fall.metric, fall.second)}"
    return f"下降：{fall.set} 的{BY_NAME[fall.metric].label}（{fall.metric}）{values}，p = {fall.p:.4f}；丢掉的题：{'、'.join(fall.lost)}"


# ---------------------------------------------------------------- review

def _review(arguments: argparse.Namespace, open_asker: OpenAsker) -> int:
    book = arguments.feedback or load_settings({}).home / "feedback.jsonl"
    waiting = Review(book, open_asker(arguments))
    if arguments.accept:
        return _accept(arguments, waiting)
    if arguments.reject:
        waiting.reject(arguments.reject)
        print_json({"rejected": arguments.reject}) if arguments.json else print(f"不收 {arguments.reject}。")
        return DONE
    found = waiting.candidates()
    if arguments.json:
        print_json({"candidates": to_json(found)})
    elif not found:
        print("没有待审的反馈。")
    elif sys.stdin.isatty():
        return interview(waiting, found, arguments.into, input)
    else:
        print("\n\n".join(map(told, found)))
    return DONE


def _accept(arguments: argparse.Namespace, waiting: Review) -> int:
    if not arguments.into:
        raise UsageError("没有说收进哪个评测集。", "请加 --into 文件.jsonl。")
    if bool(arguments.gold) == arguments.unanswerable:
        raise UsageError("要么给出 --gold，要么标 --unanswerable。", "引句照抄原文；文件没有答案的题标 --unanswerable。")
    item = waiting.accept(arguments.accept, arguments.into, arguments.gold, arguments.question, arguments.must_include, arguments.type)
    print_json({"accepted": item_json(item), "set": arguments.into.as_posix()}) if arguments.json else print(
        f"{item.id} 已收进 {arguments.into}。")
    return DONE


def told(candidate: Candidate) -> str:
    """A candidate as an evaluator reads it."""
    lines = [f"{candidate.id}（{candidate.at[:10]}，{RATINGS[candidate.rating]}，索引 {candidate.generation or '不详'}）"]
    lines += [f"此前问：{q}" for q in candidate.history]
    lines.append(f"问：{candidate.question}")
    lines += [f"答：{candidate.answer}"] if candidate.answer else []
    lines += [f"引：{c.source}：{c.quote or '（文件已不在索引里）'}" for c in candidate.cited]
    lines += [f"读者说：{candidate.comment}"] if candidate.comment else []
    return "\n".join(lines)


def interview(waiting: Review, found: Sequence[Candidate], into: Path | None, ask: Callable[[str], str]) -> int:
    """Goes through the candidates one by one; ask: shows a prompt and gives the line that was typed."""
    into = into or Path(ask("收进哪个 .jsonl？ ").strip())
    for number, candidate in enumerate(found, 1):
        print(f"\n—— {number}/{len(found)} ——\n{told(candidate)}")
        while True:
            chosen = ask("a 收下  n 收下（文件没有答案）  r 不收  回车 以后再说  q 结束：").strip().lower()
            try:
                match chosen:
                    case "q":
                        return DONE
                    case "r":
                        waiting.reject(candidate.id)
                    case "a" | "n":
                        question = ask("问题（回车不改）：").strip()
                        quotes = [q for q in ask("原句（几句之间用 | 隔开）：").split("|") if q.strip()] if chosen == "a" else []
                        if chosen == "a" and not quotes:
                            raise UsageError("没有给出原句。", "照抄原文里的一句；文件没有答案的选 n。")
                        item = waiting.accept(candidate.id, into, quotes, question or None)
                        print(f"{item.id} 已收进 {into}。")
                    case "":
                        pass
                    case _:
                        continue
                break
            except UsageError as error:
                print(error)
    return DONE
