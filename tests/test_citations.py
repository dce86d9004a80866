"""Citations resolve, and claims are exact."""

import dataclasses

import pytest

from rag.citations import cite, exact_values, original_span, problems, shown, unsupported_values
from rag.schema import Answer, Claim, Document, Interpreted, Metadata, Passage, Section, Span
from rag.text import compact

TEXT = "标题\n\n　　值班室电\n话: 0931-8826009，24 小时\n有人。\n尾"
DOCUMENT = Document("d1", "a.txt", "0" * 64, TEXT, Metadata(), ())
PASSAGE = Passage("d1", -1, (), 4, len(TEXT) - 2, "值班室电话:0931-8826009，24小时有人。")


def answer(**changes) -> Answer:
    citation = cite(1, DOCUMENT, Span(6, len(TEXT) - 2), (), 0.9)
    base = Answer("电话？", "answered", "0931-8826009[1]", (Claim("0931-8826009", (1,)),), (citation,), 0.9, "extractive",
                  "g", Interpreted("电话？"), {})
    return dataclasses.replace(base, **changes)


def text_of(id: str) -> str | None:
    return TEXT if id == "d1" else None


def test_every_span_of_a_passage_resolves() -> None:
    for start in range(len(PASSAGE.text)):
        for end in range(start + 1, len(PASSAGE.text) + 1):
            span = original_span(DOCUMENT, PASSAGE, Span(start, end))
            assert compact(TEXT[span.start : span.end]) == compact(PASSAGE.text[start:end])


def test_a_true_answer_has_no_problems() -> None:
    assert problems(answer(), text_of) == []


@pytest.mark.parametrize(("changes", "found"), [
    ({"claims": (Claim("0931-8826008", (1,)),)}, "引文中没有"),
    ({"claims": (Claim("25小时有人", (1,)),)}, "引文中没有 25"),
    ({"claims": (Claim("有人", ()),)}, "没有可用的引文"),
    ({"claims": (Claim("有人", (2,)),)}, "没有可用的引文"),
    ({"answer": "有人[7]"}, "编号不存在"),
    ({"answer": "有人"}, "没有引文"),
    ({"citations": (dataclasses.replace(answer().citations[0], quote="值班室电话: 0931-8826008"),)}, "与原文不一致"),
    ({"citations": (dataclasses.replace(answer().citations[0], start=7),)}, "与原文不一致"),
    ({"citations": (dataclasses.replace(answer().citations[0], end=10_000),)}, "超出原文"),
    ({"citations": (dataclasses.replace(answer().citations[0], document_id="d2"),)}, "没有文件"),
    ({"citations": (dataclasses.replace(answer().citations[0], id=2),)}, "不连续"),
    ({"status": "no_evidence", "claims": (), "citations": ()}, "没有说明原因"),
])
def test_every_fault_is_named(changes: dict, found: str) -> None:
    assert any(found in problem for problem in problems(answer(**changes), text_of))


@pytest.mark.parametrize(("claim", "quote", "missing"), [
    ("拨付３５０００元", "拨付35000元", set()),
    ("二十三人", "共23人", set()),
    ("2025年", "2023年元旦", {"2025"}),
    ("0571-88889999", "0571-85210001", {"0571-88889999"}),
    ("兰民发〔2021〕240号", "兰民发〔2021〕239号", {"240"}),
    ("增长3.5%", "增长3%", {"3.5%"}),
])
def test_exactness(claim: str, quote: str, missing: set[str]) -> None:
    assert unsupported_values(claim, [quote]) == missing


def test_values_are_whole() -> None:
    assert exact_values("2023.1.1起，10,000元，三天") == {"2023.1.1", "10000", "3"}


def test_a_heading_on_a_line_of_its_own_is_parted_from_what_follows() -> None:
    text = "一、提高政治\n责任感\n今年是开局之年，\n做好工作。\n二、落实责任。各科室落实。"
    second = text.index("二、")
    sections = (Section(("一、提高政治责任感",), "一、", 1, 0, second, -1, "part"),
                Section(("二、落实责任。",), "二、", 1, second, len(text), -1, "part"))
    document = Document("d", "a.txt", "0" * 64, text, Metadata(), sections)
    assert shown(document, Span(0, second)) == "一、提高政治责任感 今年是开局之年，做好工作。"
    assert shown(document, Span(text.index("今年"), second)) == "今年是开局之年，做好工作。"
    assert shown(document, Span(second, len(text))) == "二、落实责任。各科室落实。"
