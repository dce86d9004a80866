"""Digest first: what of a generation was read whole and is what its manifest says.

A small generation is read whole at every opening. Of a large one, the files that are read by position (`is_raw`: nearly all
of it) are taken on trust when they are the very files that were read and found good before: `index/verified` keeps, for each,
device, inode, size and the times of the last change of its content and of its inode, to the nanosecond. A file that was
copied, restored, touched or written to has another inode or another time of change, which no ordinary call sets back; it
is read again. What is parsed while opening (json, FAISS's codes, tantivy's tables) is read at every opening, however large.

What this does not cover: bits that rot on the medium without a write are found when all is read next: by a served process
in the background (`Index.proving`), by `wenju check`, and before anything is copied into another generation; not at once.
Nor does it cover whoever sets the clock back, or writes to the disk beneath the file system; nobody is kept out who may
write to the index: that was so before.

A stamp is written after the file itself has been synced, so that it never outlives bytes that a power failure took; and
only for a file that had been left alone for a while when reading it began, so that a write in the same tick cannot hide.
"""

import hashlib
import json
import os
import re
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rag.errors import IndexDamaged
from rag.files import DISK, Disk, digest_of, inside, of_the_machine, read_small, replace_file
from rag.index import entries
from rag.index.entries import Manifest

RAW = frozenset({"texts.jsonl", "wholes.txt", "passages.jsonl", "vectors.float32", "tokens.int8", "spans.int32", "keys.sha256"})
"""Mapped, and read by position alone; so are tantivy's `_POSTINGS`, of which a search decodes what it needs."""
VECTORS, CODES, EARLIER = "vectors.float32", "vectors.codes", "vectors.faiss"
"""CODES: only of many passages. EARLIER: what generations of before have instead of VECTORS, in FAISS's own format."""
WHOLES = frozenset({"wholes.txt", "wholes.offsets"})
"""Those have none of these either."""
PLAIN = RAW | {"documents.json", "files.json", *(f"{name}.offsets" for name in ("texts", "wholes", "passages", "tokens"))}
LEXICAL, DOCUMENT_LEXICAL = "lexical", "document_lexical"
_LEXICAL_FILE = re.compile(rf"({LEXICAL}|{DOCUMENT_LEXICAL})/[A-Za-z0-9._]+")
_POSTINGS = (".idx", ".store")
MANIFEST_LIMIT = 1 << 20
LARGE = 1 << 28
"""Generations of fewer bytes are read whole at every opening: it takes a fifth of a second."""
_SMALL = 1 << 24
"""Below so many bytes in all, starting threads takes longer than hashing."""
_SETTLED = 2_000_000_000
"""Nanoseconds for which a file must have been left alone: more than the coarsest clock of a file system."""
_STAMPS, _STAMPS_LIMIT = "verified", 1 << 16
HINT = "请用 wenju restore 恢复备份，或移走索引文件夹后重新运行 wenju index。"
Stamp = tuple[int, ...]
"""Device, inode, size, mtime and ctime in nanoseconds."""


@dataclass(frozen=True, slots=True)
class Verified:
    """How the files of a generation were found good. trusted: names of those that were not read this time.

    stamps: of the files that need not be read next time. news: whether these differ from what is written down.
    """

    trusted: tuple[str, ...]
    stamps: Mapping[str, Stamp]
    news: bool


def damaged(what: str) -> IndexDamaged:
    """The error for a generation that is not what it should be."""
    return IndexDamaged(f"索引已损坏：{what}。", HINT)


def read_manifest(folder: Path, digest: str) -> Manifest:
    """The manifest of a generation, if it has this SHA-256. Raises IndexDamaged."""
    try:
        data = read_small(folder / "manifest.json", MANIFEST_LIMIT + 1)
    except OSError as error:
        if of_the_machine(error):
            raise
        raise damaged(f"{folder.name} 的清单读不出来（{error.strerror}）") from error
    if len(data) > MANIFEST_LIMIT or hashlib.sha256(data).hexdigest() != digest:
        raise damaged(f"{folder.name} 的清单与登记的摘要不符")
    try:
        return parse_manifest(data)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise damaged(f"{folder.name} 的清单不合要求（{error}）") from error


