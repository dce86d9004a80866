"""Whether a document is in force: computed when an answer is given, against a day and the documents of the collection.

Expiry depends on the day, supersession on what else is indexed; neither is stored. "unknown" is the answer whenever
nothing says more.
"""

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from rag.config import Settings
from rag.places import find_places
from rag.schema import Metadata, Relation
from rag.text import compact, normalise

Kind = Literal["in_force", "not_yet", "expired", "superseded", "unknown"]
KINDS: Mapping[Kind, str] = {
    "in_force": "现行有效", "not_yet": "尚未施行", "expired": "已过有效期", "superseded": "已被废止", "unknown": "没有说明",
}
"""The Chinese words for each kind of status."""
STALE = ("expired", "superseded")
"""Kinds that answer only when they are asked for."""
_REVISED = re.compile(r"(?:法典?|条例|办法|细则|规则|规定|规程|章程)$")
_DRAFT = re.compile("征求意见稿|公开征求意见|征求.{0,40}意见的|[（(](?:草案|送审稿|讨论稿|修订草案).{0,6}[）)]|草案的说明|建议稿")


class Entry(Protocol):
    """What is asked of a document: `rag.schema.Document` and `rag.index.DocumentEntry` have it."""

    id: str
    source: str
    meta: Metadata


@dataclass(frozen=True, slots=True)
class Status:
    """Whether a document is in force. `reason`: one Chinese sentence; `start`–`end`: where `document_id` says so.

    `document_id` may be another document, the one that repeals this one; without a place in a text it is None.
    """

    kind: Kind
    reason: str
    document_id: str | None = None
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """A relation that the document `source` states. `targets`: the ids that are meant (copies and earlier editions of one
    document), none when it is not in the collection."""

    source: str
    relation: Relation
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Related:
    """What the documents of a collection have to do with one of them.

    states: what it says of others. stated: what others say of it. namesakes: ids of the others with its number, or with its
    title and issuers. series: ids by year, the newest first, of a notice that is issued again and again; it is among them.
    """

    states: tuple[Link, ...] = ()
    stated: tuple[Link, ...] = ()
    namesakes: tuple[str, ...] = ()
    series: Mapping[int, str] = field(default_factory=dict)


