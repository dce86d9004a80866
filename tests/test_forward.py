"""The pass without padding and the ordinary one; a question alone, among others, and among other threads."""

import threading
import time

import numpy as np
import pytest
from test_embedding import ENGLISH, MIXED, TEXTS, TRADITIONAL, embed, load, tiny_model

from rag.bert import Bert
from rag.embedding import SentenceEmbedder
from rag.readings import Padded
from rag.turns import Turns

QUESTIONS = list(dict.fromkeys([*TEXTS[:40], *ENGLISH, *TRADITIONAL, *MIXED, "", "值班", "值班" * 400]))


@pytest.fixture(scope="module")
def exact(settings) -> SentenceEmbedder:
    return SentenceEmbedder.load(settings, bfloat16=False)


@pytest.fixture(params=["bert", "padded"])
def either(request, embedder, tmp_path) -> SentenceEmbedder:
    """The default model, and one that only the ordinary pass computes."""
    return embedder if request.param == "bert" else load(tiny_model(tmp_path / "tiny", act="relu"))


def same(one, other) -> bool:
    """Equal to the last bit where the processor's products are known to be so; elsewhere all but."""
    import torch

    close = {} if torch.cpu.get_capabilities().get("avx512_f") else {"atol": 2e-6, "rtol": 0}
    equal = (lambda a, b: np.allclose(a, b, **close)) if close else np.array_equal
    return equal(one.vector, other.vector) and equal(one.tokens, other.tokens) and np.array_equal(one.spans, other.spans)


# ---------------------------------------------------------------- which pass

def test_the_default_model_is_computed_without_padding_as_the_ordinary_pass_does(exact, settings, monkeypatch):
    assert isinstance(exact._pass, Bert)
    monkeypatch.setattr("rag.embedding.recognised", lambda encoder: False)
    ordinary = SentenceEmbedder.load(settings, bfloat16=False)
    assert isinstance(ordinary._pass, Padded) and ordinary.digest == exact.digest
    for ours, theirs in zip(exact.embed_queries(QUESTIONS), ordinary.embed_queries(QUESTIONS), strict=True):
        assert float(ours.vector @ theirs.vector) >= 0.99999
        assert (ours.tokens * theirs.tokens).sum(axis=1).min(initial=1) >= 0.99999
        assert np.array_equal(ours.spans, theirs.spans)


@pytest.mark.parametrize("kind", ["Bert", "Roberta", "XLMRoberta"])
def test_padding_written_in_a_text_is_read_as_the_model_reads_it(kind, tmp_path, monkeypatch):
    folder = tiny_model(tmp_path / "tiny", kind=kind)
    quick = load(folder)
    assert isinstance(quick._pass, Bert)
    monkeypatch.setattr("rag.embedding.recognised", lambda encoder: False)
    ordinary = load(folder)
    texts = ["值班[PAD][PAD]电话", "值班", "[PAD]"]
    for ours, theirs in zip(quick.embed_queries(texts), ordinary.embed_queries(texts), strict=True):
        assert float(ours.vector @ theirs.vector) >= 0.999


def test_a_model_on_which_the_passes_differ_is_computed_the_ordinary_way(tmp_path, monkeypatch):
    folder = tiny_model(tmp_path / "tiny")
    assert isinstance(load(folder)._pass, Bert)
    attended = Bert._attended
    monkeypatch.setattr(Bert, "_attended", lambda self, three, alike: 99 * attended(self, three, alike))
    assert isinstance(load(folder)._pass, Padded)
    monkeypatch.setattr(Bert, "_attended", lambda self, three, alike: three)
    assert isinstance(load(folder)._pass, Padded), "an error in it is no reason to fail"


# ---------------------------------------------------------------- company changes nothing

def test_questions_embedded_together_are_the_same(either):
    for question, together in zip(QUESTIONS, either.embed_queries(QUESTIONS), strict=True):
        assert same(either.embed_query(question), together)


def test_a_passage_is_the_same_in_any_company(embedder):
    together = embed(embedder, TEXTS)
    assert all(same(embed(embedder, [text])[0], one) for text, one in zip(TEXTS[::5], together[::5], strict=True))


def test_questions_of_many_threads_are_computed_together_and_the_same(either, monkeypatch):
    alone = [either.embed_query(question) for question in QUESTIONS]
    sizes, work = [], either._turns._work
    monkeypatch.setattr(either._turns, "_work", lambda readings: sizes.append(len(readings)) or work(readings))
    found = {}
    ready = threading.Barrier(len(QUESTIONS))

    def ask(at: int) -> None:
        ready.wait()
        found[at] = either.embed_query(QUESTIONS[at])

    run([threading.Thread(target=ask, args=(at,)) for at in range(len(QUESTIONS))])
    assert all(same(one, found[at]) for at, one in enumerate(alone))
    assert sum(sizes) == len(QUESTIONS) > len(sizes)


# ---------------------------------------------------------------- taking turns

def run(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)


class Work:
    """Gives each number its double; the first call waits until it is let go."""

    def __init__(self, fails: bool = False) -> None:
        self.given, self.began, self.go, self.fails = [], threading.Event(), threading.Event(), fails

    def __call__(self, numbers):
        self.given.append(list(numbers))
        self.began.set()
        assert self.go.wait(30)
        if self.fails and len(self.given) > 1:
            raise MemoryError
        return [2 * n for n in numbers]


def all_at_once(work: Work, most: int) -> dict[int, object]:
    """0 is begun; 1 … 9 come while it is at work."""
    turns, found = Turns(work, most), {}

    def ask(n: int) -> None:
        try:
            found[n] = turns.result_of(n)
        except MemoryError as error:
            found[n] = error

    first = threading.Thread(target=ask, args=(0,))
    first.start()
    assert work.began.wait(30)
    others = [threading.Thread(target=ask, args=(n,)) for n in range(1, 10)]
    for other in others:
        other.start()
    while len(turns._waiting) < 9:
        time.sleep(0.001)
    work.go.set()
    for thread in (first, *others):
        thread.join(30)
    assert not turns._waiting
    return found


def test_what_comes_while_one_is_at_work_is_done_together():
    work = Work()
    assert all_at_once(work, most=6) == {n: 2 * n for n in range(10)}
    assert [len(given) for given in work.given] == [1, 6, 3]


def test_an_error_is_told_to_all_it_befell_and_nobody_waits_for_ever():
    found = all_at_once(Work(fails=True), most=64)
    assert found.pop(0) == 0
    assert len(found) == 9 and all(isinstance(error, MemoryError) for error in found.values())
