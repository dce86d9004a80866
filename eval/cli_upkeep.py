"""`wenju eval baseline` and `wenju eval review`: what keeps the shipped sets honest and lets them grow."""

import argparse
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from eval import baseline
from eval.asker import Asker
from eval.cli_show import print_json, show
from eval.metrics import BY_NAME
from eval.report.words import figure
from eval.runs import Run
from rag.config import load_settings
from rag.errors import UsageError
from rag.schema import to_json

OpenAsker = Callable[[argparse.Namespace], Asker]
DONE, FAILED = 0, 1


def add(inner: argparse._SubParsersAction, open_asker: OpenAsker) -> None:
    """Adds both commands."""
    _add_baseline(inner)


def _add_baseline(inner: argparse._SubParsersAction) -> None:
    about = "在样本文件上新建索引，逐集运行：写成新的基线，或与已有的基线比较（有显著下降则退出码为 1）。"
    parser = inner.add_parser("baseline", help="更新或核对自带评测集的基线", description=about)
    parser.add_argument("sets", nargs="*", metavar="SET", help="自带评测集的名字（默认全部）")
    parser.add_argument("--docs", type=Path, default=Path("seeds"), help="样本文件所在的文件夹（默认 seeds）")
    parser.add_argument("--check", action="store_true", help="只核对，不改写基线")
    parser.add_argument("--json", action="store_true", help="在标准输出打印结果（一个 JSON）")
    parser.set_defaults(run=_baseline)


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