class Collection:
    """Which document of a collection speaks of which. Immutable; built once for a generation."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries = {entry.id: entry for entry in entries}
        self._by_number: dict[str, list[str]] = defaultdict(list)
        self._by_title: dict[str, list[str]] = defaultdict(list)
        for entry in self._entries.values():
            if entry.meta.document_number:
                self._by_number[_number(entry.meta.document_number)].append(entry.id)
            if entry.meta.title:
                self._by_title[_title(entry.meta.title)].append(entry.id)
        self._from: dict[str, list[Link]] = defaultdict(list)
        self._to: dict[str, list[Link]] = defaultdict(list)
        for entry in self._entries.values():
            for relation in entry.meta.relations:
                link = Link(entry.id, relation, self._targets(entry, relation))
                self._from[entry.id].append(link)
                for target in link.targets:
                    self._to[target].append(link)

    def entry(self, id: str) -> Entry:
        """The document of an id. Raises KeyError."""
        return self._entries[id]

    def links_from(self, id: str) -> tuple[Link, ...]:
        """What the document says of others, in the order of its text."""
        return tuple(self._from.get(id, ()))

    def links_to(self, id: str) -> tuple[Link, ...]:
        """What others say of the document."""
        return tuple(self._to.get(id, ()))

    def namesakes(self, id: str) -> tuple[str, ...]:
        """The other documents with the same number, or the same title and issuers: copies, and earlier or later editions.
        Raises KeyError."""
        meta = self._entries[id].meta
        found = self._by_number.get(_number(meta.document_number), []) if meta.document_number else []
        titled = self._by_title.get(_title(meta.title), []) if meta.title else []
        same = [other for other in titled if self._entries[other].meta.issuers == meta.issuers]
        return tuple(other for other in dict.fromkeys((*found, *same)) if other != id)

    def newer_edition(self, id: str) -> str | None:
        """The latest other edition of a law or of rules that are revised under one name; None when there is no later one.
        Raises KeyError."""
        meta = self._entries[id].meta
        if not (meta.title and meta.issued_on and _REVISED.search(meta.title)) or re.search(r"(?:19|20)\d\d", meta.title):
            return None
        if not (meta.issuers or meta.title.startswith("中华人民共和国") or find_places(meta.title)):
            return None
        others = [(self._entries[other].meta.issued_on or "", other) for other in self.namesakes(id)
                  if _title(self._entries[other].meta.title or "") == _title(meta.title)]
        latest, other = max(others, default=("", ""))
        return other if latest > meta.issued_on else None

    def _targets(self, entry: Entry, relation: Relation) -> tuple[str, ...]:
        """By number, else by exact title: all of that title if one issuer issued them, and earlier than `entry`."""
        if relation.number and (found := self._by_number.get(_number(relation.number))):
            return tuple(id for id in found if id != entry.id)
        found = self._by_title.get(_title(relation.title), []) if relation.title else []
        others = [id for id in found if id != entry.id and not _later(self._entries[id].meta, entry.meta)]
        return tuple(others) if len({self._entries[id].meta.issuers for id in others}) == 1 else ()


def clock(settings: Settings) -> str:
    """The day that counts as today, ISO."""
    return settings.today or dt.date.today().isoformat()


def status_of(entry: Entry, today: str, collection: Collection) -> Status:
    """Whether a document is in force on an ISO day.

    First what an administrator or the page's header states; then whether a document of the collection that is itself in
    effect repeals it; then its own days.
    """
    meta = entry.meta
    if meta.status != "unknown" and "status" not in meta.proof:
        return Status(meta.status, meta.status_reason or "管理员注明。")  # type: ignore[arg-type]
    if is_draft(meta):
        return _proved(entry, "unknown", "是征求意见的稿子，不是正式文件。", "title")
    for link in collection.links_to(entry.id):
        if link.relation.kind == "repeals" and (since := _in_effect(collection.entry(link.source), today)) is not None:
            other = collection.entry(link.source)
            reason = f"已被{_called(other)}废止{f'（自{_day(since)}起）' if since else ''}。"
            return Status("superseded", reason, other.id, link.relation.span.start, link.relation.span.end)
    if (newer := collection.newer_edition(entry.id)) and (since := _in_effect(collection.entry(newer), today)) is not None:
        return Status("superseded", f"已有新的版本（{_day(collection.entry(newer).meta.issued_on or since)}公布）。", newer)
    if meta.status != "unknown":
        return _proved(entry, meta.status, meta.status_reason or "", "status")  # type: ignore[arg-type]
    if meta.expires_on and meta.expires_on < today:
        return _proved(entry, "expired", f"有效期至{_day(meta.expires_on)}。", "expires_on")
    if meta.effective_on and meta.effective_on > today:
        return _proved(entry, "not_yet", f"自{_day(meta.effective_on)}起施行。", "effective_on")
    if meta.effective_on:
        until = f"，有效期至{_day(meta.expires_on)}" if meta.expires_on else "，现有文件中没有废止它的"
        return _proved(entry, "in_force", f"自{_day(meta.effective_on)}起施行{until}。", "effective_on")
    return Status("unknown", "文件没有写明施行日期和有效期，现有文件中也没有废止它的。")


def is_draft(meta: Metadata) -> bool:
    """Whether a title says that the document is only put up for comment."""
    return bool(meta.title and _DRAFT.search(meta.title))


def _in_effect(entry: Entry, today: str) -> str | None:
    """Since when a document has effect: a day, "" when none is known, None when it has no effect (yet)."""
    meta = entry.meta
    since = meta.effective_on or meta.issued_on or meta.published_on or ""
    return None if is_draft(meta) or since > today else since


def _proved(entry: Entry, kind: Kind, reason: str, name: str) -> Status:
    span = entry.meta.proof.get(name)
    return Status(kind, reason, entry.id, span.start, span.end) if span else Status(kind, reason)


def _later(meta: Metadata, than: Metadata) -> bool:
    """Whether a document is known to be younger than another one, or as young."""
    mine, other = (m.issued_on or m.published_on or m.effective_on for m in (meta, than))
    return bool(mine and other and mine >= other)


def _called(entry: Entry) -> str:
    meta = entry.meta
    name = f"《{meta.title}》" if meta.title else ""
    number = f"（{meta.document_number}）" if name and meta.document_number else meta.document_number or ""
    return name + number or entry.source


def _day(iso: str) -> str:
    year, month, day = iso.split("-")
    return f"{year}年{int(month)}月{int(day)}日"


def _number(number: str) -> str:
    """A document number for comparison: one kind of brackets, no 第, no white space."""
    return re.sub(r"[〔［\[(（【]", "[", re.sub(r"[〕］\])）】]", "]", re.sub("[第年]", "", compact(normalise(number)))))


def _title(title: str) -> str:
    """A title for comparison: without white space, quotation marks and brackets of titles."""
    return re.sub(r"""[《》〈〉<>“”"'‘’]""", "", compact(normalise(title)))
