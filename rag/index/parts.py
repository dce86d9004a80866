"""Several machines embed the files of one index, each its part, before one of them publishes it.

Which part a file belongs to follows from its bytes alone, so no machine need know of the others. What a machine computes
it puts into one collection on the server, by the digest of what it was computed from (see `builder.key_of`): a part that is
killed goes on where it stopped, one that is done again does nothing. Publishing takes from there whatever is there,
computes the rest itself, and drops the collection: it never depends on the parts.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np

from rag.errors import UsageError
from rag.index.builder import Prepared, Stored, embedded, key_of, passage_context
from rag.index.entries import Failure
from rag.protocols import Embedder
from rag.stores.milvus_parts import Parts

_WAITING = 128
"""Passages that are embedded, and sent, at once."""


@dataclass(frozen=True, slots=True)
class Part:
    """One of equal parts, counted from 1."""

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> "Part":
        """From "3/8". Raises UsageError."""
        found = re.fullmatch(r"(\d{1,4})/(\d{1,4})", text)
        if not found or not 1 <= int(found[1]) <= int(found[2]):
            raise UsageError(f"“{text}”不是一份的写法。", "写成 第几份/共几份，例如 --part 3/8。")
        return cls(int(found[1]), int(found[2]))

    def has(self, sha256: str) -> bool:
        """Whether a file of these bytes belongs to this part."""
        return int(sha256[:8], 16) % self.of == self.number - 1


@dataclass(frozen=True, slots=True)
class PartReport:
    """What was done for a part. `embedded` passages were computed now; `reused` ones were there, or in the index."""

    part: str
    files: int
    failed: tuple[Failure, ...]
    passages: int
    embedded: int
    reused: int
    seconds: float


class Filling:
    """The embeddings that wait on the server for being published."""

    def __init__(self, parts: Parts, embedder: Embedder) -> None:
        self._parts, self._embedder = parts, embedder

    def fill(self, documents: Iterable[Prepared], indexed: Set[bytes], tell: Callable[[int, int], None]) -> tuple[int, int]:
        """Puts the embeddings of these documents there; how many passages there are, and how many had to be computed.

        indexed: keys that the index has already. tell: the same numbers, each time some more are done.
        """
        self._parts.make()
        waiting: dict[bytes, tuple[str, str]] = {}
        passages = computed = 0
        for item in documents:
            for passage in item.passages:
                context, passages = passage_context(item.document, passage), passages + 1
                if (key := key_of(self._embedder, passage.text, context)) not in indexed:
                    waiting[key] = passage.text, context
            if len(waiting) >= _WAITING:
                computed += self._put(waiting)
                waiting = {}
            tell(passages, computed)
        return passages, computed + self._put(waiting)

    def _put(self, waiting: Mapping[bytes, tuple[str, str]]) -> int:
        known = self._parts.known(list(waiting))
        new = [(key, passage) for key, passage in waiting.items() if key not in known]
        for start in range(0, len(new), _WAITING):
            some = dict(new[start : start + _WAITING])
            self._parts.put({key: _packed(stored) for key, stored in embedded(self._embedder, some)})
        return len(new)

    def taken(self, keys: Sequence[bytes]) -> dict[bytes, Stored]:
        """What is there for these keys, whole."""
        found = self._parts.take(keys) if keys else {}
        whole = {key: _unpacked(value, self._embedder.dimension) for key, value in found.items()}
        return {key: stored for key, stored in whole.items() if stored is not None}

    def drop(self) -> None:
        """It has been published."""
        self._parts.drop()


def _packed(stored: Stored) -> bytes:
    vector, tokens, spans = stored
    body = vector.astype("<f4").tobytes() + np.ascontiguousarray(spans, "<i4").tobytes() + tokens.tobytes()
    return hashlib.sha256(body).digest() + body


def _unpacked(value: bytes, dimension: int) -> Stored | None:
    """The reverse of `_packed`; None when it is not as it was."""
    body = value[32:]
    count, rest = divmod(len(body) - 4 * dimension, 8 + dimension)
    if hashlib.sha256(body).digest() != value[:32] or count < 0 or rest:
        return None
    spans_at, tokens_at = 4 * dimension, 4 * dimension + 8 * count
    vector = np.frombuffer(body[:spans_at], "<f4").astype(np.float32)
    spans = np.frombuffer(body[spans_at:tokens_at], "<i4").reshape(count, 2)
    return vector, np.frombuffer(body[tokens_at:], np.int8).reshape(count, dimension), spans
