"""What kind of answer a question wants, asked of a language model where the rules (`rag.query`) leave it open.

Only key words (乡镇卫生院院长培训规模) leave it open: with 什么, 哪 or 怎么 a question says that it wants words, and a small model that
was asked about those too took one in three for a question of amounts. The kind it names is taken where the passages found
have a value of that kind.
"""

import re
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace

from rag import prompts
from rag.errors import GenerationError
from rag.generators.guard import Guard
from rag.query import Form, Query
from rag.values import asked_for, has_value

FORMS: dict[str, Form] = {"数量": "number", "时间": "when", "电话": "phone"}
"""Kinds by the word that the model answers with: those that a text shows to have."""
_ASKS = re.compile("什么|哪|谁|怎|如何|为何|是否|能否|可否|多少|几|啥|咋|吗|呢")
_LONGEST = 12
"""Characters of what the model writes that are read."""


def is_open(query: Query) -> bool:
    """Whether the question is but key words."""
    return query.form == "general" and query.language == "zh" and not _ASKS.search(query.text)


def kind_of(model: Guard, query: Query, passages: Sequence[str]) -> Form:
    """The form that the model and the passages agree on, "general" when they do not or the model fails.

    passages: texts of the best hits.
    """
    said = ""
    try:
        with closing(model.write(prompts.classifying(query.text))) as pieces:
            for piece in pieces:
                said += piece
                if len(said) >= _LONGEST:
                    break
    except GenerationError:
        return "general"
    named = {form for word, form in FORMS.items() if word in said[:_LONGEST]}
    form = named.pop() if len(named) == 1 else "general"
    meant = replace(query, form=form)
    return form if asked_for(meant) and any(has_value(meant, text) for text in passages) else "general"
