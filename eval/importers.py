"""Question sets that others wrote, as `EvalItem`s, with their documents as plain text files for `wenju index`."""

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.sets import EvalItem, Gold
from rag.errors import UsageError
from rag.schema import Span
from rag.text import sentences

_PLAIN_NAME = re.compile(r"[\w-][\w.-]{0,79}")


@dataclass(frozen=True, slots=True)
class SourceDocument:
    """A document of an imported collection; `text` exactly as given."""

    id: str
    title: str
    text: str

    @property
    def content(self) -> str:
        """What the file holds: the text, after the title on a line of its own when the text does not begin with it."""
        missing = self.title.strip() and not self.text.lstrip().startswith(self.title.strip())
        return f"{self.title.strip()}\n{self.text}" if missing else self.text


@dataclass(frozen=True, slots=True)
class Imported:
    """Questions, and the documents they are about (empty when these are in the index already)."""

    items: tuple[EvalItem, ...]
    documents: tuple[SourceDocument, ...] = ()


def file_name(document_id: str) -> str:
    """The name of a document's file: its id, made safe and kept distinct where it is no plain name."""
    if _PLAIN_NAME.fullmatch(document_id):
        return f"{document_id}.txt"
    plain = re.sub(r"[^\w-]+", "_", document_id)[:60]
    return f"{plain}-{hashlib.sha256(document_id.encode()).hexdigest()[:8]}.txt"


