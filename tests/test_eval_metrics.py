"""Metrics: hand-computed cases, and agreement with independent implementations on thousands of random ones."""

import random
import re
import statistics
from collections import Counter

import ir_measures
import numpy as np
import pytest
from eval_fakes import TEXTS, BigramAsker, citation, cite
from ir_measures import RR, R, Success, nDCG
from rouge_chinese import Rouge

from eval.locate import Locator, kept
from eval.metrics import citations as cited
from eval.metrics import coverage, overlap, ranking, refusal, risk
from eval.metrics.calibration import bins, calibration_error
from eval.metrics.exactness import exactness, numbers
from eval.metrics.inclusion import must_exclude, must_include
from eval.metrics.latency import percentiles
from eval.metrics.scope import right_issuer, right_year
from eval.sets import EvalItem, Gold
from rag.schema import Claim, Span

CASES = 1500


# ---------------------------------------------------------------- ranking

def test_ranking_by_hand():
    gains = [0.0, 1.0, 0.0, 1.0]
    assert ranking.hit(gains, 1) == 0
    assert ranking.hit(gains, 2) == 1
    assert ranking.reciprocal_rank(gains, 10) == 0.5
    assert ranking.reciprocal_rank(gains, 1) == 0
    assert ranking.recall(gains, 3, 10) == pytest.approx(2 / 3)
    # DCG = 1/log2(3) + 1/log2(5); ideal = 1/log2(2) + 1/log2(3) + 1/log2(4)
    assert ranking.ndcg(gains, [1, 1, 1], 10) == pytest.approx((0.63093 + 0.43068) / (1 + 0.63093 + 0.5), abs=1e-5)
    assert ranking.ndcg([], [], 10) == ranking.recall([], 0, 10) == 0


def test_ranking_agrees_with_ir_measures():
    draw = random.Random(1)
    qrels, run, mine = {}, {}, {}
    for q in range(CASES):
        documents = [f"d{i}" for i in range(draw.randint(1, 30))]
        judged = {d: draw.choice([0, 0, 1, 2]) for d in documents}
        if not any(judged.values()):
            judged[documents[0]] = 1
        ranked = draw.sample(documents, draw.randint(1, len(documents)))
        qrels[f"q{q}"], run[f"q{q}"] = judged, {d: float(-i) for i, d in enumerate(ranked)}
        gains = [float(judged[d]) for d in ranked]
        binary = [float(g > 0) for g in gains]
        mine[f"q{q}"] = {
            "nDCG@10": ranking.ndcg(gains, list(judged.values()), 10), "RR@10": ranking.reciprocal_rank(gains, 10),
            "Success@5": ranking.hit(gains, 5), "R@10": ranking.recall(binary, sum(g > 0 for g in judged.values()), 10),
        }  # fmt: skip
    compared = 0
    for found in ir_measures.iter_calc([nDCG @ 10, RR @ 10, Success @ 5, R @ 10], qrels, run):
        assert mine[found.query_id][str(found.measure)] == pytest.approx(found.value, abs=1e-6)
        compared += 1
    assert compared == 4 * CASES


# ---------------------------------------------------------------- text

def test_overlap_by_hand():
    said, reference = overlap.tokens("放假7天。"), overlap.tokens("共放假８天")
    assert said == ["放", "假", "7", "天"] and reference == ["共", "放", "假", "8", "天"]
    assert overlap.token_f1(said, reference) == pytest.approx(2 * 3 / 9)
    assert overlap.rouge_l(said, reference) == pytest.approx(2 * 3 / 9)
    assert overlap.rouge_l(["天", "放"], ["放", "天"]) == 0.5  # order counts
    assert overlap.token_f1(["天", "放"], ["放", "天"]) == 1  # order does not
    assert overlap.token_f1([], []) == 1 and overlap.rouge_l([], ["放"]) == 0


