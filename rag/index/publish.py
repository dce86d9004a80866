"""Where generations lie, which one is current, and how a new one takes its place.

    index/
      CURRENT            "<folder> <sha256 of its manifest>", and on a second line the generation to fall back to
      generations/       000012-3fa9c1d2e3f4a5b6/ …: number of the publication, id of the generation
      lock               held by the one writer, by the kernel: a crash lets go of it
      seen               size and time of the files that were read (scan.py); a cache, never needed

Publishing: the files, each synced → manifest, synced → their folders, synced → the generation's folder gets
its name, `generations` synced → CURRENT replaced by renaming, `index` synced. Whenever the power fails, CURRENT
names a whole generation: the old one or the new one. Rubbish of crashed writers is removed by the next writer.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rag.errors import IndexMissing
from rag.files import DISK, Disk, digest_of, make_folders, read_small, remove_tree, replace_file

_LINE = re.compile(r"(\d{6,12}-[0-9a-f]{16}) ([0-9a-f]{64})")
_NAME = re.compile(r"\d{6,12}-[0-9a-f]{16}")
_CURRENT, _GENERATIONS, _BUILDING = "CURRENT", "generations", "building"


@dataclass(frozen=True, slots=True)
class Pointer:
    """A generation's folder name and the SHA-256 of its manifest."""

    name: str
    digest: str

    def line(self) -> str:
        """As it stands in CURRENT."""
        return f"{self.name} {self.digest}\n"


def lock_path(folder: Path) -> Path:
    """The file whose lock the writer holds."""
    return folder / "lock"


def read_pointers(folder: Path) -> list[Pointer] | None:
    """What CURRENT says: the current generation, then the one to fall back to. None: missing; empty: unreadable."""
    try:
        return parse_pointers(read_small(folder / _CURRENT, 4096))
    except FileNotFoundError:
        return None
    except OSError:
        return []


def parse_pointers(data: bytes) -> list[Pointer]:
    """The lines of CURRENT; empty unless all of it is as it should be."""
    lines = data.decode("ascii", "replace").split("\n")
    found = [_LINE.fullmatch(line) for line in lines[:-1]]
    if lines[-1] or not 1 <= len(found) <= 2 or not all(found):
        return []
    return [Pointer(m[1], m[2]) for m in found if m]


def current_candidates(folder: Path, problems: list[str]) -> Iterator[tuple[Path, str]]:
    """Generations to try, best first, with the digest of each one's manifest.

    What is wrong with CURRENT is added to `problems`. Raises IndexMissing when there is no generation at all.
    """
    pointers = read_pointers(folder)
    generations = folder / _GENERATIONS
    names = sorted(_names(generations), key=_number, reverse=True)
    if pointers:
        yield generations / pointers[0].name, pointers[0].digest
        # older ones that CURRENT does not name were withdrawn, perhaps on purpose
        names = [name for name in names if _number(name) >= _number(pointers[0].name)]
    elif pointers is None and not names:
        raise IndexMissing("还没有建立索引。", "请先运行 wenju index，把文件编入索引。")
    else:
        problems.append("CURRENT 文件丢失" if pointers is None else "CURRENT 文件已损坏")
    for name in names:  # CURRENT itself may be damaged or stale; a folder's name begins its manifest's digest
        with suppress(OSError):
            digest = digest_of(generations / name / "manifest.json")
            if name.endswith(digest[:16]) and Pointer(name, digest) not in (pointers or []):
                yield generations / name, digest
    for pointer in (pointers or [])[1:]:
        yield generations / pointer.name, pointer.digest


def tidy(folder: Path, served: str | None, disk: Disk = DISK) -> None:
    """Before writing: removes what crashed writers have left, never what CURRENT names or what is `served`."""
    pointed = [pointer.name for pointer in read_pointers(folder) or []]
    collect_garbage(folder, [*pointed, *([served] if served else [])], disk)


def staging(folder: Path, disk: Disk = DISK) -> Path:
    """A new, empty folder in which the next generation is built; the caller holds the lock."""
    make_folders(folder / _GENERATIONS, disk)
    path = folder / _GENERATIONS / _BUILDING
    remove_tree(path, disk)
    disk.make_folder(path)
    return path


def publish(folder: Path, built: Path, digest: str, keep: Pointer | None, disk: Disk = DISK) -> Pointer:
    """Makes the generation in `built`, whose files and folders are synced, the current one.

    digest: of its manifest. keep: the generation to fall back to; None: none may be left.
    """
    generations = folder / _GENERATIONS
    number = 1 + max((_number(name) for name in _names(generations)), default=0)
    new = Pointer(f"{number:06d}-{digest[:16]}", digest)
    disk.rename(built, generations / new.name)
    disk.sync_folder(generations)
    point(folder, [new, *([keep] if keep else [])], disk)
    return new


def point(folder: Path, pointers: Sequence[Pointer], disk: Disk = DISK) -> None:
    """Replaces CURRENT."""
    replace_file(folder / _CURRENT, "".join(p.line() for p in pointers).encode("ascii"), disk)


def collect_garbage(folder: Path, keep: Sequence[str], disk: Disk = DISK) -> None:
    """Removes every generation that is not named in `keep`, and what crashed writers have left."""
    generations = folder / _GENERATIONS
    if generations.is_dir():
        for path in sorted(generations.iterdir()):
            if path.name not in keep:
                remove_tree(path, disk)
    remove_tree(folder / (_CURRENT + ".new"), disk)


def _names(generations: Path) -> list[str]:
    return [p.name for p in generations.iterdir() if _NAME.fullmatch(p.name)] if generations.is_dir() else []


def _number(name: str) -> int:
    return int(name.split("-")[0])
