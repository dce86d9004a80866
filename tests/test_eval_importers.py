"""Importers: each format's questions and documents, what is wrong with a file, and the shared data as it is."""

import json
import sys
from pathlib import Path

import openpyxl
import pytest

from eval import importers
from eval.locate import Locator
from eval.sets import Gold, load_set, save_set
from rag.errors import UsageError

SHARED = Path(__file__).parents[2] / "shared" / "data"


def jsonl(path: Path, *rows: dict) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), encoding="utf-8")
    return path


def reads_back(imported: importers.Imported, folder: Path) -> None:
    """What was written loads as a set whose gold is in the files."""
    importers.write_documents(imported.documents, folder / "docs")
    save_set(imported.items, folder / "set.jsonl")

    def text_of(source: str) -> str:
        path = folder / source
        if not path.is_file():
            raise KeyError(source)
        return path.read_text(encoding="utf-8")

    assert load_set(folder / "set.jsonl", text_of).items == imported.items


def test_squad(tmp_path):
    context = "长春是省会。全省共有９个地级行政区，包括1个自治州。人口很多。"
    data = {"data": [{"title": "吉林/概况", "paragraphs": [{"context": context, "qas": [
        {"id": "1", "question": "有几个地级行政区？", "answers": [{"text": "９个", "answer_start": 10},
                                                         {"text": "９个地级行政区", "answer_start": 10}]},
        {"id": 2, "question": "面积多大？", "is_impossible": True, "answers": []},
        {"id": "3", "question": "省会是哪？", "answers": [{"text": "长春", "answer_start": 99}]},
    ]}]}]}  # fmt: skip
    path = tmp_path / "squad.json"
    path.write_text(json.dumps(data, ensure_ascii=False))
    imported = importers.from_squad(path, "docs")
    first, impossible, moved = imported.items
    assert first.gold[0].quote == "全省共有９个地级行政区，包括1个自治州。"
    assert first.answers == ("９个", "９个地级行政区")
    assert not impossible.answerable and impossible.id == "2" and not impossible.gold
    assert moved.gold[0].quote == "长春是省会。"  # a wrong offset is mended
    assert imported.documents[0].content == f"吉林/概况\n{context}"
    reads_back(imported, tmp_path)
    path.write_text('{"data": 3}')
    with pytest.raises(UsageError, match="不是 SQuAD 格式"):
        importers.from_squad(path, "docs")


def test_beir(tmp_path):
    jsonl(tmp_path / "corpus.jsonl", {"_id": "d/1", "title": "题", "text": "文"}, {"_id": "d2", "title": "", "text": "另"})
    jsonl(tmp_path / "queries.jsonl", {"_id": "q1", "text": "问？"}, {"_id": "q2", "text": "不在此处？"})
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td2\t1\nq1\td/1\t2\nq1\td3\t0\n")
    imported = importers.from_beir(tmp_path, "docs")
    assert [i.id for i in imported.items] == ["q1"]
    names = [importers.file_name(d) for d in ("d/1", "d2")]
    assert imported.items[0].gold == tuple(Gold(f"docs/{n}") for n in names)  # best first, irrelevant ones out
    reads_back(imported, tmp_path)
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1 d2 1\n")
    with pytest.raises(UsageError, match="第 2 行"):
        importers.from_beir(tmp_path, "docs")


ROWS = [["问题", "答案", "文件", "类型"], ["电话是多少？", "0931-8826009|8826009", "seeds/a.txt", "who"],
        ["高铁票多少钱？", "", "", ""], ["谁值班？", "", "seeds/a.txt", ""], ["", "", "", ""]]  # fmt: skip