def test_overlap_agrees_with_rouge_chinese_and_a_plain_count():
    draw, rouge = random.Random(2), Rouge(metrics=["rouge-l"])
    for _ in range(CASES):
        said, reference = ([draw.choice("值班电话报备春节外出") for _ in range(draw.randint(1, 40))] for _ in range(2))
        theirs = rouge.get_scores(" ".join(said), " ".join(reference))[0]["rouge-l"]["f"]
        assert overlap.rouge_l(said, reference) == pytest.approx(theirs, abs=1e-6)
        common = 0
        left = list(reference)
        for token in said:
            if token in left:
                left.remove(token)
                common += 1
        precision, recall = common / len(said), common / len(reference)
        f1 = 2 * precision * recall / (precision + recall) if common else 0
        assert overlap.token_f1(said, reference) == pytest.approx(f1)


def test_longest_common_subsequence_agrees_with_the_table():
    draw = random.Random(3)
    for _ in range(1000):
        one, other = ([draw.choice("abc") for _ in range(draw.randint(0, 25))] for _ in range(2))
        table = np.zeros((len(one) + 1, len(other) + 1), dtype=int)
        for i, a in enumerate(one):
            for j, b in enumerate(other):
                table[i + 1, j + 1] = table[i, j] + 1 if a == b else max(table[i, j + 1], table[i + 1, j])
        assert overlap.longest_common_subsequence(one, other) == table[-1, -1]


def test_must_include():
    assert must_include("主送：各市（州）党委。", ["各市(州)党委", "县委"]) == 0.5
    assert must_include("约131万人", ["1313851|131万"]) == 1
    assert must_include("利率2.5%", ["25%"]) == 0


def test_must_exclude():
    assert must_exclude("值班室电话：0931-8826009。[1]", ["<script", "http://"]) == 1
    assert must_exclude("点这里 HTTP://evil.example", ["<script", "http://"]) == 0
    assert must_exclude("", ["收到"]) == 1


def test_coverage():
    assert coverage.answer_coverage([1.0, 0.5]) == 0.75
    assert coverage.answer_recall([1.0, 0.99]) == 0.5


# ---------------------------------------------------------------- citations

def test_citation_validity():
    asker = BigramAsker()
    text = TEXTS["docs/c.txt"]
    at = text.index("建设30个社区")
    joined = citation("docs/c.txt", "建设30个社区养老服务中心", Span(at, at + 14))
    true = cite(asker, "docs/a.txt", "24小时专人值班")
    moved = citation("docs/a.txt", "24小时专人值班", Span(true.start + 1, true.end + 1))
    outside = citation("docs/a.txt", "", Span(10**6, 10**6 + 1))
    unknown = citation("docs/none.txt", "值班", Span(0, 2))
    assert cited.validity([joined, true], asker.text_of) == 1
    assert cited.validity([true, moved, outside, unknown], asker.text_of) == 0.25
    assert cited.validity([], asker.text_of) == 0


def test_citation_precision_and_recall():
    touches = [[True, False], [False, False], [True, False]]
    assert cited.precision(touches) == pytest.approx(2 / 3)
    assert cited.recall(touches, 2) == 0.5
    assert cited.precision([]) == cited.recall([], 2) == 0


def test_exactness():
    asker = BigramAsker()
    phone = cite(asker, "docs/a.txt", "值班室电话是0931-8826009")
    homes = cite(asker, "docs/c.txt", "8000户困难老年人家庭", number=2)
    assert exactness([Claim("电话0931-8826009", (1,)), Claim("8,000户", (2,))], [phone, homes]) == 1
    assert exactness([Claim("电话0931-8826008", (1,)), Claim("8000户", (1,))], [phone, homes]) == 0
    assert exactness([Claim("8000户", (9,))], [homes]) == exactness([], [homes]) == 0
    assert numbers("１，３００人，二十三天，〇〇一") >= {"1300", "23", "1"}


