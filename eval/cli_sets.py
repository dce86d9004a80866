"""`wenju eval import` and `wenju eval generate`: sets from other formats, and new questions from what is there."""

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from eval import generators, holidays, importers
from eval.asker import Asker
from eval.cli_show import print_json
from eval.runs import DEPTH
from eval.sets import EvalItem, find_set, load_set, save_set
from rag.errors import UsageError

OpenAsker = Callable[[argparse.Namespace], Asker]
DONE = 0


def add(inner: argparse._SubParsersAction, open_asker: OpenAsker) -> None:
    """Adds both commands."""
    _add_import(inner)
    _add_generate(inner, open_asker)


def _add_import(inner: argparse._SubParsersAction) -> None:
    parser = inner.add_parser("import", help="导入别的格式的题目", description="把题目转成评测集，把所附文件写成文本。")
    parser.add_argument("kind", choices=("squad", "beir", "table", "shared"),
                        help="squad：JSON；beir、shared：文件夹；table：CSV 或 XLSX")  # fmt: skip
    parser.add_argument("path", type=Path, metavar="PATH", help="要导入的文件或文件夹")
    parser.add_argument("out", type=Path, metavar="OUT", help="写到哪个文件夹")
    parser.add_argument("--json", action="store_true", help="在标准输出打印结果（一个 JSON）")
    parser.set_defaults(run=_import)


def _add_generate(inner: argparse._SubParsersAction, open_asker: OpenAsker) -> None:
    about = "不用语言模型，按种子生成，题目都带 generated 标签。"
    parser = inner.add_parser("generate", help="由现有题目或文件生成新题", description=about)
    parser.add_argument("set", metavar="SET", help="评测集的路径，或自带评测集的名字；holidays 则是放假通知所在的文件夹")
    parser.add_argument("--kind", required=True, choices=("near-misses", "traditional", "typos", "follow-ups", "holidays"),
                        help="似是而非的不可答题、繁体、同音错字、追问；逐年的放假安排")  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="写到哪个 .jsonl 文件")
    parser.add_argument("--seed", type=int, default=0, help="种子（默认 0）")
    parser.add_argument("--json", action="store_true", help="在标准输出打印结果（一个 JSON）")
    parser.set_defaults(run=lambda arguments: _generate(arguments, open_asker))


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
        print_json(said)
    else:
        beside = f"，{said['documents']} 个文件写入 {docs}" if imported.documents else ""
        print(f"{said['questions']} 题写入 {target}{beside}")
    return DONE


def _generate(arguments: argparse.Namespace, open_asker: OpenAsker) -> int:
    if arguments.kind == "holidays":
        made = holidays.questions(Path(arguments.set))
    else:
        asker = open_asker(arguments) if arguments.kind == "near-misses" else None
        items = load_set(find_set(arguments.set), asker and asker.text_of).items
        made = _made(arguments, items, asker)
    said = _saved(tuple(made), arguments.out)
    if arguments.json:
        print_json(said)
    else:
        print(f"{said['questions']} 题写入 {arguments.out}")
    return DONE


def _made(arguments: argparse.Namespace, items: Sequence[EvalItem], asker: Asker | None) -> Iterator[EvalItem]:
    match arguments.kind:
        case "traditional":
            return generators.traditional(items)
        case "typos":
            return generators.typos(items, arguments.seed)
        case "follow-ups":
            return generators.follow_ups(items)
        case _:
            return generators.near_misses(items, _presence(items, asker), arguments.seed)


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
