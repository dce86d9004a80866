"""Bytes to text: UTF-8, UTF-16 with a mark, GB18030; nothing is ever replaced or dropped."""

import codecs
import re

from rag.errors import DocumentError

_CONTROL = re.compile(r"[\x00-\x08\x0e-\x19\x1b-\x1f\x7f]")
_STRANGE = re.compile(r"[\ufffd\ue000-\uf8ff\U000f0000-\U0010ffff]")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_HINT = "请确认它是文本文件；若是，请另存为 UTF-8 编码后再试。"
_MOST_STRANGE = 0.02
_LEAST_COMMON = 0.25


def decode(data: bytes, name: str, declared: str | None = None) -> str:
    """The text of `data`, byte-order mark removed and line ends untouched.

    name: shown in errors. declared: an encoding the file names itself (html), tried after UTF-8;
    gb2312 and gbk are read as GB18030, which contains both. Raises DocumentError for binary content.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _checked(_strict(data[len(mark) :], encoding), name)
    if b"\x00" in data:
        raise DocumentError(f"“{name}”不是文本文件（含有空字节）。", _HINT)
    text = _strict(data, "utf-8")
    if text is None and declared and declared.lower().replace("-", "") in ("big5", "big5hkscs"):
        text = _strict(data, "big5hkscs")
    elif text is None:
        text = _strict(data, "gb18030")
        if text is not None and not _plausible(text):
            text = None
    return _checked(text, name)


def _strict(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _plausible(text: str) -> bool:
    """Whether GB18030, which gives some meaning to almost any bytes, was the right guess.

    In real Chinese text most characters are ASCII, punctuation or among the 3,755 common ones (level 1
    of GB 2312); misread bytes scatter over the whole table.
    """
    sample = text[:20_000]
    foreign = [c for c in sample if ord(c) > 0x7F]
    common = 0
    for char in foreign:
        lead = char.encode("gb18030")
        common += len(lead) == 2 and lead[1] >= 0xA1 and (0xB0 <= lead[0] <= 0xD7 or lead[0] in (0xA1, 0xA3))
    return common >= _LEAST_COMMON * len(foreign)


def _checked(text: str | None, name: str) -> str:
    if text is None:
        raise DocumentError(f"“{name}”的文字编码认不出来（试过 UTF-8、UTF-16、GB18030）。", _HINT)
    allowed = _MOST_STRANGE * len(text)
    if len(_CONTROL.findall(text)) > min(allowed, 20) or len(_STRANGE.findall(text)) > max(allowed, 2):
        raise DocumentError(f"“{name}”不是文本文件（含有大量控制字符或乱码）。", _HINT)
    return text
