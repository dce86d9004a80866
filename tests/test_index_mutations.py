"""Thousands of damaged indexes: each damage is seen by its digest, before anything is parsed, and the generation before it serves."""

import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from index_fakes import generations, index_of, memory_folder, notices, write
from torture import amount, figure

from rag.errors import IndexDamaged, IndexMissing
from rag.index import Index

COUNT = amount(10_000, 1_000_000)
_WHOLE = 100
"""One in so many is opened with nothing replaced."""


class Damaged:
    """An index of two generations in memory, and the ways of damaging the newer one; each is undone afterwards."""

    def __init__(self, place: Path) -> None:
        self.folder = place / "home" / "index"
        docs = notices(place / "docs")
        self.old = index_of(self.folder, docs).generation
        write(docs / "a.txt", "改过的通知")
        self.new = index_of(self.folder, docs).generation
        self.before, self.current = generations(self.folder)
        self.files = {path: path.read_bytes() for path in sorted(self.current.rglob("*")) if path.is_file()}
        self.draw = random.Random(29)
        self.ways: dict[str, Callable[[Path, bytes], bytes | None]] = {
            "flipped bit": self.flipped, "cut short": self.cut, "grown": self.grown, "zeroed": self.zeroed,
            "moved inside": self.moved, "of another file": self.of_another, "of the generation before": self.of_before,
            "gone": lambda path, data: None,
        }

    def flipped(self, path: Path, data: bytes) -> bytes:
        """One bit."""
        changed = bytearray(data)
        changed[self.draw.randrange(len(data))] ^= 1 << self.draw.randrange(8)
        return bytes(changed)

    def cut(self, path: Path, data: bytes) -> bytes:
        """Anywhere."""
        return data[: self.draw.randrange(len(data))]

    def grown(self, path: Path, data: bytes) -> bytes:
        """By rubbish, in front of it or behind."""
        more = self.draw.randbytes(self.draw.randint(1, 64))
        return more + data if self.draw.random() < 0.5 else data + more

    def zeroed(self, path: Path, data: bytes) -> bytes:
        """A sector, or what there is of one."""
        start = self.draw.randrange(len(data))
        return data[:start] + bytes(len(data[start : start + 512])) + data[start + 512 :]

    def moved(self, path: Path, data: bytes) -> bytes:
        """Two halves in the wrong order."""
        at = self.draw.randrange(len(data))
        return data[at:] + data[:at]

    def of_another(self, path: Path, data: bytes) -> bytes:
        """The content of another file of the same generation."""
        return self.files[self.draw.choice(list(self.files))]

    def of_before(self, path: Path, data: bytes) -> bytes:
        """The content that the file had a generation ago."""
        earlier = self.before / path.relative_to(self.current)
        return earlier.read_bytes() if earlier.exists() else b""

    def each(self, count: int) -> Iterator[tuple[str, Path]]:
        """So many damaged states, one after the other: what was done, and to which file."""
        names, paths, done = list(self.ways), list(self.files), 0
        while done < count:
            way, path = self.draw.choice(names), self.draw.choice(paths)
            data = self.files[path]
            damaged = self.ways[way](path, data)
            if damaged == data:
                continue
            path.unlink()
            if damaged is not None:
                path.write_bytes(damaged)
            yield way, path
            path.unlink(missing_ok=True)
            path.write_bytes(data)
            done += 1


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Damaged]:
    tmp_path_factory.getbasetemp()  # pytest's own folder stays where it belongs
    with memory_folder() as place:
        yield Damaged(place)


def test_every_damage_is_seen_before_parsing_and_the_generation_before_serves(
    damaged: Damaged, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[Path] = []
    really = Index._open
    seen: dict[str, int] = {}
    monkeypatch.setattr(Index, "_open", lambda index: parsed.append(index.folder))
    for number, (way, path) in enumerate(damaged.each(COUNT)):
        if number % _WHOLE == 0:
            monkeypatch.setattr(Index, "_open", lambda index: (parsed.append(index.folder), really(index))[1])
        index = Index.open(damaged.folder)
        assert index.generation == damaged.old and index.fallback, f"{way}: {path.name}"
        assert parsed == [damaged.before], "what was parsed is the good generation alone"
        if number % _WHOLE == 0:
            assert index.passage(0).text and len(index.document(next(iter(index.metas))).text)
            monkeypatch.setattr(Index, "_open", lambda index: parsed.append(index.folder))
        parsed.clear()
        seen[way] = seen.get(way, 0) + 1
    monkeypatch.setattr(Index, "_open", really)
    assert set(seen) == set(damaged.ways) and Index.open(damaged.folder).generation == damaged.new
    figure(f"index mutations: {COUNT} of {COUNT} detected before parsing, the generation before served each time; {seen}")


def test_a_damaged_pointer_leads_to_a_whole_generation_or_to_an_error(damaged: Damaged, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every single bit of CURRENT, every length of it, and drawn changes of several bytes."""
    path, draw = damaged.folder / "CURRENT", random.Random(31)
    good = path.read_bytes()
    monkeypatch.setattr(Index, "_open", lambda index: None)
    flips = [good[:at] + bytes([good[at] ^ 1 << bit]) + good[at + 1 :] for at in range(len(good)) for bit in range(8)]
    drawn = [bytes(draw.randrange(256) if draw.random() < 0.02 else b for b in good) for _ in range(amount(500, 50_000))]
    found, told = set(), 0
    for bad in (*flips, *(good[:n] for n in range(len(good))), *drawn, good * 2, good[::-1], b"\0" * 4096, b"9" * 10_000):
        path.write_bytes(bad)
        try:
            index = Index.open(damaged.folder)
        except IndexDamaged as error:  # both lines are hurt: an older generation might be one that was withdrawn
            assert error.hint and not set(bad.split(b"\n")[:2]) & set(good.split(b"\n")[:2])
            told += 1
            continue
        assert index.generation in (damaged.old, damaged.new)
        assert index.generation == damaged.new or index.fallback, "an older one serves only with a word about it"
        found.add(index.generation)
    path.write_bytes(good)
    assert told <= len(drawn) // 100
    assert found == {damaged.old, damaged.new} and Index.open(damaged.folder).fallback is None


def test_things_that_are_no_files_are_never_waited_for(damaged: Damaged) -> None:
    makers: dict[str, Callable[[Path], object]] = {
        "pipe": os.mkfifo, "folder": Path.mkdir, "loop": lambda path: path.symlink_to(path), "outside": lambda path: path.symlink_to("/etc/passwd"),
        "device": lambda path: path.symlink_to("/dev/zero"),
    }
    for path, data in damaged.files.items():
        for make in makers.values():
            path.unlink()
            make(path)
            index = Index.open(damaged.folder)
            assert index.generation == damaged.old and index.fallback
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
            path.write_bytes(data)
    for make in makers.values():
        current, kept = damaged.folder / "CURRENT", (damaged.folder / "CURRENT").read_bytes()
        current.unlink()
        make(current)
        try:
            assert Index.open(damaged.folder).fallback
        except (IndexDamaged, IndexMissing) as error:
            assert error.hint
        shutil.rmtree(current) if current.is_dir() and not current.is_symlink() else current.unlink()
        current.write_bytes(kept)
    assert Index.open(damaged.folder).generation == damaged.new
