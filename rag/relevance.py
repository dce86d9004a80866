"""Which sentences of a passage speak to the question: a small logistic regression over what each says beside its neighbours.

Fitted by `python -m eval.fit_sentences` on development data only. A passage is found as a whole; a letter of ten lines holds
the one that answers among salutations, courtesies and a signature.
"""

import re
from collections.abc import Sequence

import numpy as np

from rag.fitted import weights
from rag.query import Query
from rag.values import asked_for, has_value

_MANY = 10
"""Sentences from which a passage counts as long."""
_SHORT = 16
"""Characters of a sentence that can hardly state anything."""
_FIELD = re.compile("姓名|性别|民族|籍贯|年龄|出生年月|年级|学号|专业|学历|职务|职称|政治面貌|电话|手机|邮箱|地址|邮编|身份证号|照片|签名|签字|盖章|备注")
_FIELDS = 4
"""Different fields from which a text without sentences is a form."""
_WRITTEN = re.compile(r"\d{5}|[。；]")
_ENDS = ("。", "！", "？", "；", "!", "?", ";")
_ONE = ("when", "number", "phone", "who", "where", "yesno", "metadata")
"""Forms of questions that one sentence answers."""


def blank_form(text: str) -> bool:
    """Whether a text is a form to be filled in: names of what to write, and nothing written."""
    return len(set(_FIELD.findall(text))) >= _FIELDS and not _WRITTEN.search(text)


def worth(late: np.ndarray, share: np.ndarray) -> np.ndarray:
    """How well sentences meet the question: late interaction plus half of the share of its bigrams."""
    return late + 0.5 * share


def features(query: Query, texts: Sequence[str], late: np.ndarray, share: np.ndarray, nth: int, titled: bool) -> np.ndarray:
    """float64 [sentences, len(fitted.SENTENCE)]. late, share: see `Retriever.worth`.

    nth: passages of the document that were heard before this one. titled: whether the section's heading says what is asked.
    """
    both = worth(late, share)
    both = both / max(float(both.max()), 1e-6)
    asks = asked_for(query) is not None
    valued = np.array([asks and has_value(query, text) for text in texts])
    near = np.concatenate([[0.0], both, [0.0]])
    bare = [text.strip() for text in texts]
    ones = np.ones(len(texts))
    return np.column_stack([
        ones, late - late.max(), share, both, np.maximum(near[:-2], near[2:]), near[:-2],
        np.log1p([len(text) for text in bare]), [len(text) < _SHORT for text in bare], [not text.endswith(_ENDS) for text in bare],
        [text.endswith(("：", ":")) for text in bare], np.arange(len(texts)) == len(texts) - 1, ones * min(len(texts), _MANY),
        valued, valued.any() & ~valued, ones * nth, ones * titled,
    ]).astype(np.float64)


def part(query: Query) -> str:
    """Whether "one" sentence answers the question or "several" do: each has its own least sum."""
    return "one" if query.form in _ONE else "several"


def kept(query: Query, found: np.ndarray) -> np.ndarray:
    """Which sentences stay: bool [sentences]. found: `features`."""
    return found @ weights("sentence", "weights") >= weights("sentence", part(query))[0]
