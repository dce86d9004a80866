"""Corrections that administrators make on the page: the sidecar that `rag.loading.overrides` reads, with a remark behind
each line that tells who wrote it and when. What somebody wrote by hand is kept, without such a remark.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from rag.errors import DocumentError, UsageError
from rag.loading.overrides import Overrides, parse

TEXTS = ("title", "document_number", "issued_on", "status", "status_reason")
LISTS = ("issuer", "addressees", "groups")
FIELDS = ("title", "issuer", "document_number", "issued_on", "addressees", "status", "status_reason", "groups")
_ATTRIBUTE = {"issuer": "issuers"}
_REMARK = re.compile(r"(\w+) = .*[\"\]]  # (\S+) (.*)")
Value = str | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Correction:
    """What is to hold instead of what a document says. who, at (ISO 8601, UTC): "" when it was written by hand."""

    value: Value
    who: str = ""
    at: str = ""


def read(data: bytes, name: str) -> dict[str, Correction]:
    """The corrections in a sidecar (b"": none), by field. Raises DocumentError as `overrides.parse` does."""
    found = _values(parse(data, name)) if data else {}
    lines = data.decode("utf-8-sig").splitlines()
    said = {m[1]: (m[3], m[2]) for line in lines if (m := _REMARK.fullmatch(line))}
    return {field: Correction(value, *said.get(field, ())) for field, value in found.items()}


def written(values: Mapping[str, Value], before: Mapping[str, Correction], who: str, at: str) -> bytes:
    """The sidecar for these values; b"" for none. A value that was there before keeps the name of whoever set it.

    Raises UsageError for what the loader would not take.
    """
    lines = []
    for field in FIELDS:
        if not (value := values.get(field)):
            continue
        old = before.get(field)
        by = old if old and old.value == value else Correction(value, who, at)
        remark = f"  # {by.at} {_line(by.who)}" if by.at else ""
        lines.append(f"{field} = {_toml(value)}{remark}\n")
    data = "".join(lines).encode()
    try:
        parse(data, "更正")
    except DocumentError as error:
        raise UsageError(error.message.replace("更正文件“更正”里", "更正里的 "), error.hint) from error
    return data


def _values(found: Overrides) -> dict[str, Value]:
    values = {field: getattr(found, _ATTRIBUTE.get(field, field)) for field in FIELDS}
    return {field: value for field, value in values.items() if value is not None}


def _toml(value: Value) -> str:
    """A basic string or an array of them: as JSON has it, but for DEL, which TOML wants escaped."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _line(who: str) -> str:
    """A name as it may stand in a remark: TOML allows no control characters there."""
    return "".join(c for c in who if c.isprintable())
