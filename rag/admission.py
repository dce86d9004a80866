"""Which documents and passages of a generation a question's slots admit. See `rag.scope` for what a verdict is.

A slot's verdicts are found for all documents at once, once for each value of what it looks at (there are few issuers, years,
places), and kept: questions ask for the same years and places again and again.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import cached_property, lru_cache

import numpy as np

from rag import scope
from rag.index import Index
from rag.query import Query
from rag.scope import Slot
from rag.validity import status_of

_TRUE, _FALSE = 1, -1


class Register:
    """What slots look at in the documents of one generation."""

    def __init__(self, index: Index, whole: Callable[[str], str], normal: Callable[[int], str]) -> None:
        """whole: a document's text in the comparison form, by id; normal: a passage's with its headings, by row."""
        self.index, self.whole, self.normal = index, whole, normal
        self.order = list(index.metas)
        self.places = {id: scope.places_of(entry.meta) for id, entry in index.metas.items()}
        self._said: dict[str, tuple[str, ...]] = {}
        self._grouped = lru_cache(maxsize=16)(self._groups)
        self._column = lru_cache(maxsize=256)(self._judged)
        self._lengths = np.array([len(entry.rows) for entry in index.metas.values()], np.int64)

    def on(self, query: Query) -> "Admission":
        """The register asked for a question's slots."""
        return Admission(self, query)

    def column(self, slot: Slot, query: Query) -> np.ndarray:
        """Verdicts on all documents in order, int8 [documents]: 1 true, -1 false, 0 the document does not say."""
        return self._column(slot, query.about_issue, query.in_force_on)

    def rows_of(self, kept: np.ndarray) -> np.ndarray:
        """Rows of the passages of documents, bool [documents], sorted int64."""
        return np.flatnonzero(np.repeat(kept, self._lengths))

    def said_places(self, id: str) -> tuple[str, ...]:
        """The document's own places, else those that its text keeps naming."""
        if id not in self._said:
            self._said[id] = self.places[id] or scope.places_in(self.index.text(id))
        return self._said[id]

    def _judged(self, slot: Slot, about_issue: bool, in_force_on: str) -> np.ndarray:
        query = Query("", about_issue=about_issue, in_force_on=in_force_on)
        first, group = self._grouped(slot.name)
        verdicts = [self._verdict(slot, query, id) for id in first]
        return np.array([0 if v is None else _TRUE if v else _FALSE for v in verdicts], np.int8)[group]

    def _verdict(self, slot: Slot, query: Query, id: str) -> bool | None:
        if slot.name == "效力":  # true unless something is known that puts the document out of force
            kind = status_of(self.index.metas[id], query.in_force_on, self.index.collection).kind
            return kind in ("in_force", "unknown")
        return scope.of_document(slot, query, id, self.index.metas[id].meta, self.places[id])

    def _groups(self, name: str) -> tuple[list[str], np.ndarray]:
        """The first document of each group that slots of this name cannot tell apart; each document's group, int64."""
        numbers: dict[Hashable, int] = {}
        first: list[str] = []
        group = np.empty(len(self.order), np.int64)
        for at, id in enumerate(self.order):
            key = self._seen(name, id)
            if key not in numbers:
                numbers[key] = len(first)
                first.append(id)
            group[at] = numbers[key]
        return first, group

    def _seen(self, name: str, id: str) -> Hashable:
        """All that `scope.of_document` looks at for a slot of this name."""
        meta = self.index.metas[id].meta
        match name:
            case "文号":
                return meta.document_number
            case "标题":
                return meta.title
            case "文种":
                return meta.kind
            case "单位":
                return meta.issuers, self.places[id]
            case "年份":
                return meta.issued_on and meta.issued_on[:4], meta.published_on and meta.published_on[:4], meta.years
            case "节日":
                return meta.festivals
            case "地区":
                return self.places[id]
            case _:
                return id


