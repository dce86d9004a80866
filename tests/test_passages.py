"""Passages: what every document must fulfil, and how the seeds are cut."""

import json
import re
import tarfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.loading import SUFFIXES, load, office
from rag.passages import LONGEST, cut, section_at
from rag.schema import Document, Passage
from rag.text import compact, sentences
from tests.conftest import ROOT, SHARED

SEEDS = sorted((ROOT / "seeds").glob("*.txt"))
_CUT_INSIDE = re.compile(r"\d[.:：]$|\d{3,4}[-—]$|《[^》]*$|\d年$|〔\d*$")
_KEPT = re.compile(
    r"“[^“”\n]{1,250}”|《[^《》\n]{1,250}》|\d[\d,]*\.\d+|\d{4}[.年/-]\d{1,2}[.月/-]\d{1,2}日?|0\d{2,3}-\d{7,8}|[〔\[]\d{4}[〕\]]\s?第?\d+\s?号")
"""Quotations, titles, decimals, dates, telephone and document numbers."""
_GOES_ON = re.compile(r"^(?:\d|[》〕）])")


def check(document: Document) -> list[Passage]:
    """Asserts all that holds for every document; gives its passages."""
    passages = cut(document)
    text = document.text
    covered = bytearray(len(text))
    before = 0
    for passage in passages:
        assert passage.start >= before, "passages overlap"
        before = passage.end
        assert compact(text[passage.start : passage.end]) == compact(passage.text)
        assert 0 < len(passage.text) <= LONGEST + 40
        covered[passage.start : passage.end] = b"\x01" * (passage.end - passage.start)
        if passage.section >= 0:
            section = document.sections[passage.section]
            assert section.start <= passage.start and passage.end <= section.end
            assert section.path == passage.section_path
        else:
            assert passage.section_path == ()
    body = bytearray(len(text))
    for span in document.body:
        body[span.start : span.end] = b"\x01" * (span.end - span.start)
    for word in re.finditer(r"\S+", text):
        assert body[word.start() : word.end()] == covered[word.start() : word.end()], "body and passages differ"
    for index, section in enumerate(document.sections):
        assert section.start < section.end and section.parent < index
        if section.parent >= 0:
            parent = document.sections[section.parent]
            assert parent.start <= section.start and section.end <= parent.end
            assert section.path[: len(parent.path)] == parent.path and section.level == parent.level + 1
    for span in document.meta.proof.values():
        assert 0 <= span.start < span.end <= len(text)
    return passages


def whole(passages: list[Passage]) -> None:
    """Asserts that no sentence of a passage ends inside a number, a date, a telephone number, a title or a quotation."""
    for passage in passages:
        inside = [m.span() for m in _KEPT.finditer(passage.text)]
        pieces = list(sentences(passage.text))
        for piece, after in pairwise(pieces):
            said, ahead = passage.text[piece.start : piece.end], passage.text[after.start : after.end]
            assert not (_CUT_INSIDE.search(said) and _GOES_ON.match(ahead)), (said[-20:], ahead[:20])
            assert not any(a < piece.end < b for a, b in inside), passage.text


def unbroken(document: Document, passages: list[Passage]) -> None:
    """Asserts that no passage ends inside a number."""
    for one, other in pairwise(passages):
        assert not (one.end == other.start and document.text[one.end - 1 : one.end + 1].isdigit())


def documents(tmp: Path) -> Iterator[Document]:
    """Seeds, and all of the shared documents: notices, pages, laws, office files; and texts in one line."""
    for path in SEEDS:
        yield load(path, path.name)[0]
    if not SHARED.is_dir():
        return
    for pattern in ("holiday_notices/*.txt", "gov_cn_html/*.html", "guangzhou_gov_html/*.html", "guangzhou_gov_html/*.md"):
        for path in sorted((SHARED / "docs").glob(pattern)):
            yield load(path, path.name)[0]
    for path in sorted((SHARED / "docs" / "office").iterdir()):
        if path.suffix in SUFFIXES and (path.suffix != ".doc" or office.program()):
            yield load(path, path.name)[0]
    with (SHARED / "ncp_policy_qa_dev" / "corpus.jsonl").open(encoding="utf-8") as file:
        for line in file:
            (tmp / "a.txt").write_text(json.loads(line)["text"], encoding="utf-8")
            yield load(tmp / "a.txt", "a.txt")[0]
    for archive in sorted((SHARED / "docs" / "lawrefbook").glob("*.tar.gz")):
        with tarfile.open(archive) as tar:
            for member in (m for m in tar if m.name.endswith(".md")):
                (tmp / "a.md").write_bytes(tar.extractfile(member).read())  # type: ignore[union-attr]
                yield load(tmp / "a.md", member.name)[0]


