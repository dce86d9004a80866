"""Corrections by an administrator: a file beside the document, named as the document with `.wenju.toml` behind.

    # 通知.docx.wenju.toml
    title = "关于做好春节值班工作的通知"
    issuer = "某市民政局"                 # or a list
    document_number = "某民发〔2023〕1号"
    issued_on = 2023-01-10                # so also published_on, effective_on, expires_on
    addressees = ["各县（区）民政局"]
    status = "superseded"                 # in_force, expired, superseded
    status_reason = "被某民发〔2024〕2号替代"
    groups = ["办公室"]

and likewise kind, secrecy, urgency, period, years, festivals, places and copied_to. It changes what is known of a document, never its text or passages.
"""

import datetime as dt
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rag.errors import DocumentError
from rag.loading.dates import years
from rag.loading.subjects import festivals, kind_of, places
from rag.loading.validity import with_validity
from rag.schema import Document, Metadata

SUFFIX = ".wenju.toml"
MAX_BYTES = 64 * 1024
_STATUSES = {"in_force": "in_force", "expired": "expired", "superseded": "superseded",
             "现行有效": "in_force", "已过有效期": "expired", "已被废止": "superseded"}
_TEXTS = ("title", "document_number", "status", "status_reason", "kind", "secrecy", "urgency", "period")
_LISTS = ("issuer", "addressees", "groups", "festivals", "places", "copied_to")
_DATES = ("issued_on", "published_on", "effective_on", "expires_on")
_KEYS = ("title", "issuer", "document_number", "issued_on", "addressees", "status", "status_reason", "groups", "published_on",
         "effective_on", "expires_on", "kind", "secrecy", "urgency", "period", "years", "festivals", "places", "copied_to")
_OF_ONE = ("title", "document_number")
"""What cannot be true of several documents in one archive."""


@dataclass(frozen=True, slots=True)
class Overrides:
    """What an administrator has written down; None: nothing."""

    title: str | None = None
    issuers: tuple[str, ...] | None = None
    document_number: str | None = None
    issued_on: str | None = None
    addressees: tuple[str, ...] | None = None
    status: str | None = None
    status_reason: str | None = None
    groups: tuple[str, ...] | None = None
    published_on: str | None = None
    effective_on: str | None = None
    expires_on: str | None = None
    kind: str | None = None
    secrecy: str | None = None
    urgency: str | None = None
    period: str | None = None
    years: tuple[int, ...] | None = None
    festivals: tuple[str, ...] | None = None
    places: tuple[str, ...] | None = None
    copied_to: tuple[str, ...] | None = None


def parse(data: bytes, name: str) -> Overrides:
    """The corrections in a file. Raises DocumentError, which says what is wrong with it; name: of that file."""
    if len(data) > MAX_BYTES:
        raise DocumentError(f"更正文件“{name}”太大。", "它只应有几行，请检查内容。")
    try:
        values = tomllib.loads(data.decode("utf-8-sig"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise DocumentError(f"更正文件“{name}”写得不对：{error}。", "请按 TOML 格式、用 UTF-8 编码保存。") from error
    unknown = [key for key in values if key not in _KEYS]
    if unknown:
        raise DocumentError(f"更正文件“{name}”里有不认识的项：{'、'.join(unknown)}。", f"可用的项有：{'、'.join(_KEYS)}。")
    read: dict[str, Any] = {key: _text(values[key], key, name) for key in _TEXTS if key in values}
    read |= {key: _list(values[key], key, name) for key in _LISTS if key in values}
    if "issuer" in read:
        read["issuers"] = read.pop("issuer")
    read |= {key: _date(values[key], key, name) for key in _DATES if key in values}
    if "years" in values:
        read["years"] = _years(values["years"], name)
    if "status" in read:
        if read["status"] not in _STATUSES:
            raise DocumentError(f"更正文件“{name}”里 status 的值“{read['status']}”不对。", "可选：in_force、expired、superseded。")
        read["status"] = _STATUSES[read["status"]]
    if ("status" in read) != ("status_reason" in read):
        raise DocumentError(f"更正文件“{name}”里 status 和 status_reason 要一起写。", "请写明状态，并说明理由。")
    return Overrides(**read)


def completed(documents: Sequence[Document], sidecar: bytes, name: str) -> list[Document]:
    """The documents of one file, with the corrections in its sidecar (b"": none) and with what follows from them.

    Raises DocumentError.
    """
    overrides = parse(sidecar, name) if sidecar else Overrides()
    of_one = [key for key in _OF_ONE if getattr(overrides, key) is not None]
    if of_one and len(documents) > 1:
        raise DocumentError(f"“{name}”要更正的是一个压缩包，其中有 {len(documents)} 份文件，不能都改成同一个 {of_one[0]}。",
                            "请解压后为每份文件分别写更正文件。")
    values = {key: value for key in Overrides.__slots__ if (value := getattr(overrides, key)) is not None}
    out = []
    for document in documents:
        document = with_validity(replace(document, meta=_followed(_corrected(document.meta, values), values)))
        out.append(replace(document, meta=_corrected(document.meta, values)))
    return out


def _corrected(meta: Metadata, values: Mapping[str, Any]) -> Metadata:
    """The text no longer proves what has been corrected: those proofs go."""
    return replace(meta, **values, proof={name: span for name, span in meta.proof.items() if name not in values})


def _followed(meta: Metadata, values: Mapping[str, Any]) -> Metadata:
    """What follows from a corrected title, issuer or addressee."""
    if not {"title", "issuers", "addressees"} & set(values):
        return meta
    title = meta.title or ""
    return replace(
        meta, kind=kind_of(title) or meta.kind, years=years(title) or meta.years, festivals=festivals(title) or meta.festivals,
        places=places("，".join([*meta.issuers, title, *meta.addressees])) or meta.places,
    )


# ---------------------------------------------------------------- values

def _text(value: Any, key: str, name: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise DocumentError(f"更正文件“{name}”里 {key} 应为一段文字。", f'例如：{key} = "……"')
    return re.sub(r"\s+", " ", value.strip())


def _list(value: Any, key: str, name: str) -> tuple[str, ...]:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list):
        raise DocumentError(f"更正文件“{name}”里 {key} 应为一个列表。", f'例如：{key} = ["……", "……"]')
    return tuple(dict.fromkeys(_text(item, key, name) for item in values))


def _date(value: Any, key: str, name: str) -> str:
    try:
        day = value if isinstance(value, dt.date) and not isinstance(value, dt.datetime) else dt.date.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise DocumentError(f"更正文件“{name}”里 {key} 应为日期。", f"例如：{key} = 2023-01-10") from error
    return day.isoformat()


def _years(value: Any, name: str) -> tuple[int, ...]:
    found = value if isinstance(value, list) else [value]
    if any(type(year) is not int or not 1000 <= year <= 9999 for year in found):
        raise DocumentError(f"更正文件“{name}”里 years 应为年份。", "例如：years = [2023, 2024]")
    return tuple(dict.fromkeys(found))