class Admission:
    """One question's slots and what they are true of."""

    def __init__(self, register: Register, query: Query) -> None:
        self.query, self.slots = query, tuple(scope.slots(query))
        self._register = register
        self._columns = [register.column(slot, query) for slot in self.slots]
        self._verdicts: dict[str, list[bool | None]] = {}
        self._met: dict[str, list[tuple[int, int]]] = {}
        self._open: dict[str, list[list[Slot]]] = {}

    def verdicts(self, id: str) -> list[bool | None]:
        """Each slot's on the document."""
        if id not in self._verdicts:
            at = self._register.index.number_of(id)
            self._verdicts[id] = [None if column[at] == 0 else bool(column[at] == _TRUE) for column in self._columns]
        return self._verdicts[id]

    def met(self, id: str) -> list[tuple[int, int]]:
        """Where the question says slots that are true of the document."""
        if id not in self._met:
            true = [slot for slot, verdict in zip(self.slots, self.verdicts(id), strict=True) if verdict]
            self._met[id] = [place for slot in true for place in self._mentions[slot]]
        return self._met[id]

    def documents(self) -> list[str]:
        """Ids of the documents that every group of slots is true of, in order; none when there are no slots."""
        if not self.slots:
            return []
        true = np.logical_and.reduce([(columns == _TRUE).any(axis=0) for columns in self._by_group()])
        return [self._register.order[at] for at in np.flatnonzero(true)]

    def rows(self) -> np.ndarray | None:
        """Rows of the documents that no group of slots excludes; None when that is all of them."""
        if not self.slots:
            return None
        kept = np.logical_and.reduce([(columns != _FALSE).any(axis=0) for columns in self._by_group()])
        return None if kept.all() else self._register.rows_of(kept)

    @cached_property
    def owned(self) -> frozenset[Slot]:
        """Slots that some document is of: then others that merely mention them do not answer for them."""
        return frozenset(slot for slot, column in zip(self.slots, self._columns, strict=True)
                         if slot.name != "节日" and (column == _TRUE).any())

    def admits(self, row: int) -> bool:
        """Whether every group of slots is true of the passage's document, or the passage's own words meet it."""
        id = self._register.index.passage(row).document_id
        return all(any(self._says(slot, id, row) for slot in group) for group in self._left_open(id))

    def unmet(self, rows: np.ndarray) -> tuple[Slot, ...]:
        """Slots that none of these passages meets, each taken alone."""
        passages = [(row, self._register.index.passage(row).document_id) for row in rows.tolist()]
        return tuple(slot for n, slot in enumerate(self.slots)
                     if not any(self._holds(slot, self.verdicts(id)[n], id) or self._says(slot, id, row) for row, id in passages))

    def _left_open(self, id: str) -> list[list[Slot]]:
        """The groups of slots that are not true of the document as a whole: its passages have to say them."""
        if id not in self._open:
            groups: dict[str, list[Slot]] = {}
            for slot in self.slots:
                groups.setdefault(slot.group, []).append(slot)
            true = {slot.group for slot, verdict in zip(self.slots, self.verdicts(id), strict=True) if self._holds(slot, verdict, id)}
            self._open[id] = [slots for group, slots in groups.items() if group not in true]
        return self._open[id]

    def _holds(self, slot: Slot, verdict: bool | None, id: str) -> bool:
        return bool(verdict or (verdict is None and self._may_be(slot, id)))

    def _says(self, slot: Slot, id: str, row: int) -> bool:
        """Whether the passage's own words meet the slot."""
        register = self._register
        if register.index.passage(row).section_path == ("落款",):  # its date is that of issue, not of the matter
            return False
        text = register.normal(row)
        meta = register.index.metas[id].meta
        return ((slot not in self.owned or scope.names_month(slot, self.query, text) or scope.may_report(slot, meta, register.places[id]))
                and scope.in_words(slot, register.whole(id) if slot.name == "标题" else text))

    def _may_be(self, slot: Slot, id: str) -> bool:
        register = self._register
        return scope.may_be(slot, register.index.metas[id].meta, register.said_places(id), register.whole(id))

    @cached_property
    def _mentions(self) -> Mapping[Slot, Sequence[tuple[int, int]]]:
        return {slot: scope.mentions(slot, self.query.text) for slot in self.slots}

    def _by_group(self) -> list[np.ndarray]:
        """The columns of each group of slots that are alternatives: int8 [slots of the group, documents]."""
        groups: dict[str, list[np.ndarray]] = {}
        for slot, column in zip(self.slots, self._columns, strict=True):
            groups.setdefault(slot.group, []).append(column)
        return [np.stack(columns) for columns in groups.values()]