def test_every_document_is_cut_without_loss(tmp_path: Path) -> None:
    count = 0
    for document in documents(tmp_path):
        found = check(document)
        whole(found)
        unbroken(document, found)
        count += 1
    assert count >= (3800 if SHARED.is_dir() else 5)


_PIECES = st.lists(st.sampled_from([
    "一、加强值班", "二、", "（一）", "1.", "1.5万元", "第一条 ", "一要", "二要", "节俭过节", "。", "；", "：", "，", "\n", "\n\n", " ", "　　",
    "（", "）", "《", "》", "“", "”", "电话:0931-8826009", "某市民政局", "2021年12月31日", "附件1", "打印本页", "好" * 45, "通知", "关于", "目录",
]), max_size=60)


@settings(max_examples=300, deadline=None)
@given(_PIECES)
def test_any_text_is_cut_without_loss(tmp_path_factory: pytest.TempPathFactory, pieces: list[str]) -> None:
    text = "值班。" + "".join(pieces)
    path = tmp_path_factory.getbasetemp() / "any.txt"
    path.write_text(text, encoding="utf-8", newline="")
    check(load(path, "any.txt")[0])


# ---------------------------------------------------------------- the seeds

def passages(number: int) -> tuple[Document, list[Passage]]:
    document = load(SEEDS[number], SEEDS[number].name)[0]
    return document, cut(document)


def test_the_head_is_a_passage_of_its_own() -> None:
    _, found = passages(1)
    assert found[0].text == "兰民发〔2021〕239号\n各县区民政局,局机关各科室、局属各单位:"
    assert found[0].section == -1


def test_telephone_numbers_and_signature_are_passages_of_their_own() -> None:
    document, found = passages(1)
    kinds = {document.sections[p.section].kind: p.text for p in found if p.section >= 0}
    assert kinds["contacts"] == "值班室电话:0931-8826009\n紧急联系人:王峥13919009008\n孙崎栋13109309898"
    assert kinds["signature"] == "兰州市民政局\n2021年12月31日"


def test_inline_items_are_passages_of_their_own_when_long_enough() -> None:
    _, found = passages(1)
    short = next(p for p in found if p.text.startswith("五要加强临时救助力度"))
    assert short.text.endswith("给予救助。")
    assert short.section_path == ("二、心系群众冷暖,用心用情关爱困难群众", "五要加强临时救助力度")


def test_a_heading_goes_with_what_it_heads() -> None:
    for number in (2, 4):
        _, found = passages(number)
        assert not [p.text for p in found if re.fullmatch(r"[一二三四五六七八九]、[^。]*", p.text)]


def test_short_items_are_packed_below_their_parent(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("条例\n第五条 职工行使以下权利：\n（一）参加工会；\n（二）民主管理；\n（三）民主选举。", encoding="utf-8")
    found = cut(load(tmp_path / "a.txt", "a.txt")[0])
    assert [(p.section_path, p.text) for p in found] == [
        ((), "条例"), (("第五条",), "第五条 职工行使以下权利：\n（一）参加工会；\n（二）民主管理；\n（三）民主选举。".replace("第五条 ", "第五条"))]


def test_wrapped_lines_read_whole() -> None:
    _, found = passages(3)
    first = next(p for p in found if "渝水区" in p.text)
    assert "习近平总书记对江西新余市渝水区一临街店铺火灾事故作出的重要指示精神" in first.text


def test_sizes_stay_in_bounds() -> None:
    sizes = [len(p.text) for number in range(5) for p in passages(number)[1]]
    assert max(sizes) <= 340
    assert sum(120 <= s <= 300 for s in sizes) >= 0.6 * len(sizes)


def test_an_endless_sentence_is_cut_at_its_clauses(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("一、任务。" + "；".join("做好值班工作并按时报告情况" * 8 for _ in range(12)) + "。", encoding="utf-8")
    found = check(load(tmp_path / "a.txt", "a.txt")[0])
    assert len(found) > 3
    assert all(p.text[-1] in "；。" for p in found)


def test_the_deepest_section_of_a_range() -> None:
    document, _ = passages(1)
    at = document.text.index("家庭聚餐聚会")
    assert document.sections[section_at(document, at, at + 6)].label == "二要"
    assert section_at(document, 0, 3) == -1
