"""Late interaction over stored tokens against the same over their float rows."""

import random
from dataclasses import fields

import numpy as np

from rag.emphasis import Emphasis
from rag.reranking import best_matches, best_stored_matches


def test_products_of_whole_numbers_are_those_of_the_float_rows(pipeline, embedder):
    index = pipeline.index
    rows = np.arange(0, len(index), 3)
    floats = [index.tokens(int(row))[0] for row in rows]
    counts = np.array([len(part) for part in floats])
    for question in ("值班室电话是多少？", "春节期间值班要求是什么？"):
        tokens = embedder.embed_query(question).tokens
        exact = best_matches(tokens, np.concatenate(floats), counts)
        assert np.abs(best_stored_matches(tokens, *index.stored_tokens_of(rows)) - exact).max() < 5e-5


def test_passages_and_questions_without_tokens_count_nothing():
    tokens = np.array([[127, 0], [0, 127]], np.int8)
    best = best_stored_matches(np.array([[1.0, 0.0]], np.float32), tokens, np.full(2, 127, np.float32), np.array([0, 2, 0]))
    np.testing.assert_allclose(best, [[0], [1], [0]], atol=1e-4)
    assert best_stored_matches(np.empty((0, 2), np.float32), tokens, np.full(2, 127, np.float32), np.array([2])).shape == (1, 0)
    nothing = best_stored_matches(np.ones((1, 2), np.float32), tokens[:0], np.empty(0, np.float32), np.array([0, 0]))
    assert nothing.tolist() == [[0], [0]]


def test_words_looked_for_in_many_texts_at_once_are_those_that_each_of_them_has():
    draw = random.Random(7)
    letters = "兰州市疫情防控值班电话ab1\U00020000 \n"
    for aliases in ((), (("疫情", "防控"),)):
        for _ in range(200):
            texts = ["".join(draw.choices(letters, k=draw.randrange(60))) for _ in range(draw.randrange(6))]
            pairs = tuple(dict.fromkeys("".join(draw.choices(letters[:-1], k=draw.choice((1, 2, 2, 3)))) for _ in range(8)))
            asked = Emphasis(np.ones(1), pairs, (), np.ones(len(pairs)), aliases)
            each = [asked.said_in(text) for text in texts]
            assert (asked.said_in_each(texts) == np.array(each, bool).reshape(len(texts), len(pairs))).all()


def test_a_document_that_was_found_is_the_whole_document(pipeline):
    index = pipeline.index
    entry = next(iter(index.metas.values()))
    found, whole = index.outlined(entry.id), index.document(entry.id)
    assert all(getattr(found, field.name) == getattr(whole, field.name) for field in fields(whole))
    assert found.name == whole.name
