"""`python -m eval.peers SET [DOCS] [--limit N]`: one table of Wenju and its peers, printed as Markdown.

SET: an eval set, with DOCS the folder of its documents, written as its gold names it; or a folder in the format of
`eval.importers.from_shared`, which has its documents in it.
"""

import argparse
import json
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from eval.importers import from_shared, write_documents
from eval.locate import Locator
from eval.peers.base import Model, Peer
from eval.peers.bm25 import Bm25
from eval.peers.dense import Dense
from eval.peers.haystack import Haystack
from eval.peers.llamaindex import LlamaIndex
from eval.peers.measure import asked, comparable, indexed
from eval.peers.table import markdown
from eval.peers.txtai import Txtai
from eval.peers.wenju import Wenju
from eval.sets import find_set, load_set, save_set
from rag import text, weights
from rag.config import DEFAULT_EMBEDDER, Settings, load_settings
from rag.errors import UsageError, WenjuError

# No peer asks a host for anything: weights are local, and nobody is told of the run.
_QUIET = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "HAYSTACK_TELEMETRY_ENABLED": "False",
          "TOKENIZERS_PARALLELISM": "false"}  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; gives its exit code."""
    parser = argparse.ArgumentParser(prog="python -m eval.peers", description="同样的文件、题目和模型，各家并排比较。")
    parser.add_argument("set", metavar="SET", help="评测集的路径，自带评测集的名字，或 corpus、queries、qrels 所在的文件夹")
    parser.add_argument("docs", metavar="DOCS", type=Path, nargs="?",
                        help="文件所在的文件夹，写法与评测集里的 source 一致；SET 是文件夹时不用写")  # fmt: skip
    parser.add_argument("--limit", type=int, metavar="N", help="只问前 N 道可比的题")
    given = parser.parse_args(arguments)
    os.environ.update(_QUIET)
    logging.disable(logging.WARNING)
    try:
        sys.stdout.write(_compared(given.set, given.docs, given.limit))
    except WenjuError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def peers(model: Model, work: Path) -> Iterator[Callable[[], Peer]]:
    """Makers of all peers but Wenju; one whose packages are missing raises ModuleNotFoundError."""
    yield lambda: Dense(model)
    yield lambda: Bm25("BM25（jieba 词）", "words", text.words, work)
    yield lambda: Bm25("BM25（二字组）", "bigrams", text.bigrams, work)
    yield lambda: Txtai(model)
    yield lambda: Haystack(model)
    yield lambda: LlamaIndex(model)


def _imported(folder: Path, work: Path) -> tuple[str, Path]:
    """The set and the documents' folder made of a folder that holds both. Wenju's index, whose home is in `work` too,
    names files as they stand from there."""
    docs = work / "docs"
    imported = from_shared(folder, docs.name)
    write_documents(imported.documents, docs)
    path = work / f"{folder.name}.jsonl"
    save_set(imported.items, path)
    return str(path), docs


def _compared(name: str, docs: Path | None, limit: int | None) -> str:
    settings, notes = load_settings(), []
    model = _model(settings)
    with tempfile.TemporaryDirectory(prefix="wenju-peers-") as folder:
        work = Path(folder)
        if docs is None:
            if not Path(name).is_dir():
                raise UsageError("没有说文件在哪个文件夹。", "写成 python -m eval.peers 评测集 文件夹。")
            name, docs = _imported(Path(name), work)
        wenju = Wenju(settings, model, docs, work / "wenju")
        _tell(wenju.name)
        ready = [indexed(wenju, wenju.index)]
        eval_set = load_set(find_set(name), wenju.pipeline.text_of)
        items = comparable(eval_set.items)[:limit]
        if not items:
            raise UsageError(f"评测集 {eval_set.name} 里没有可比的题。", "要有可答、不带上文的题。")
        sources = wenju.sources()
        for make in peers(model, work):
            try:
                peer = make()
            except ModuleNotFoundError as error:
                notes.append(f"缺少软件包 {error.name}，未列入；请安装 wenju 的 peers 附加依赖。")
                continue
            _tell(peer.name)
            ready.append(indexed(peer, lambda peer=peer: peer.index(sources)))
        _tell(f"{len(items)} 题")
        rows = asked(ready, items, Locator(wenju.pipeline.text_of))
    notes.append(f"评测集 {eval_set.name}，{len(sources)} 个文件，模型 {model.folder.name}，{settings.threads} 线程。")
    return markdown(rows, notes)


def _model(settings: Settings) -> Model:
    """The weights that everyone uses. Raises UsageError for a model that is not in a local folder."""
    from rag.embedding import SentenceEmbedder

    default = settings.embedder == DEFAULT_EMBEDDER
    folder = weights.restore(settings.models) if default else Path(settings.embedder)
    config = folder / "config_sentence_transformers.json"
    if not folder.is_dir():
        raise UsageError(f"没有找到模型文件夹 {folder}。", "并排比较要用本机的模型文件夹。")
    own = json.loads(config.read_text(encoding="utf-8")).get("prompts", {}) if config.is_file() else {}
    query = own.get("query", "") if settings.query_prompt is None else settings.query_prompt
    passage = own.get("passage", "") if settings.passage_prompt is None else settings.passage_prompt
    return Model(folder, query, passage, SentenceEmbedder.load(settings))


def _tell(what: str) -> None:
    sys.stderr.write(f"{what} ……\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