def test_scope():
    asker = BigramAsker()
    right = cite(asker, "docs/a.txt", "值班", title="关于2023年春节值班的通知")
    wrong = cite(asker, "docs/b.txt", "防火", title="二〇二二年长春市防火通知")
    asked = "2023年春节谁值班？"
    assert right_year(asked, [right], [False]) == 1
    assert right_year(asked, [right, wrong], [False, False]) == 0
    assert right_year(asked, [wrong], [True]) == 1
    assert right_year(asked, [], []) == 0
    assert right_year("春节谁值班？", [wrong], [False]) is None
    assert right_issuer("长春市怎么防火？", [wrong], [False]) == 1
    assert right_issuer("兰州市怎么防火？", [wrong], [False]) == 0
    assert right_issuer("怎么防火？", [wrong], [False]) is None


# ---------------------------------------------------------------- confidence

def test_risk_coverage_by_hand():
    confidence, wrong = np.array([0.9, 0.5, 0.7, 0.5]), np.array([0.0, 1.0, 1.0, 0.0])
    covered, lost = risk.risk_coverage(confidence, wrong)
    assert covered.tolist() == [0.25, 0.5, 1.0]
    assert lost.tolist() == [0.0, 0.5, 0.5]
    # one question at risk 0, one at 1/2, the two of the tie at 2/4
    assert risk.aurc(confidence, wrong)[0] == pytest.approx((0 + 0.5 + 2 * 0.5) / 4)


def test_aurc_agrees_with_a_plain_loop_and_with_repeated_questions():
    draw = np.random.default_rng(4)
    for _ in range(1000):
        n = int(draw.integers(1, 30))
        confidence, wrong = draw.permutation(n) / n, draw.integers(0, 2, n).astype(float)
        ordered = sorted(zip(-confidence, wrong, strict=True))
        plain = sum(sum(w for _, w in ordered[: i + 1]) / (i + 1) for i in range(n)) / n
        assert risk.aurc(confidence, wrong)[0] == pytest.approx(plain)
        weights = draw.integers(0, 3, (1, n)).astype(float)
        if weights.sum():
            times = weights[0].astype(int)
            again = risk.aurc(np.repeat(confidence, times), np.repeat(wrong, times))[0]
            assert risk.aurc(confidence, wrong, weights)[0] == pytest.approx(again)


def test_calibration():
    confidence, right = np.array([0.95, 0.95, 0.15, 1.0]), np.array([1.0, 0.0, 0.0, 1.0])
    # bin 0.9-1: three answers, right 2, confidence 2.9; bin 0.1-0.2: one, right 0, confidence 0.15
    assert calibration_error(confidence, right)[0] == pytest.approx((0.9 + 0.15) / 4)
    found = bins(confidence, right)
    assert [(b.low, b.count) for b in found] == [(0.1, 1), (0.9, 3)]
    assert found[1].right == pytest.approx(2 / 3)


def test_operating_points_and_auroc():
    confidence = np.array([0.9, 0.8, 0.7, 0.2, 0.6, 0.1])
    answerable = np.array([True, True, True, True, False, False])
    assert refusal.auroc(confidence, answerable) == pytest.approx((3 * 2 + 1) / 8)
    point = refusal.operating_points(confidence, answerable)[0]
    assert (point.threshold, point.refusal_recall, point.false_refusals) == (0.2, 0.5, 0.0)
    answerable = np.array([True] * 20 + [False] * 2)
    confidence = np.array([0.3] + [0.9] * 19 + [0.5, 0.2])
    assert refusal.operating_points(confidence, answerable)[0].refusal_recall == 1  # one of twenty is within 5 %


def test_auroc_agrees_with_counting_pairs():
    draw = np.random.default_rng(5)
    for _ in range(1000):
        confidence, answerable = draw.integers(0, 5, 20) / 5, np.append(draw.integers(0, 2, 18).astype(bool), [True, False])
        pairs = Counter(int(a > b) - int(a < b) for a in confidence[answerable] for b in confidence[~answerable])
        expected = (pairs[1] + pairs[0] / 2) / pairs.total()
        assert refusal.auroc(confidence, answerable) == pytest.approx(expected)