def write_documents(documents: Iterable[SourceDocument], folder: Path) -> int:
    """Writes one .txt a document into `folder` (made if need be); gives their number.

    Raises UsageError when two documents have the same id.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names: set[str] = set()
    for document in documents:
        name = file_name(document.id)
        if name in names:
            raise UsageError(f"文件编号重复：{document.id}。", "每个文件的编号必须不同。")
        names.add(name)
        (folder / name).write_text(document.content, encoding="utf-8", newline="")
    return len(names)


# ---------------------------------------------------------------- folders of corpus, queries and qrels

def from_shared(folder: Path, docs: str) -> Imported:
    """A folder with corpus.jsonl {id, title, text}, queries.jsonl {id, text, answers, answer_groups?} and qrels.tsv.

    qrels_expanded.tsv is preferred (it also counts other documents that hold the answer). unanswerable_queries.jsonl
    adds the questions that are strictly unanswerable. A question without text is left out. docs: the folder that `source` names begin with.
    """
    documents = _corpus(folder / "corpus.jsonl", "id")
    expanded = folder / "qrels_expanded.tsv"
    relevant = _qrels(expanded if expanded.is_file() else folder / "qrels.tsv")
    queries = _jsonl(folder / "queries.jsonl", ("id", "text"))
    items = [_shared_item(q, relevant.get(str(q["id"]), ()), docs) for q in queries if q["text"].strip()]
    unanswerable = folder / "unanswerable_queries.jsonl"
    if unanswerable.is_file():
        items += [EvalItem(str(q["id"]), q["text"], answerable=False, type="no_answer")
                  for q in _jsonl(unanswerable, ("id", "text")) if q.get("strict", True)]  # fmt: skip
    return Imported(tuple(items), documents)


def from_beir(folder: Path, docs: str) -> Imported:
    """A BEIR folder (Thakur et al. 2021): corpus.jsonl {_id, title, text}, queries.jsonl {_id, text}, qrels/test.tsv.

    Gold is the document only. Queries without a relevant document are not part of the split and are left out.
    """
    split = next((p for name in ("test", "dev", "train") if (p := folder / "qrels" / f"{name}.tsv").is_file()), None)
    if split is None:
        raise UsageError(f"{folder} 里没有 qrels/test.tsv。", "BEIR 文件夹应有 corpus.jsonl、queries.jsonl 和 qrels/。")
    relevant = _qrels(split)
    queries = _jsonl(folder / "queries.jsonl", ("_id", "text"))
    items = (_shared_item(q | {"id": q["_id"]}, relevant[q["_id"]], docs) for q in queries if q["_id"] in relevant)
    return Imported(tuple(items), _corpus(folder / "corpus.jsonl", "_id"))


def _shared_item(query: Mapping[str, Any], relevant: Sequence[str], docs: str) -> EvalItem:
    groups = query.get("answer_groups") or []
    return EvalItem(
        id=str(query["id"]),
        question=query["text"],
        answerable=bool(relevant),
        type="fact" if relevant else "no_answer",
        gold=tuple(Gold(f"{docs}/{file_name(d)}") for d in relevant),
        answers=tuple(query.get("answers") or ()),
        must_include=tuple("|".join(g) for g in groups),
    )


def _corpus(path: Path, key: str) -> tuple[SourceDocument, ...]:
    return tuple(SourceDocument(str(d[key]), d.get("title") or "", d["text"]) for d in _jsonl(path, (key, "text")))


def _qrels(path: Path) -> dict[str, list[str]]:
    """Relevant documents by query, best first; lines "query document relevance", a header line is passed over."""
    graded: dict[str, list[tuple[float, str]]] = {}
    for number, line in enumerate(_read(path).splitlines(), 1):
        cells = line.split("\t")
        if len(cells) != 3 or not _is_number(cells[2]):
            if number == 1 or not line.strip():
                continue
            raise UsageError(f"{path.name} 第 {number} 行：应是“问题、文件、相关度”三列。", "请用制表符分隔。")
        if float(cells[2]) > 0:
            graded.setdefault(cells[0], []).append((-float(cells[2]), cells[1]))
    return {query: [d for _, d in sorted(found, key=lambda pair: pair[0])] for query, found in graded.items()}


# ---------------------------------------------------------------- SQuAD

def from_squad(path: Path, docs: str) -> Imported:
    """SQuAD-style JSON (v1.1 and v2.0, also CMRC 2018 and DRCD): one document a paragraph.

    The gold quote is the sentence around the first answer; `answers` holds all of them.
    """
    try:
        articles = json.loads(_read(path))["data"]
        paragraphs = [(a.get("title", ""), i, p) for a in articles for i, p in enumerate(a["paragraphs"])]
        documents, items = [], []
        for number, (title, i, paragraph) in enumerate(paragraphs):
            document = SourceDocument(f"{number:05d}-{title[:40]}-{i}", title, paragraph["context"])
            documents.append(document)
            source = f"{docs}/{file_name(document.id)}"
            items += [_squad_item(q, document.text, source) for q in paragraph["qas"]]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        hint = "应是 {\"data\": [{\"paragraphs\": …}]}。"
        raise UsageError(f"{path.name} 不是 SQuAD 格式：{error!r}。", hint) from error
    return Imported(tuple(items), tuple(documents))


def _squad_item(question: Mapping[str, Any], text: str, source: str) -> EvalItem:
    answers = [] if question.get("is_impossible") else question.get("answers", [])
    if not answers:
        return EvalItem(str(question["id"]), question["question"], answerable=False, type="no_answer")
    said = tuple(dict.fromkeys(a["text"] for a in answers))
    begin = _answer_start(answers[0], text)
    around = _sentence(text, begin, begin + len(said[0])) if begin >= 0 else ""
    return EvalItem(str(question["id"]), question["question"], gold=(Gold(source, around),), answers=said)


def _answer_start(answer: Mapping[str, Any], text: str) -> int:
    begin = answer.get("answer_start", -1)
    return begin if begin >= 0 and text.startswith(answer["text"], begin) else text.find(answer["text"])


def _sentence(text: str, start: int, end: int) -> str:
    around = [s for s in sentences(text) if s.start < end and s.end > start] or [Span(start, end)]
    return text[around[0].start : around[-1].end]


# ---------------------------------------------------------------- tables that people write

_COLUMNS = {
    "question": ("question", "问题", "提问"),
    "answer": ("answer", "答案", "参考答案"),
    "document": ("document", "文件", "来源", "文件名", "source"),
    "quote": ("quote", "引句", "原文"),
    "type": ("type", "类型"),
    "id": ("id", "编号", "序号"),
}


def from_table(path: Path) -> Imported:
    """A CSV or XLSX with the columns question, answer, document (问题、答案、文件), optionally quote, type, id.

    document: the source as the index names it. Several answers are written "甲|乙". A row without document and
    answer is a question the documents do not answer.
    """
    rows = list(_xlsx(path) if path.suffix.lower() == ".xlsx" else _csv(path))
    if not rows:
        raise UsageError(f"{path.name} 是空的。", "第一行写列名：问题、答案、文件。")
    head = [cell.strip().lower() for cell in rows[0]]
    at = {name: head.index(n) for name, known in _COLUMNS.items() for n in known if n in head}
    if missing := [_COLUMNS[n][1] for n in ("question", "answer", "document") if n not in at]:
        raise UsageError(f"{path.name} 缺少列：{'、'.join(missing)}。", "第一行写列名：问题、答案、文件。")
    items = []
    for number, row in enumerate(rows[1:], 2):
        cells = {name: row[i].strip() if i < len(row) else "" for name, i in at.items()}
        if any(cells.values()):
            items.append(_table_item(cells, number, path.name))
    return Imported(tuple(items))


def _table_item(cells: Mapping[str, str], number: int, name: str) -> EvalItem:
    if not cells["question"]:
        raise UsageError(f"{name} 第 {number} 行：没有问题。", "请补上问题，或删去这一行。")
    identity = cells.get("id") or f"row-{number:04d}"
    if not cells["document"]:
        if cells["answer"]:
            raise UsageError(f"{name} 第 {number} 行：有答案但没有写文件。", "请写明答案出自哪个文件。")
        return EvalItem(identity, cells["question"], answerable=False, type=cells.get("type") or "no_answer")
    answers = tuple(a.strip() for a in cells["answer"].split("|") if a.strip())
    gold = Gold(cells["document"], cells.get("quote", ""))
    return EvalItem(identity, cells["question"], type=cells.get("type") or "fact", gold=(gold,), answers=answers)


def _csv(path: Path) -> Iterator[list[str]]:
    yield from csv.reader(io.StringIO(_read(path), newline=""))


def _xlsx(path: Path) -> Iterator[list[str]]:
    try:
        import openpyxl
    except ImportError as error:
        hint = "请安装 pip install 'wenju[eval]'，或把表格另存为 CSV。"
        raise UsageError("读 .xlsx 需要 openpyxl，还没有安装。", hint) from error
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except Exception as error:  # openpyxl lets a dozen kinds through: zip, XML, key and value errors
        raise UsageError(f"{path.name} 打不开：{error}。", "请确认它是 .xlsx，或另存为 CSV。") from error
    try:
        for row in book.worksheets[0].iter_rows(values_only=True):
            yield ["" if cell is None else str(cell) for cell in row]
    finally:
        book.close()


# ---------------------------------------------------------------- reading

def _read(path: Path) -> str:
    """UTF-8, else GB 18030, which Excel writes on Chinese Windows."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UsageError(f"读不了 {path}：{error.strerror}。", "请确认路径写对了。") from error
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise UsageError(f"{path.name} 的编码认不出来。", "请以 UTF-8 保存。")


def _jsonl(path: Path, needed: Sequence[str]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(_read(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            raise UsageError(f"{path.name} 第 {number} 行：不是合格的 JSON。") from error
        if not isinstance(value, dict) or any(n not in value for n in needed):
            raise UsageError(f"{path.name} 第 {number} 行：缺少 {'、'.join(needed)}。")
        yield value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
