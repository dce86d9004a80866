"""The first line of an answer: the clauses that say the point, chosen by a small model over what each run of clauses says.

The clause that repeats the question seldom answers it ("对于暂停举办的展会项目，"); what stands beside it does. So a run is
judged by what it says of the question, by what it says besides, and by what it leaves outside. Listwise softmax (ListNet top
one) over the runs of all evidence, fitted by `python -m eval.fit_points` on development data only.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from rag.fitted import weights
from rag.query import Query
from rag.schema import Evidence
from rag.text import NUMERAL, bigrams, clauses
from rag.values import asked_for, has_value

_SHORT = 40
"""Characters of a text that makes a first line as a whole."""
LONGEST = 100
"""Characters of a run of clauses that may end before the next one;"""
_LONGEST_WAITING = 160
"""of one that waits for what follows."""
_LONGEST_VALUES = 100
"""Characters of a first line that goes on to give several values."""
_MOST = 200
"""Clauses of a text at which a run may begin."""
_LITTLE = 0.25
"""A run does not begin with a clause that leads up to the next one and says this much less than the best clause."""
_MUCH_NEW = 20
"""Pairs of characters that the question does not have, from which a run says much besides."""
_FAR = 10
"""Clauses from which a run stands far from the beginning."""
_ENDS = ("。", "！", "？", "!", "?", "\n")
_STOPS = (*_ENDS, "；", ";")
_JOINED = ("且", "并", "以及", "但", "而", "则", "或者", "又", "也", "还")
_UNFINISHED = re.compile(
    rf"(?:的|时|后|前|之日起|情况下|期间)[，,]$|^第[{NUMERAL}]+条\s*[^，。]{{1,8}}[，,]$"
    r"|(?:^|[，,；;：:])[^，,。；;]{0,6}?(?:如果|如(?![实期数同下何上前此今])|若(?!干)|一旦|凡(?!事)|倘若|对于|针对)[^，,。；;]*[，,]$")
"""A clause that waits for the next one, which cannot be without it: a condition, a time, whom it is about, the name of an
article's matter."""
_LEADS_UP = re.compile(
    r"(?:^|[，,。；;：:\n])\s*(?:根据|依据|按照|依照|遵照|经(?!常|营|济|费|办)|鉴于|随着|为了|为(?=减轻|解决|支持|应对|进一步|切实|全面|深入|加强|贯彻|落实|规范|推动|做好|保障|认真|有效|加快|确保|方便|防止|维护))"
    r"[^，,。；;]*[，,]$|(?:^|[，,。；;：:\n])\s*在[^，,。；;]*(?:方面|过程中|基础上)[，,]$")
"""A clause that only leads up to the next one, which can be without it."""
_LEADS_ON = re.compile(r"(?:如下|以下|下列)[^，。；]{0,8}[：:。]?$|[：:]$")
"""A run that says that something follows."""
_LABEL = re.compile(rf"^(?:答[：:]\s*|第[{NUMERAL}]+条\s+|[（(][{NUMERAL}\d]{{1,3}}[)）]\s*|[{NUMERAL}]{{1,3}}、|\d{{1,2}}[.．、]\s*(?!\d)|\d{{1,2}}[.．、]\s+(?=\d)|[①-⑳]\s*)+")
"""What numbers a paragraph, or says that it answers; a first line does without."""


@dataclass(frozen=True, slots=True)
class Runs:
    """Runs of whole clauses of one evidence. features: float64 [runs, len(fitted.POINT)]; ends: past each one's last clause."""

    texts: tuple[str, ...]
    ends: tuple[int, ...]
    features: np.ndarray