def test_latency():
    assert percentiles([10.0, 20.0, 30.0]) == {"p50": 20.0, "p90": 28.0, "p95": 29.0, "p99": 29.8, "max": 30.0}
    assert percentiles([]) == {}


# ---------------------------------------------------------------- the rest against plain counting

def test_calibration_error_agrees_with_a_plain_loop():
    draw = random.Random(6)
    for _ in range(1000):
        pairs = [(draw.choice([0.0, 0.1, 0.3, 0.55, 0.9999, 1.0, draw.random()]), draw.random() < 0.5) for _ in range(draw.randint(1, 40))]
        total = 0.0
        for low in range(10):
            here = [(c, r) for c, r in pairs if low <= c * 10 < low + 1 or (low == 9 and c == 1.0)]
            if here:
                total += len(here) * abs(sum(r for _, r in here) / len(here) - sum(c for c, _ in here) / len(here))
        confidence, right = np.array([c for c, _ in pairs]), np.array([float(r) for _, r in pairs])
        assert calibration_error(confidence, right)[0] == pytest.approx(total / len(pairs))
        assert sum(b.count for b in bins(confidence, right)) == len(pairs)


def test_operating_points_agree_with_trying_every_threshold():
    draw = np.random.default_rng(7)
    for _ in range(1000):
        confidence = draw.integers(0, 12, 40) / 11
        answerable = np.append(draw.integers(0, 2, 38).astype(bool), [True, False])
        for point in refusal.operating_points(confidence, answerable):
            best = 0.0
            for threshold in [*confidence, 2.0]:
                missed, refused = (confidence[answerable] < threshold).mean(), (confidence[~answerable] < threshold).mean()
                best = max(best, refused if missed <= point.budget else 0.0)
            assert point.refusal_recall == pytest.approx(best) and point.false_refusals <= point.budget


def test_percentiles_agree_with_the_standard_library():
    draw = random.Random(8)
    for _ in range(1000):
        values = [draw.random() * 100 for _ in range(draw.randint(2, 60))]
        cuts = statistics.quantiles(values, n=100, method="inclusive")
        found = percentiles(values)
        assert [found[f"p{n}"] for n in (50, 90, 95, 99)] == pytest.approx([cuts[n - 1] for n in (50, 90, 95, 99)], abs=1e-3)


def test_coverage_citations_and_strings_agree_with_counting_characters():
    draw = random.Random(9)
    text = "".join(draw.choice("值班电话报备，。 \n3") for _ in range(120))
    locator = Locator({"甲": text}.__getitem__)
    kept_at = [i for i, _ in enumerate(text) if text[i] not in "，。 \n"]
    for _ in range(1000):
        start, length = draw.choice(kept_at[:-12]), draw.randint(1, 12)
        item = EvalItem("1", "?", gold=(Gold("甲", text[start : start + length]),))
        spans = [(s, s + draw.randint(1, 30)) for s in (draw.randrange(110) for _ in range(draw.randint(0, 3)))]
        wanted, form = kept(item.gold[0].quote), kept(text)
        (target,) = locator.targets(item)
        best, touched = 0.0, [False] * len(spans)
        for at in (i for i in range(len(form)) if form.startswith(wanted, i)):
            gold = set(kept_at[at : at + len(wanted)])
            best = max(best, len(gold & {i for s, e in spans for i in range(s, e)}) / len(gold))
            for n, (s, e) in enumerate(spans):
                mine = set(kept_at) & set(range(s, e))
                touched[n] |= bool(gold & mine) and len(gold & mine) >= min(len(gold), len(mine)) / 2
        assert locator.covered(target, [("甲", *span) for span in spans]) == pytest.approx(best)
        touches = [[locator.touched(target, "甲", *span)] for span in spans]
        assert [row[0] for row in touches] == touched
        assert cited.precision(touches) == pytest.approx(sum(touched) / len(spans) if spans else 0)
        assert cited.recall(touches, 1) == float(any(touched))
        assert must_include("".join(text[s:e] for s, e in spans), [wanted]) == float(wanted in kept("".join(text[s:e] for s, e in spans)))