@pytest.mark.parametrize("kind", ["utf-8", "utf-8-sig", "gb18030", "xlsx"])
def test_tables_that_people_write(tmp_path, kind):
    path = tmp_path / ("t.xlsx" if kind == "xlsx" else "t.csv")
    if kind == "xlsx":
        book = openpyxl.Workbook()
        for row in ROWS:
            book.active.append(row)
        book.save(path)
    else:
        path.write_text("\r\n".join(",".join(r) for r in ROWS), encoding=kind, newline="")
    first, unanswerable, bare = importers.from_table(path).items
    assert first.answers == ("0931-8826009", "8826009") and first.type == "who" and first.id == "row-0002"
    assert first.gold == (Gold("seeds/a.txt"),)
    assert not unanswerable.answerable and bare.answerable and bare.answers == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "是空的"), ("问题,答案\n", "缺少列：文件"), ("问题,答案,文件\n,7天,a.txt\n", "第 2 行：没有问题"),
     ("问题,答案,文件\n几天？,7天,\n", "第 2 行：有答案但没有写文件")],
)  # fmt: skip
def test_tables_with_faults(tmp_path, text, said):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(UsageError, match=said):
        importers.from_table(tmp_path / "t.csv")
    (tmp_path / "t.xlsx").write_bytes(b"no zip")
    with pytest.raises(UsageError, match="打不开"):
        importers.from_table(tmp_path / "t.xlsx")


def test_documents_are_written_exactly_and_apart(tmp_path):
    texts = ["一\r\n二\u2028三\n", "\ufeff头", "  空格在前"]
    documents = [importers.SourceDocument(i, "", t) for i, t in zip(["../a", ".. a", "CON.1"], texts, strict=True)]
    assert importers.write_documents(documents, tmp_path / "docs") == 3
    for document in documents:
        path = tmp_path / "docs" / importers.file_name(document.id)
        assert path.read_bytes().decode() == document.text and path.parent == tmp_path / "docs"
    with pytest.raises(UsageError, match="重复"):
        importers.write_documents([documents[0], documents[0]], tmp_path / "twice")


def test_shared_format(tmp_path):
    jsonl(tmp_path / "corpus.jsonl", {"id": "d1", "title": "题", "text": "题 有12人。"})
    jsonl(tmp_path / "queries.jsonl", {"id": "q1", "text": "几人？", "answers": ["12人", "十二人"],
                                       "answer_groups": [["12人", "十二人"]]}, {"id": "q2", "text": " "})  # fmt: skip
    (tmp_path / "qrels.tsv").write_text("q1\td1\t1\n")
    jsonl(tmp_path / "unanswerable_queries.jsonl", {"id": "u1", "text": "几岁？", "strict": True},
          {"id": "u2", "text": "几时？", "strict": False})  # fmt: skip
    imported = importers.from_shared(tmp_path, "docs")
    assert [i.id for i in imported.items] == ["q1", "u1"]
    assert imported.items[0].must_include == ("12人|十二人",) and imported.documents[0].content == "题 有12人。"
    reads_back(imported, tmp_path)
    jsonl(tmp_path / "corpus.jsonl", {"id": "d1", "title": "题"})
    with pytest.raises(UsageError, match=r"corpus\.jsonl 第 1 行"):
        importers.from_shared(tmp_path, "docs")


@pytest.mark.skipif(not SHARED.is_dir(), reason="shared data is not here")
@pytest.mark.parametrize(
    ("name", "documents", "answerable", "unanswerable", "located"),
    [("ncp_policy_qa_dev", 283, 597, 1113, 597), ("cmrc2018_trial", 256, 1000, 0, 1000),
     ("drcd_dev", 1000, 3524, 0, 3524), ("rgb_zh_refine", 7337, 300, 0, 300),
     ("lawbench_1_1_article_lookup", 23065, 469, 0, 300)],
)  # fmt: skip
def test_shared_data(name, documents, answerable, unanswerable, located):
    imported = importers.from_shared(SHARED / name, "docs")
    assert len(imported.documents) == documents
    assert sum(i.answerable for i in imported.items) == answerable
    assert sum(not i.answerable for i in imported.items) == unanswerable
    texts = {f"docs/{importers.file_name(d.id)}": d.content for d in imported.documents}
    locator = Locator(texts.__getitem__)
    found = sum(bool(locator.answer_targets(i)) for i in imported.items if i.answerable)
    assert found >= located


def test_a_missing_xlsx_reader_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(UsageError, match=r"openpyxl.*wenju\[eval\]"):
        importers.from_table(tmp_path / "a.xlsx")
