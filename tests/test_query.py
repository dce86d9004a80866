"""Understanding questions: slots, forms, relative time."""

import datetime as dt

import pytest

from rag.errors import QuestionError, UsageError
from rag.query import understand
from rag.scope import filtered
from rag.spelling import mended

TODAY = dt.date(2023, 1, 10)


def ask(question: str):
    return understand(question, TODAY)


@pytest.mark.parametrize(("question", "slots"), [
    ("2012年国庆节放假几天？", {"years": (2012,), "festivals": ("国庆节",), "form": "number"}),
    ("二〇一三年端午哪天上班", {"years": (2013,), "festivals": ("端午节",), "form": "when"}),
    ("去年过年怎么值班", {"years": (2022,), "festivals": ("春节",)}),
    ("蘭州市教育局的值班電話", {"places": ("兰州",), "offices": ("兰州市教育局",), "form": "phone"}),
    ("兰民发[2021]239号是谁发的？", {"numbers": ("兰民发〔2021〕239号",), "form": "metadata", "years": ()}),
    ("《农民专业合作社法》第三十三条的内容是什么？", {"titles": ("农民专业合作社法",), "labels": ((33, "条"),)}),
    ("What are the duty requirements for the Dragon Boat Festival in 2025?",
     {"language": "other", "festivals": ("端午节",), "years": (2025,)}),
    ("第十一条和五一路的十一个项目", {"festivals": ()}),
    ("五一放几天假", {"festivals": ("劳动节",)}),
    ("陕西省西安市旅居史的人怎么办", {"places": ("西安",)}),
    ("哪些文件提到值班？", {"form": "collection"}),
    ("“四方责任”指哪四方？", {"form": "definition"}),
])
def test_slots(question: str, slots: dict) -> None:
    query = ask(question)
    assert {name: getattr(query, name) for name in slots} == slots


def test_relative_year_says_what_was_assumed() -> None:
    assert ask("今年春节怎么值班").interpreted().assumptions == ("“今年”按2023年理解",)


@pytest.mark.parametrize("question", ["", "  \n", "？", "值", "!!!!", "长" * 2001, "长" * 100_000])
def test_impossible_questions_are_refused_with_a_hint(question: str) -> None:
    with pytest.raises(QuestionError) as caught:
        ask(question)
    assert caught.value.message and caught.value.hint


def test_filters_narrow_and_unknown_ones_are_refused() -> None:
    assert filtered(ask("值班要求"), {"year": "2022", "issuer": "民政局"}, "2023-01-10").years == (2022,)
    with pytest.raises(UsageError, match="colour"):
        filtered(ask("值班要求"), {"colour": "red"}, "2023-01-10")
    with pytest.raises(UsageError, match="年份"):
        filtered(ask("值班要求"), {"year": "二二"}, "2023-01-10")


@pytest.mark.parametrize(("question", "title"), [
    ("公路法第三十一条怎么规定？", "公路法"), ("根据《公路法》怎么处罚？", "公路法"), ("宪法第一条", "宪法"),
    ("食品安全法规定罚款几倍？", "食品安全法"), ("这个办法第七条说什么？", ""), ("本条例第三条", ""), ("有什么办法规定值班？", ""),
])
def test_a_law_is_named_with_and_without_brackets(question: str, title: str) -> None:
    assert "".join(understand(question).titles) == title


def test_festivals_called_by_their_day_are_sought_by_their_names_too() -> None:
    written = understand("五一路2012年五一放几天假").written_out()
    assert written is not None and written.text == "五一路2012年劳动节放假几天"


def test_a_year_to_be_reached_may_stand_in_a_document_of_any_year() -> None:
    assert understand("到2025年总规模要达到多少").months == ("2025年",) and understand("2025年底前完成什么").months == ("2025年",)
    assert understand("2025年的通知怎么说").months == ()


def test_a_character_beside_a_number_is_no_typo() -> None:
    assert mended("五一芬发", lambda pair: 9 * (pair == "一分")) == ("五一芬发", [])


def test_a_character_that_only_joins_words_is_no_typo() -> None:
    assert mended("信息保护法里对孩子怎么规定", lambda pair: 9 * (pair == "法利")) == ("信息保护法里对孩子怎么规定", [])


@pytest.mark.parametrize(("question", "title"), [
    ("民法典规定的结婚年龄是多少", "民法典"), ("个人信息保护法里对未成年人怎么规定", "个人信息保护法"), ("城市物业管理条例对充电怎么规定", "城市物业管理条例"),
])
def test_a_law_named_without_brackets(question: str, title: str) -> None:
    assert understand(question).titles == (title,)


def test_a_character_is_not_mended_to_make_a_word_with_the_asking() -> None:
    known = {"购有": 3, "疫情": 9}.get
    assert mended("上海养狗有什么规定", lambda pair: known(pair, 0)) == ("上海养狗有什么规定", [])
    assert mended("疫晴防控有什么规定", lambda pair: known(pair, 0)) == ("疫情防控有什么规定", [("疫晴", "疫情")])


@pytest.mark.parametrize(("question", "titles"), [
    ("《通行证》怎么办理？", ()), ("《报名登记表》交给谁？", ()), ("《送货单》谁签字？", ()), ("《市场准入负面清单》是哪年发的？", ("市场准入负面清单",)),
])
def test_what_people_carry_or_fill_in_is_no_document(question: str, titles: tuple[str, ...]) -> None:
    assert understand(question).titles == titles
