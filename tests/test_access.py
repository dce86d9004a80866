"""Who may see which document: for every group, every door gives exactly what an index without the hidden documents would."""

import json
from dataclasses import replace
from itertools import combinations

import pytest
from access_fakes import GROUPS, Remembering, groups_of, pipeline_of, questions, secret, visible

from rag.pipeline import Pipeline
from rag.schema import Answer, to_json

ASKERS = [()] + [(g,) for g in GROUPS]


@pytest.fixture(scope="module")
def remembering(embedder) -> Remembering:
    return Remembering(embedder)


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory, remembering: Remembering) -> Pipeline:
    """All thirty notices."""
    return pipeline_of(tmp_path_factory.mktemp("everything"), range(30), remembering)


@pytest.fixture(scope="module", params=ASKERS, ids=lambda groups: "".join(groups) or "nobody")
def pair(request, tmp_path_factory, everything: Pipeline, remembering: Remembering) -> tuple[Pipeline, Pipeline]:
    """What a member sees, and what there would be without the hidden notices."""
    never = pipeline_of(tmp_path_factory.mktemp("never"), visible(request.param), remembering)
    return everything.visible_to(request.param), never


def bare(answer: Answer) -> Answer:
    """Without what names the whole index."""
    return replace(answer, timings_ms={}, generation="")


def test_every_answer_is_that_of_an_index_without_the_hidden(pair: tuple[Pipeline, Pipeline]) -> None:
    seen, never = pair
    kinds = set()
    for question in dict.fromkeys(q for n in range(30) for q in questions(n)):
        got, wanted = seen.ask(question), never.ask(question)
        assert bare(got) == bare(wanted), question
        kinds.add(got.status)
    assert kinds == {"answered", "no_evidence"}


def test_every_search_and_explanation_is_that_of_an_index_without_the_hidden(pair: tuple[Pipeline, Pipeline]) -> None:
    seen, never = pair
    for n in range(30):
        question = questions(n)[0]
        got, wanted = seen.search(question, 20), never.search(question, 20)
        assert to_json(got.hits) == to_json(wanted.hits)
        assert to_json(seen.explain(question)) == to_json(never.explain(question))


def test_lists_documents_examples_and_spelling_are_those_of_an_index_without_the_hidden(pair: tuple[Pipeline, Pipeline]) -> None:
    seen, never = pair
    assert tuple(seen.documents()) == tuple(never.documents())
    assert seen.examples(50) == never.examples(50)
    for entry in never.documents():
        assert seen.document(entry.id) == never.document(entry.id)
        assert seen.text_of(entry.source) == never.text_of(entry.source)
    for typo in ("青石县至班要求是什么？", "消防检察几次？", "鹭导行动是什么？"):
        assert bare(seen.ask(typo)) == bare(never.ask(typo))


def test_hidden_documents_are_nowhere(everything: Pipeline) -> None:
    entries = {int(entry.source[-6:-4]): entry for entry in everything.documents()}
    for groups in combinations(GROUPS, 2):  # single groups: see above
        seen, kept = everything.visible_to(groups), visible(groups)
        for n in range(30):
            entry, word, shown = entries[n], secret(n), n in kept
            assert (entry.id in {e.id for e in seen.documents()}) == shown
            if shown:
                continue
            with pytest.raises(KeyError):
                seen.document(entry.id)
            with pytest.raises(KeyError):
                seen.text_of(entry.source)
            answers = [to_json(bare(seen.ask(q))) for q in questions(n)[:2]]
            told = json.dumps([a | {"question": "", "interpreted": ""} for a in answers], ensure_ascii=False)
            assert entry.source not in told and entry.id not in told and word not in told.replace(f"“{word}”", "")


def test_views_are_shared_and_whoever_may_see_all_gets_the_whole(everything: Pipeline) -> None:
    assert everything.visible_to(GROUPS) is everything
    assert everything.visible_to((*GROUPS, "别的")) is everything
    assert everything.visible_to(("人事", "别的")) is everything.visible_to(["人事"])
    assert len(everything.visible_to(()).documents()) == sum(not groups_of(n) for n in range(30))


def test_an_index_of_which_nothing_may_be_seen_answers_like_an_empty_one(tmp_path, remembering: Remembering) -> None:
    hidden = pipeline_of(tmp_path / "a", [1], remembering).visible_to(())
    assert hidden.documents() == () and hidden.examples() == []
    answer = hidden.ask(questions(1)[0])
    assert answer.status == "no_evidence" and not answer.citations
    assert hidden.search(questions(1)[0]).hits == ()
