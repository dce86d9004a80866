"""Yes or no: what a clause of a document says to a question that asks for one. Silent where it is not plain."""

import re

from rag.text import bigrams
from rag.vocabulary import ALIKE, ASKING

_MAY = re.compile(r"能不能|可不可以|可否|能否|允不允许|让不让|准不准|是否(?:可以|可|能|允许|准许)|(?:可以|能|准|允许|让)[^，。？?]*吗")
_MUST = re.compile(r"要不要|需不需要|用不用|该不该|是否(?:需要|必须|应当|应该|应|要|须|需)|(?:必须|需要|应当|应该|须|要|得|用)[^，。？?]*吗")
_MOST = 0.5
"""Share of the words asked about that a clause has to have."""
_TWISTED = re.compile(r"(?<!能)(?<!要)(?<!用)(?<!该)(?<!准)(?<!让)(?<!是)(?<!可)(?<!需)不(?!可以|需要|允许)|没|是不是|难道|除了|以外")
"""A question that denies something itself: a bare yes or no to it misleads."""
_FORBIDDEN = re.compile(r"严禁|禁止|不得|不准|不能|不允许|不可(?!抗|避|或)|不许|不予|一律不|原则上不|坚决(?:杜绝|制止)")
_ALLOWED = re.compile(r"(?<!不)可以|(?<![不许认方])可(?![能以行靠持])|(?<!不)允许|准予")
_NEEDED = re.compile(r"必须|(?<!不)应当|(?<![不相反适供响对])应(?!急|对|用|届|有|收|付|该|邀|答|诊)|(?<![不无])须|(?<![不无所急])需(?![求])|务必")
_NEEDLESS = re.compile(r"不需|无需|无须|不必|不用|不再要求|可不|免于|免予|不收取|不收费|免收|免费")
_ASKED = re.compile(
    r"(?:能不能|可不可以|要不要|需不需要|用不用|让不让|允不允许|准不准|可否|能否|是否(?:可以|需要|应当|必须|应|需|要|可|能|允许)?|可以|需要|必须|应当|应该|要|能|得|用|让|准|允许)([^，。？?]{1,10}?)(?:吗|[？?]|$)")


def verdict(question: str, clause: str) -> str:
    """"可以", "不可以", "需要" or "不需要", with 原则上 where the clause has it; "" when the clause is not plain about it.

    clause: the clause of the document that says what the question speaks of.
    """
    if _TWISTED.search(question) or not _speaks_of(question, clause):
        return ""
    for asked, yes, no, words in ((_MAY, _ALLOWED, _FORBIDDEN, ("可以", "不可以")), (_MUST, _NEEDED, _NEEDLESS, ("需要", "不需要"))):
        if asked.search(question):
            said = bool(yes.search(clause)), bool(no.search(clause))
            if said[0] == said[1]:
                return ""
            return ("原则上" if "原则上" in clause else "") + words[said[1]]
    return ""


def _speaks_of(question: str, clause: str) -> bool:
    """Whether the clause has what is asked about, in these words or in others for the same: what follows 要…吗, 能不能."""
    found = _ASKED.search(question)
    pairs = set(bigrams(ASKING.sub(" ", found.group(1)))) if found else set()
    pairs = {pair for pair in pairs if len(pair) > 1}
    alike = (word for group in ALIKE for mine in group if found and mine in found.group(1) for word in group)
    return not pairs or any(word in clause for word in alike) or sum(pair in clause for pair in pairs) >= _MOST * len(pairs)
