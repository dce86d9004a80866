"""English questions find Chinese words: through the dictionary, in any order of the words, and only what the documents know."""

from functools import partial

import pytest

from rag.emphasis import emphasis
from rag.glossary import offices, terms
from rag.query import understand
from rag.spelling import mended


@pytest.mark.parametrize(("said", "word"), [
    ("Who is on duty?", "值班"), ("performances for the grassroots", "演出"), ("the Standing Committee met", "常委会"),
    ("subsidies", "补贴"), ("the epidemic", "疫情"), ("vaccinated children", "接种"),
])
def test_a_word_in_any_form_has_its_chinese_words(said: str, word: str) -> None:
    assert any(word in term.words for term in terms(said))


def test_words_that_carry_no_matter_are_left_out() -> None:
    assert [term.said for term in terms("What is the phone number of the office?")] == ["phone number", "office"]


@pytest.mark.parametrize("said", ["Lanzhou Public Security Bureau", "the Bureau of Public Security in Lanzhou"])
def test_an_office_is_found_whatever_the_order_of_its_words(said: str) -> None:
    assert "公安局" in {name for _, name in offices(said)}


def test_the_office_of_a_place_is_a_slot() -> None:
    assert "兰州公安局" in understand("What is the phone number of the Lanzhou Public Security Bureau?").offices
    assert understand("Which bureau is meant?").offices == ()


def test_a_term_counts_where_any_of_its_known_words_stands() -> None:
    known = {"值班": 1.0, "演出": 2.0}
    weighed = emphasis("How is duty arranged in 2023?", lambda pair: known.get(pair, 9.0), "other")
    assert weighed.pairs == (" duty ",) and weighed.weights.tolist() == [1.0]
    assert weighed.said_in("春节值班安排").tolist() == [True] and weighed.said_in("春节演出安排").tolist() == [False]


def test_a_number_counts_as_itself() -> None:
    weighed = emphasis("What about 2023?", lambda pair: 1.0 if pair == "2023" else 9.0, "other")
    assert weighed.said_in("2023年春节").all() and not weighed.said_in("2022年春节").any()


def test_the_question_in_english_meets_the_passage(pipeline) -> None:
    answer = pipeline.ask("How many village veterinarians will be trained?")
    assert answer.status == "answered" and "兽医" in answer.answer


def test_a_character_is_not_taken_from_the_word_that_follows() -> None:
    known = {"限制": 9, "情况": 3, "疫情": 5}
    read = partial(mended, frequency=lambda pair: known.get(pair, 0))
    assert read("医院要先制定什么")[0] == "医院要先制定什么"
    assert read("疫晴怎么样")[0] == "疫情怎么样"


def test_a_particle_says_something_only_with_another_word() -> None:
    assert [term.said for term in terms("Who must be on duty on Sunday?")] == ["on duty", "sunday"]
    assert "责任" not in next(term.words for term in terms("on duty"))
