"""Wenju beside its peers: the parts that need no framework."""

import json
from pathlib import Path

import pytest
from fakes import HashEmbedder

import eval.peers.__main__ as command
from eval.bootstrap import Estimate
from eval.locate import Locator
from eval.peers import measure
from eval.peers.base import SIZE, Model, Source, Stretch, plain_cut
from eval.peers.bm25 import Bm25
from eval.peers.dense import Dense
from eval.peers.table import markdown
from eval.sets import EvalItem, Gold, find_set, load_set
from rag import text
from rag.text import compact

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def sources() -> list[Source]:
    return [Source(f"seeds/{p.name}", p.read_text(encoding="utf-8")) for p in sorted((ROOT / "seeds").glob("*.txt"))]


@pytest.fixture(scope="module")
def locator(sources) -> Locator:
    return Locator({s.name: s.text for s in sources}.__getitem__)


@pytest.fixture
def peers(tmp_path):
    model = Model(tmp_path, "", "", HashEmbedder())
    return [Dense(model), Bm25("词", "words", text.words, tmp_path), Bm25("二字组", "bigrams", text.bigrams, tmp_path)]


def test_plain_cut_loses_nothing_and_keeps_to_its_size(sources):
    cut = list(plain_cut(sources))
    for source in sources:
        own = [(s, t) for s, t in cut if s.source == source.name]
        assert compact("".join(t for _, t in own)) == compact(source.text)
        assert all(source.text[s.start : s.end] == t and 0 < len(t) <= SIZE for s, t in own)
    assert list(plain_cut([Source("空", " \n")])) == []


def test_a_sentence_longer_than_a_passage_is_cut():
    pieces = [s for s, _ in plain_cut([Source("长", "字" * (2 * SIZE + 10))])]
    assert [(s.start, s.end) for s in pieces] == [(0, SIZE), (SIZE, 2 * SIZE), (2 * SIZE, 2 * SIZE + 10)]


def test_every_plain_peer_finds_a_sentence_of_the_documents(peers, sources):
    for peer in peers:
        stretches = peer.index(sources)
        for wanted in stretches[::20]:
            source = next(s for s in sources if s.name == wanted.source)
            assert wanted in peer.search(source.text[wanted.start : wanted.end])


def test_plain_peers_over_the_seeds(peers, sources, locator):
    items = measure.comparable(load_set(find_set("seeds_dev"), locator.text).items)[:12]
    rows = measure.asked([measure.indexed(p, lambda p=p: p.index(sources)) for p in peers], items, locator)
    assert [r.name for r in rows] == ["稠密检索", "词", "二字组"]
    assert rows[0].ahead is None and all(r.ahead for r in rows[1:])
    for row in rows:
        document, first, five = (q.value for q in row.quality)
        assert first <= document and first <= five
        assert row.passages > 50 and row.length <= SIZE and row.pace > 0 and row.median <= row.slow
    for row in rows[1:]:
        leads = [best.value - own.value for best, own in zip(rows[0].quality, row.quality, strict=True)]
        assert [lead.value for lead in row.ahead] == pytest.approx(leads)
    assert rows[2].quality[2].value > 0.5  # pairs of characters do find most answers


def test_scores_follow_document_first_passage_and_first_five():
    texts = {"甲": "值班电话是一二三四。其他事项另行通知。", "乙": "无关的内容。"}
    locator = Locator(texts.__getitem__)
    item = EvalItem("1", "值班电话是多少？", gold=(Gold("甲", "值班电话是一二三四"),))
    gold, beside, wrong = Stretch("甲", 0, 10), Stretch("甲", 10, 19), Stretch("乙", 0, 6)
    assert measure.scored(item, [gold, wrong], locator) == (1, 1, 1)
    assert measure.scored(item, [beside, gold], locator) == (1, 0, 1)
    assert measure.scored(item, [wrong] * 4 + [gold], locator) == (0, 0, 1)
    assert measure.scored(item, [wrong] * 5 + [gold], locator) == (0, 0, 0)
    assert measure.scored(item, [], locator) == (0, 0, 0)


def test_only_questions_that_everyone_can_be_asked():
    gold = (Gold("甲"),)
    plain = EvalItem("1", "问", gold=gold)
    others = [EvalItem("2", "问", answerable=False), EvalItem("3", "问", gold=gold, history=("先问",)),
              EvalItem("4", "问", gold=gold, filters={"year": "2023"})]  # fmt: skip
    assert measure.comparable([plain, *others]) == [plain]


def test_each_question_goes_to_all_before_the_next_and_starts_with_another(locator):
    calls = []

    class Silent:
        def __init__(self, name):
            self.name = name

        def search(self, question):
            calls.append((question, self.name))
            return []

    ready = [measure.Indexed(Silent(name), 1, 1.0, 1.0) for name in "ab"]
    items = [EvalItem(q, q, gold=(Gold("甲"),)) for q in "一二"]
    measure.asked(ready, items, Locator({"甲": "文"}.__getitem__))
    assert calls == [("一", "a"), ("一", "b"), ("一", "a"), ("一", "b"), ("二", "b"), ("二", "a")]


def test_a_folder_with_its_own_documents_is_compared_as_it_stands(tmp_path, monkeypatch):
    lines = {
        "corpus.jsonl": [{"id": "甲1", "title": "值班通知", "text": "值班室电话是0931-8826009。"},
                         {"id": "乙2", "title": "防火通知", "text": "消防安全大检查在节前进行。"}],
        "queries.jsonl": [{"id": "q1", "text": "值班室电话是多少？", "answers": ["0931-8826009"]}],
    }  # fmt: skip
    for name, rows in lines.items():
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (tmp_path / "qrels.tsv").write_text("q1\t甲1\t1\n", encoding="utf-8")
    monkeypatch.setattr(command, "_model", lambda settings: Model(tmp_path, "", "", HashEmbedder()))
    monkeypatch.setattr(command, "peers", lambda model, work: iter([lambda: Dense(model)]))
    table = command._compared(str(tmp_path), None, None)
    assert table.count("100.0（") >= 3 and "稠密检索" in table and "2 个文件" in table


def test_the_table_marks_only_intervals_without_zero():
    value = Estimate(0.5, 0.4, 0.6, 20)
    surely, behind, perhaps = (Estimate(v, v - 0.1, v + 0.1, 20) for v in (0.2, -0.2, 0.05))
    rows = [measure.Row("文据", 3, 200.0, (value,) * 3, None, 12.0, 5.0, 9.0),
            measure.Row("甲|乙", 4, 150.0, (value,) * 3, (surely, behind, perhaps), 8.25, 1.0, 2.0)]  # fmt: skip
    lines = markdown(rows, ["缺少软件包 x"]).splitlines()
    assert lines[2] == "| 文据 | " + "50.0（40.0–60.0） | " * 3 + "12.0 | 5.0 / 9.0 | 3 × 200 |"
    assert lines[3].startswith("| 甲\\|乙 | 50.0（40.0–60.0）<br>+20.0（+10.0 到 +30.0）\\* | ")
    assert "<br>-20.0（-30.0 到 -10.0）\\* |" in lines[3] and "<br>+5.0（-5.0 到 +15.0） |" in lines[3]
    assert lines[-1] == "- 缺少软件包 x" and "20 题" in lines[5]
