"""Eval sets: what ships is sound, what is wrong is named by file and line, gold is found where it stands."""

import json
from pathlib import Path

import pytest
from eval_fakes import QUESTIONS, TEXTS, BigramAsker

from eval.locate import Locator, SourceText, kept
from eval.sets import SHIPPED, EvalItem, Gold, find_set, load_set, save_set
from rag.errors import UsageError

ROOT = Path(__file__).parents[1]
GOOD = {"id": "a", "question": "电话？", "gold": [{"source": "docs/a.txt", "quote": "值班室电话是0931-8826009"}]}


def write(path: Path, *lines: object) -> Path:
    path.write_text("".join((x if isinstance(x, str) else json.dumps(x, ensure_ascii=False)) + "\n" for x in lines))
    return path


def test_a_set_reads_back_as_written(tmp_path):
    first = load_set(write(tmp_path / "s.jsonl", *QUESTIONS), BigramAsker().text_of)
    assert len(first.items) == len(QUESTIONS)
    save_set(first.items, tmp_path / "t.jsonl")
    again = load_set(tmp_path / "t.jsonl", BigramAsker().text_of)
    assert again.items == first.items
    assert first.name == "s" and first.digest != again.digest  # the digest is of the bytes


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("{", "不是合格的 JSON"),
        ([1], "应是一个 JSON 对象"),
        (GOOD | {"id": "b", "golds": []}, "golds"),
        (GOOD | {"id": ""}, "缺少 id"),
        (GOOD | {"id": "b", "question": " "}, "缺少 question"),
        (GOOD | {"id": "b", "answerable": "yes"}, "answerable"),
        (GOOD | {"id": "b", "must_include": "电话"}, "must_include"),
        (GOOD | {"id": "b", "gold": [{"quote": "电话"}]}, "gold"),
        (GOOD | {"id": "b", "gold": []}, "缺少 gold"),
        (GOOD, "重复"),
        (GOOD | {"id": "b", "gold": [{"source": "docs/a.txt", "quote": "电话是0931-8826008"}]}, "不在 docs/a.txt 里"),
        (GOOD | {"id": "b", "gold": [{"source": "docs/none.txt"}]}, "索引里没有文件 docs/none.txt"),
    ],
)
def test_what_is_wrong_is_named_by_file_and_line(tmp_path, bad, said):
    path = write(tmp_path / "bad.jsonl", GOOD, "", bad)
    with pytest.raises(UsageError) as caught:
        load_set(path, BigramAsker().text_of)
    assert "bad.jsonl 第 3 行" in str(caught.value) and said in str(caught.value)


def test_a_file_that_cannot_be_a_set(tmp_path):
    (tmp_path / "gbk.jsonl").write_bytes("问题".encode("gbk"))
    for path in (tmp_path / "gbk.jsonl", tmp_path / "none.jsonl", write(tmp_path / "empty.jsonl", "")):
        with pytest.raises(UsageError):
            load_set(path)
    with pytest.raises(UsageError, match="seeds_dev"):
        find_set("no_such_set")


def test_every_shipped_set_is_sound():
    shipped = sorted(SHIPPED.glob("*.jsonl"))
    assert shipped
    for path in shipped:
        assert find_set(path.stem) == path
        # the files are quoted as the folder of the project sees them
        assert load_set(path, lambda source: (ROOT / source).read_text(encoding="utf-8")).items


# ---------------------------------------------------------------- where gold stands

def test_kept_characters():
    assert kept("  ３－１１岁，\n“儿童”。") == "3-11岁儿童"
    assert kept("1.5万、2") == "1.5万2"
    assert kept("1.5%") != kept("15%")


def test_occurrences_map_back_to_the_original():
    text = "值班 室，\n值班室。"
    source = SourceText(text)
    spans = source.find("值班室")
    assert [text[source.at[a] : source.at[b - 1] + 1] for a, b in spans] == ["值班 室", "值班室"]
    assert len(source.find("。")) == 0


def test_touching_and_covering():
    locator = Locator(BigramAsker().text_of)
    item = EvalItem("x", "?", gold=(Gold("docs/c.txt", "建设30个社区养老服务中心"),))
    (target,) = locator.targets(item)
    text = TEXTS["docs/c.txt"]
    start, broken = text.index("建设30个"), text.index("\n养老服务中心")
    assert locator.covered(target, [("docs/c.txt", start, broken)]) == pytest.approx(7 / 13)
    assert locator.covered(target, [("docs/c.txt", start, broken), ("docs/c.txt", broken, len(text))]) == 1
    assert locator.covered(target, [("docs/a.txt", start, len(text))]) == 0
    assert locator.touched(target, "docs/c.txt", start, start + 2)  # wholly inside the gold
    assert not locator.touched(target, "docs/c.txt", 0, start + 2)  # mostly outside
    assert not locator.touched(target, "docs/a.txt", start, broken)


def test_answers_are_looked_for_in_gold_documents_and_copies_count_as_the_same():
    texts = dict(TEXTS) | {"copy/c.txt": TEXTS["docs/c.txt"]}
    locator = Locator(texts.__getitem__)
    item = EvalItem("x", "?", gold=(Gold("docs/c.txt"),), answers=("30 个", "三十个"))
    (target,) = locator.answer_targets(item)
    start = TEXTS["docs/c.txt"].index("建设30个")
    assert locator.covered(target, [("copy/c.txt", start, start + 10)]) == 1
    assert locator.is_gold(item, "copy/c.txt") and not locator.is_gold(item, "docs/a.txt")
    unknown = EvalItem("x", "?", gold=(Gold("docs/c.txt"),), answers=("没有这句",))
    assert locator.answer_targets(unknown) == ()
    assert locator.touched(locator.targets(unknown)[0], "docs/c.txt", 0, 1)  # the document is all that is known


def test_all_gold_makes_every_quote_a_target():
    gold = (Gold("docs/a.txt", "24小时"), Gold("docs/b.txt", "防火"))
    locator = Locator(BigramAsker().text_of)
    assert len(locator.targets(EvalItem("x", "?", gold=gold))) == 1
    assert len(locator.targets(EvalItem("x", "?", gold=gold, all_gold=True))) == 2
