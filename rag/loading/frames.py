"""How the two ends of the reading process talk: frames of a JSON header and bytes, on a pipe. Never pickle."""

import json
import struct
from typing import Any, BinaryIO

_SIZES = struct.Struct(">IQ")
_LONGEST_HEADER = 1 << 20
LARGEST = 300 << 20
"""Bytes of a frame beyond which the other end is not believed."""


def send(pipe: BinaryIO, header: dict[str, Any], payload: bytes = b"") -> None:
    """Writes one frame. Raises OSError."""
    head = json.dumps(header).encode("ascii")
    pipe.write(_SIZES.pack(len(head), len(payload)) + head)
    pipe.write(payload)
    pipe.flush()


def receive(pipe: BinaryIO) -> tuple[dict[str, Any], bytes]:
    """The next frame. Raises EOFError when the other end is gone, ValueError for what is no frame."""
    head, size = _SIZES.unpack(_exactly(pipe, _SIZES.size))
    if head > _LONGEST_HEADER or size > LARGEST:
        raise ValueError("frame too large")
    header = json.loads(_exactly(pipe, head))
    if not isinstance(header, dict):
        raise ValueError("header is no object")
    return header, _exactly(pipe, size)


def _exactly(pipe: BinaryIO, size: int) -> bytes:
    data = pipe.read(size)
    if len(data) < size:
        raise EOFError
    return data