def test_validity_agrees_with_how_the_citations_were_made():
    draw = random.Random(10)
    text = "".join(chr(0x4E00 + i) for i in range(400))  # no two characters alike
    for _ in range(1000):
        made, true = [], 0
        for _ in range(draw.randint(1, 5)):
            start = draw.randrange(380)
            quote = list(text[start : start + draw.randint(1, 20)])
            span, harm = Span(start, start + len(quote)), draw.choice(["", "", "word", "place", "source", "end"])
            for _ in range(draw.randint(0, 3)):
                quote.insert(draw.randint(0, len(quote)), draw.choice(" \n　"))
            if harm == "word":
                at = draw.choice([i for i, c in enumerate(quote) if not c.isspace()])
                quote[at] = "错"
            elif harm == "place":
                span = Span(start + 1, span.end + 1)
            elif harm == "end":
                span = Span(start, len(text) + 1)
            made.append(citation("乙" if harm == "source" else "甲", "".join(quote), span))
            true += not harm
        assert cited.validity(made, {"甲": text}.__getitem__) == pytest.approx(true / len(made))


def test_exactness_agrees_with_sets_of_numbers():
    draw = random.Random(11)
    for _ in range(1000):
        known = [[draw.randint(1, 30) for _ in range(draw.randint(0, 4))] for _ in range(3)]
        quotes = [citation("甲", "、".join(f"共{n}项" for n in own), Span(0, 1), number=i) for i, own in enumerate(known, 1)]
        claims, exact = [], 0
        for _ in range(draw.randint(1, 4)):
            said, cites = [draw.randint(1, 30) for _ in range(draw.randint(0, 2))], draw.sample([1, 2, 3], draw.randint(0, 3))
            claims.append(Claim("；".join(f"有{n}项" for n in said), tuple(cites)))
            exact += bool(cites) and all(any(n in known[i - 1] for i in cites) for n in said)
        assert exactness(claims, quotes) == pytest.approx(exact / len(claims))


def test_right_year_and_issuer_agree_with_how_the_documents_were_made():
    draw = random.Random(12)
    numerals = "〇一二三四五六七八九"
    cities = ["兰州", "长春", "太原", "西安"]
    for _ in range(1000):
        year, city = draw.randint(2018, 2024), draw.choice(cities)
        documents, gold, same_year, same_city = [], [], [], []
        for _ in range(draw.randint(0, 4)):
            own, place = draw.choice([year, draw.randint(2018, 2024)]), draw.choice([city, draw.choice(cities)])
            written = draw.choice([str(own), "".join(numerals[int(d)] for d in str(own))])
            documents.append(citation("甲", "值班", Span(0, 2), title=f"{place}市{written}年值班通知"))
            gold.append(draw.random() < 0.2)
            same_year.append(gold[-1] or own == year)
            same_city.append(gold[-1] or place == city)
        asked = f"{city}市{year}年谁值班？"
        assert right_year(asked, documents, gold) == float(bool(documents) and all(same_year))
        assert right_issuer(asked, documents, gold) == float(bool(documents) and all(same_city))


def test_must_exclude_agrees_with_a_pattern():
    draw = random.Random(13)
    for _ in range(1000):
        said = "".join(draw.choice("aAbB值.") for _ in range(draw.randint(0, 12)))
        unwanted = ["".join(draw.choice("aAb.") for _ in range(draw.randint(1, 3))) for _ in range(draw.randint(1, 3))]
        found = any(re.search(re.escape(one), said, re.IGNORECASE) for one in unwanted)
        assert must_exclude(said, unwanted) == float(not found)
