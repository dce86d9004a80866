"""A follow-up question completed by a language model, where the rules (`rag.conversation`) completed it to nothing that is found.

The model only puts words in order: what it writes is taken when it names all that was named, and nothing else.
"""

import datetime as dt
import re
from collections.abc import Sequence
from contextlib import closing

from rag import prompts
from rag.errors import GenerationError, QuestionError
from rag.generators.guard import Guard
from rag.query import Query, understand
from rag.text import normalise, words
from rag.writing import without_markers

_LONGEST = 120
"""Characters of a completed question; the model is not read any further."""
_MORE_THAN_ONE = re.compile(r"[？?。！!；;]\s*\S")
_JOINING = frozenset("的是在")
"""Words that may come in besides those that were asked with."""
_LEANING = frozenset(("那", "那么", "呢", "的", "它", "他", "她", "其", "这", "这个", "那个", "这份", "那份", "该", "此", "还有", "另外", "再", "也"))
"""Words of a follow-up that only point to what was asked before."""
_KINDS = (("years",), ("months",), ("festivals",), ("places", "offices"), ("numbers", "titles"), ("labels",))
"""Slots of a query; those of one kind stand for each other."""


def completed(model: Guard, question: str, history: Sequence[str], today: dt.date) -> str:
    """The question as it stands by itself, "" when what the model writes does not hold or it fails.

    history: earlier questions, oldest first.
    """
    text = ""
    try:
        with closing(model.write(prompts.completing(question, history))) as pieces:
            for piece in pieces:
                text += piece
                if len(text) > _LONGEST or "\n" in text.strip():
                    break
    except GenerationError:
        return ""
    text, _ = without_markers(text.strip().split("\n")[0])
    return text if holds(text, question, history, today) else ""


def holds(text: str, question: str, history: Sequence[str], today: dt.date) -> bool:
    """Whether a completed question says no more than was asked, and leaves out nothing that narrows it down.

    It is one question. Every word stands in the question or in one before it, and all of the question's own are there, so
    that no earlier question is merely asked again; what the question before it named (year, place, document, …) is named,
    unless the question names another of its kind.
    """
    try:
        mine, asked, before = (understand(t, today) for t in (text, question, history[-1]))
    except QuestionError:
        return False
    known = normalise("\n".join((*history, question, asked.text, before.text)))
    if len(text) > _LONGEST or _MORE_THAN_ONE.search(text) or not all(word in known or word in _JOINING for word in words(text)):
        return False
    if not all(word in normalise(mine.text) for word in words(asked.text) if word not in _LEANING):
        return False
    return all(_named(mine, kind) >= (_named(asked, kind) or _named(before, kind)) for kind in _KINDS)


def _named(query: Query, kind: Sequence[str]) -> frozenset[object]:
    return frozenset(value for slot in kind for value in getattr(query, slot))