def parse_manifest(data: bytes) -> Manifest:
    """Raises ValueError, KeyError, TypeError or AttributeError."""
    return entries.manifest_from_json(entries.parse(data))


def listed_paths(folder: Path, manifest: Manifest) -> dict[str, Path]:
    """The path of each file in the manifest. Raises ValueError when a name is missing, unknown or unsafe."""
    plain = {name for name in manifest.files if not _LEXICAL_FILE.fullmatch(name)}
    if plain - {CODES} not in (PLAIN, PLAIN - WHOLES - {VECTORS} | {EARLIER}):
        raise ValueError("the manifest lists other files than a generation has")
    return {name: inside(folder, name) for name in manifest.files}


def verify(folder: Path, manifest: Manifest, stamps: Mapping[str, Stamp] | None = None) -> Verified:
    """Every file's name, size and digest; files that are as `stamps` has them are not read.

    Raises IndexDamaged, ValueError for an unsafe name.
    """
    paths, known = listed_paths(folder, manifest), stamps or {}
    kept: dict[str, Stamp] = {}

    def wrong(name: str) -> bool:
        began, now = time.time_ns(), _stamp(paths[name])
        if now[2] != manifest.files[name].size:
            return True
        if known.get(name) != now:
            if digest_of(paths[name]) != manifest.files[name].sha256:
                return True
            if max(now[3:]) > began - _SETTLED or _stamp(paths[name]) != now:
                return False
        if is_raw(name):
            kept[name] = now
        return False

    size = sum(listed.size for listed in manifest.files.values())
    try:
        if size < _SMALL:
            bad = [name for name in paths if wrong(name)]
        else:
            with ThreadPoolExecutor(2) as pool:  # hashing runs outside the interpreter's lock
                bad = [name for name, is_wrong in zip(paths, pool.map(wrong, paths), strict=True) if is_wrong]
    except OSError as error:
        if of_the_machine(error):
            raise
        raise damaged(f"{folder.name} 缺少文件或文件读不出来（{error.strerror}）") from error
    if bad:
        raise damaged(f"{folder.name} 的 {'、'.join(bad)} 与清单不符")
    trusted = tuple(name for name, stamp in kept.items() if known.get(name) == stamp)
    return Verified(trusted, kept if large(manifest) else {}, large(manifest) and kept != known)


def is_raw(name: str) -> bool:
    """Whether a file of a generation is read by position."""
    return name in RAW or name.endswith(_POSTINGS)


def large(manifest: Manifest) -> bool:
    """Whether it is worth remembering what was read."""
    return sum(listed.size for listed in manifest.files.values()) >= LARGE


# ---------------------------------------------------------------- what is remembered

def remembered(index: Path, digest: str) -> dict[str, Stamp]:
    """The stamps of the generation whose manifest has this SHA-256; none when they cannot be read."""
    try:
        value = json.loads(read_small(index / _STAMPS, _STAMPS_LIMIT))
        return {name: tuple(map(int, stamp)) for name, stamp in value[digest].items() if is_raw(name)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def remember(index: Path, folder: Path, digest: str, stamps: Mapping[str, Stamp], disk: Disk = DISK) -> None:
    """Writes the stamps of the generation in `folder` down, in the place of any other's. Raises OSError.

    The files are synced first: whoever published them has done so, whoever copied them here may not.
    """
    for path in (inside(folder, name) for name in stamps):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            disk.sync(descriptor, path)
        finally:
            os.close(descriptor)
    replace_file(index / _STAMPS, json.dumps({digest: stamps}).encode(), disk)


def forget(index: Path) -> None:
    """Whatever is opened next is read whole."""
    with suppress(OSError):
        (index / _STAMPS).unlink()


def _stamp(path: Path) -> Stamp:
    status = path.lstat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