def runs(query: Query, parts: Sequence[str], said: np.ndarray, pair_weights: np.ndarray) -> Runs:
    """The runs that neither begin in the middle of a thought nor end before what they wait for.

    parts: the clauses; said: which of the question's bigrams each has, bool [parts, pairs]; pair_weights: adding up to 1.
    """
    alone = np.append(said @ pair_weights, 0.0)
    idle = [bool(_LEADS_UP.search(part)) and says < _LITTLE * alone.max() for part, says in zip(parts, alone, strict=False)]
    places = _places(parts)
    places = [place for place in places if not idle[place[0]]] or places
    starts, ends = np.array(places).T
    upto = np.vstack([np.zeros((1, said.shape[1]), int), np.cumsum(said, axis=0)])
    known = set(bigrams(query.text))
    new = np.cumsum([0, *(sum(pair not in known for pair in bigrams(part)) for part in parts)])
    stops = np.cumsum([0, *(part.rstrip().endswith(_STOPS) for part in parts)])
    whole = float((upto[-1] > 0) @ pair_weights)
    here = (upto[ends] > upto[starts]) @ pair_weights
    besides = np.minimum(new[ends] - new[starts], _MUCH_NEW) / _MUCH_NEW
    texts = tuple("".join(parts[start:end]) for start, end in places)
    asks = asked_for(query) is not None or query.form == "yesno"
    valued = np.array([asks and has_value(query, text) for text in texts])
    features = np.column_stack([
        here / max(whole, 1e-6), (upto[starts] > 0) @ pair_weights, (upto[-1] > upto[ends]) @ pair_weights,
        besides, besides * here, alone[starts], alone[ends],
        valued, asks & ~valued,
        [text.rstrip().endswith(_ENDS) or end == len(parts) for text, (_, end) in zip(texts, places, strict=True)],
        [bool(_LEADS_ON.search(text.rstrip())) for text in texts], stops[ends - 1] - stops[starts],
        np.minimum(starts, _FAR) / _FAR, [len(text) / LONGEST for text in texts],
    ]).astype(np.float64)
    return Runs(texts, tuple(ends.tolist()), features)


def _places(parts: Sequence[str]) -> list[tuple[int, int]]:
    """First clause and past the last one of each run; all clauses where no run may end."""
    out = []
    lengths = [0, *accumulate(map(len, parts))]
    for start in range(min(len(parts), _MOST)):
        if start and (parts[start].startswith(_JOINED) or _UNFINISHED.search(parts[start - 1])):
            continue
        run, waiting = "", True
        for end in range(start + 1, len(parts) + 1):
            length = lengths[end] - lengths[start]
            if run and length > (_LONGEST_WAITING if waiting else LONGEST):
                break
            run += parts[end - 1]
            waiting = _waits(run)
            if not waiting or end == len(parts):
                out.append((start, end))
    return out or [(0, len(parts))]


def _waits(run: str) -> bool:
    return bool(_UNFINISHED.search(run) or _LEADS_UP.search(run))


def best(query: Query, text: str, parts: Sequence[str], said: np.ndarray, pair_weights: np.ndarray) -> tuple[str, float]:
    """The run of a text's clauses that says the point, and how well. See `runs`; a short text is its own point."""
    if not parts:
        return text, 0.0
    found = runs(query, parts, said, pair_weights)
    sums = found.features @ weights("point", "weights")
    at = int(np.argmax(sums))
    if len(text) <= _SHORT:
        return plain(text), float(sums[at])
    return plain(found.texts[at] + _alike(query, found.texts[at], parts[found.ends[at] :])), float(sums[at])


def name(text: str) -> str:
    """What an item of a list is called by: its first run of clauses that waits for nothing."""
    parts = clauses(text)
    start, end = _places(parts)[0] if parts else (0, 0)
    return plain("".join(parts[start:end]))


def labelled(text: str) -> bool:
    """Whether a text begins with what numbers it: （一）, 1., 第三条."""
    return bool(_LABEL.match(text))


def plain(run: str) -> str:
    """Without what numbers it and the mark at its end."""
    return _LABEL.sub("", run).rstrip("，,；;。：: ")


def standing(evidence: Sequence[Evidence]) -> np.ndarray:
    """How well each one's point would do as the first line beside the others', evidence best first: float64 [evidence]."""
    return np.array([item.worth for item in evidence]) + beside(evidence) @ weights("point", "beside")


def beside(evidence: Sequence[Evidence]) -> np.ndarray:
    """What is seen of each evidence beside the others, best first: how much less it meets the question than the best, what its
    point says of the question, how many of its document stand before it, and whether its document is the best one's.
    float64 [evidence, 4]."""
    best_score = max(item.score for item in evidence)
    return np.array([[item.score - best_score, item.said,
                      sum(item.document.id == other.document.id and other.span.start < item.span.start for other in evidence),
                      item.document.id == evidence[0].document.id] for item in evidence], np.float64)


def _alike(query: Query, point: str, parts: Sequence[str]) -> str:
    """The clauses of the same sentence that go on with values of the kind asked for: 男不得早于二十二周岁，女不得早于二十周岁."""
    out = waiting = ""
    for part in parts if has_value(query, point) else ():
        if (point + out + waiting).endswith(_ENDS) or len(point + out + waiting + part) > _LONGEST_VALUES:
            break
        waiting += part
        if not _waits(waiting):
            if not has_value(query, waiting):
                break
            out, waiting = out + waiting, ""
    return out
