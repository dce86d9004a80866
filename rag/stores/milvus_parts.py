"""A collection in Milvus that holds bytes by their keys for a while: what several machines have computed for one.

    id        "<key>.<piece>", the primary key
    pieces    how many there are: a value longer than a field is cut
    data      base64
    nothing   a vector, without which no collection may be

Piece 0 is written last: where it is, the value is whole. While it is read the collection lies in the server's memory.
"""

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rag.stores.milvus import Milvus
from rag.stores.milvus_client import WORK

_PIECE = 48_000
"""Bytes, which base64 makes 64,000 characters; a field holds 65,535."""
_AT_ONCE = 200
"""Pieces in one request: 13 MB, where servers take 64."""


class Parts:
    """The collection `name`, made when it is first needed. Methods raise EngineError."""

    def __init__(self, milvus: Milvus, name: str) -> None:
        self._milvus, self.name = milvus, name

    def there(self) -> bool:
        """Whether anything has been put there. From then on what others have put there before is seen."""
        if not self._milvus.call("has_collection", self.name):
            return False
        self._milvus.call("load_collection", self.name, seconds=WORK)
        self._milvus.call("query", self.name, filter="pieces == 0", output_fields=["id"], limit=1,
                          consistency_level="Strong", seconds=WORK)
        return True

    def make(self) -> None:
        """Makes the collection unless it is there."""
        if not self.there():
            fields = {"id": ("VARCHAR", {"is_primary": True, "max_length": 80}), "pieces": ("INT64", {}),
                      "data": ("VARCHAR", {"max_length": 65_535}), "nothing": ("FLOAT_VECTOR", {"dim": 2})}
            self._milvus.create(self.name, fields, {"nothing": ("FLAT", "L2", {})})
            self.there()

    def known(self, keys: Sequence[bytes]) -> set[bytes]:
        """Those of the keys whose values are there, whole."""
        found = self._pieces([f"{key.hex()}.0" for key in keys], ["id"])
        return {bytes.fromhex(item["id"].partition(".")[0]) for item in found}

    def put(self, values: Mapping[bytes, bytes]) -> None:
        """Adds values, or puts the same ones there again."""
        first: list[dict[str, Any]] = []
        rest: list[dict[str, Any]] = []
        for key, value in values.items():
            starts = range(0, max(len(value), 1), _PIECE)
            for piece, start in enumerate(starts):
                data = base64.b64encode(value[start : start + _PIECE]).decode("ascii")
                record = {"id": f"{key.hex()}.{piece}", "pieces": len(starts), "data": data, "nothing": [0.0, 0.0]}
                (rest if piece else first).append(record)
        for records in (rest, first):
            for part in _runs(records):
                self._milvus.call("upsert", self.name, part, seconds=WORK)

    def take(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """The values of those keys that are there."""
        first = self._pieces([f"{key.hex()}.0" for key in keys], ["id", "pieces", "data"])
        more = [f"{item['id'].partition('.')[0]}.{piece}" for item in first for piece in range(1, item["pieces"])]
        data = {item["id"]: item["data"] for item in (*first, *self._pieces(more, ["id", "data"]))}
        out: dict[bytes, bytes] = {}
        for item in first:
            key = item["id"].partition(".")[0]
            whole = [data.get(f"{key}.{piece}", "") for piece in range(item["pieces"])]
            out[bytes.fromhex(key)] = b"".join(map(base64.b64decode, whole))
        return out

    def drop(self) -> None:
        """Removes the collection."""
        self._milvus.call("drop_collection", self.name, seconds=WORK)

    def _pieces(self, ids: Sequence[str], fields: list[str]) -> list[dict[str, Any]]:
        return [item for run in _runs(ids) for item in self._milvus.call(
            "query", self.name, filter=f"id in {list(run)}".replace("'", '"'), output_fields=fields,
            consistency_level="Eventually", seconds=WORK)]


def _runs(items: Sequence) -> Iterator[Sequence]:
    return (items[start : start + _AT_ONCE] for start in range(0, len(items), _AT_ONCE))
