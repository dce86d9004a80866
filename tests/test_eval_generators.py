"""Generated questions: deterministic, marked, and different from the original in the one thing they claim."""

import pytest
from pypinyin import Style, lazy_pinyin

from eval.generators import follow_ups, near_misses, traditional, typos
from eval.sets import SHIPPED, EvalItem, Gold, load_set, parse_item, save_set
from rag.text import simplified

GOLD = (Gold("docs/a.txt", "值班"),)
ITEMS = (
    EvalItem("a", "2023年春节兰州市民政局怎么安排值班？", gold=GOLD),
    EvalItem("b", "2022年春节兰州市民政局怎么安排值班？", gold=GOLD, tags=("duty",)),
    EvalItem("c", "值班电话是多少？", gold=GOLD),
    EvalItem("d", "那兰州呢？", gold=GOLD, history=("春节怎么值班？",)),
    EvalItem("e", "2024年放假几天？", answerable=False, type="no_answer"),
)


def test_near_misses_swap_one_thing_for_an_absent_one():
    present = {"2022年", "2023年", "兰州", "吉林", "民政"}.__contains__
    made = list(near_misses(ITEMS, present))
    assert {i.id for i in made} == {"a+year0", "a+city1", "a+office3", "b+year0", "b+city1", "b+office3"}
    for item in made:
        old, new = item.note.split("：")[1].split("→")
        original = next(i for i in ITEMS if i.id == item.id[0])
        assert item.question == original.question.replace(old, new) and not present(new) and not present(new + "年")
        assert not item.answerable and not item.gold and {"near_miss", "generated"} <= set(item.tags)
    assert list(near_misses(ITEMS, lambda value: True)) == []


def test_generators_are_deterministic_and_seeded():
    absent = {"2022年"}.__contains__
    assert list(near_misses(ITEMS, absent, 1)) == list(near_misses(ITEMS, absent, 1)) != list(near_misses(ITEMS, absent, 2))
    assert list(typos(ITEMS, 1)) == list(typos(ITEMS, 1)) != list(typos(ITEMS, 2))
    assert [i for i in typos(ITEMS, 1) if i.id == "c+typo"] == list(typos(ITEMS[2:3], 1))  # neighbours do not matter


def test_traditional_questions_fold_back():
    made = {i.id: i for i in traditional(ITEMS)}
    assert made["c+traditional"].question == "值班電話是多少？"
    assert all(simplified(i.question) == o.question for o in ITEMS if (i := made.get(f"{o.id}+traditional")))
    assert made["b+traditional"].tags == ("duty", "traditional", "generated") and made["b+traditional"].gold == GOLD
    assert list(traditional([EvalItem("x", "三天", gold=GOLD)])) == []


@pytest.mark.parametrize("seed", range(20))
def test_a_typo_is_one_homophone(seed):
    for item, original in zip(typos(ITEMS, seed), ITEMS, strict=True):
        changed = [(a, b) for a, b in zip(original.question, item.question, strict=True) if a != b]
        assert len(changed) == 1 and item.id == f"{original.id}+typo"
        at = next(i for i, (a, b) in enumerate(zip(original.question, item.question, strict=True)) if a != b)
        read = lazy_pinyin(original.question, style=Style.TONE3, errors=list)[at]
        assert lazy_pinyin(changed[0][1], style=Style.TONE3)[0] == read


def test_follow_ups_ask_for_the_other_year():
    (made,) = follow_ups(ITEMS)
    assert made.question == "那2022年呢？" and made.history == (ITEMS[0].question,)
    assert made.standalone == ITEMS[1].question and made.gold == ITEMS[1].gold and made.id == "b+followup"


def test_what_is_made_of_a_shipped_set_is_a_set(tmp_path):
    items = load_set(SHIPPED / "seeds_dev.jsonl").items
    for name, made in (("traditional", traditional(items)), ("typos", typos(items))):
        made = tuple(made)
        assert len(made) > 0.8 * len(items)
        save_set(made, tmp_path / f"{name}.jsonl")
        assert load_set(tmp_path / f"{name}.jsonl").items == made
    assert parse_item({"id": "x", "question": "?", "answerable": False}, "here").answerable is False
