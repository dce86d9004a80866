"""Opening a large index: what was read before and is the same file is not read again; anything else is."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fakes import HashEmbedder
from index_fakes import generations, index_of, memory_folder, notices, whole, write
from power_loss import Recorder, Stage, State, read_state, states

from rag.config import Settings
from rag.errors import IndexDamaged
from rag.files import digest_of
from rag.index import Index, check, verified
from rag.index.verified import PLAIN, is_raw
from rag.pipeline import Pipeline
from ui.api.service import Service


@pytest.fixture(autouse=True)
def everything_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing is too fresh: the limits themselves have a test of their own."""
    monkeypatch.setattr(verified, "LARGE", 0)
    monkeypatch.setattr(verified, "_SETTLED", 0)


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    return notices(tmp_path / "docs")


@pytest.fixture
def folder(tmp_path: Path, docs: Path) -> Path:
    """An index of two generations."""
    folder = tmp_path / "home" / "index"
    index_of(folder, docs)
    write(docs / "a.txt", "改过的通知")
    index_of(folder, docs)
    return folder


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], set[str]]:
    """Opens an index; names of the files of its generation that were read whole."""
    seen: list[Path] = []

    def noted(path: Path) -> str:
        seen.append(path)
        return digest_of(path)

    monkeypatch.setattr(verified, "digest_of", noted)

    def reads(folder: Path, thorough: bool = False) -> set[str]:
        seen.clear()
        index = Index.open(folder, thorough)
        assert index.fallback is None
        return {path.relative_to(index.folder).as_posix() for path in seen if path.is_relative_to(index.folder)}

    return reads


SEGMENT = "0" * 31 + "1"
RAW = {*filter(is_raw, PLAIN), *(f"{part}lexical/{SEGMENT}.{end}" for part in ("", "document_") for end in ("idx", "store"))}
"""Nearly all of a large generation."""


@pytest.fixture
def every(folder: Path) -> set[str]:
    """All files of a generation but the manifest."""
    return set(Index.open(folder).manifest.files)


def test_what_was_read_before_is_not_read_again(folder: Path, docs: Path, reads: Callable, every: set[str]) -> None:
    assert reads(folder) == every - RAW, "whoever built it has read it"
    assert reads(folder, thorough=True) == every and reads(folder) == every - RAW
    (folder / "verified").unlink()
    assert reads(folder) == every and reads(folder) == every - RAW
    write(docs / "b.txt", "又一份通知")
    assert index_of(folder, docs).reused and reads(folder) == every - RAW and check(folder) == []


def test_a_small_index_is_read_whole_each_time(folder: Path, reads: Callable, every: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert sum(f.size for f in Index.open(folder).manifest.files.values()) < verified.LARGE
    (folder / "verified").unlink()
    Index.open(folder)
    assert not (folder / "verified").exists()


def test_what_was_written_a_moment_ago_is_not_trusted(folder: Path, reads: Callable, every: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A write in the same tick of the clock would leave no other time behind."""
    (folder / "verified").unlink()
    monkeypatch.setattr(verified, "_SETTLED", 3_600_000_000_000)
    assert reads(folder) == every and reads(folder) == every


@pytest.mark.parametrize("garbled", [b"", b"{", b"[]", b'{"x": 1}', b"\xff" * 100, "other", "short", "text"])
def test_stamps_that_cannot_be_read_are_none(folder: Path, reads: Callable, every: set[str], garbled: bytes | str) -> None:
    path = folder / "verified"
    stamps = json.loads(path.read_bytes())
    ((digest, own),) = stamps.items()
    odd = {"other": {"0" * 64: own}, "short": {digest: {name: stamp[:-1] for name, stamp in own.items()}},
           "text": {digest: {name: "12345" for name in own}}}
    path.write_bytes(garbled if isinstance(garbled, bytes) else json.dumps(odd[garbled]).encode())
    assert reads(folder) == every
    assert json.loads(path.read_bytes()) == stamps, "and are put right"


# ---------------------------------------------------------------- other files than those that were read

def touched(path: Path) -> None:
    os.utime(path)


def written_again(path: Path) -> None:
    path.write_bytes(path.read_bytes())


def copied(path: Path) -> None:
    """As `cp -p` and backups do: content and times are the same."""
    shutil.copy2(path, path.with_name("copy"))
    path.with_name("copy").rename(path)


def linked(path: Path) -> None:
    """As `cp -l` does."""
    os.link(path, path.with_name("link"))
    path.with_name("link").unlink()


def opened_up(path: Path) -> None:
    path.chmod(0o600)


@pytest.mark.parametrize("change", [touched, written_again, copied, linked, opened_up])
def test_a_file_that_may_be_another_is_read_again(folder: Path, reads: Callable, every: set[str], change: Callable[[Path], None]) -> None:
    for name in sorted(RAW):
        assert reads(folder) == every - RAW
        change(generations(folder)[-1] / name)
        assert reads(folder) == every - RAW | {name}
        reads(folder)


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


def flipped_with_its_time(path: Path) -> None:
    """The time of the content is set back; that of the inode cannot be."""
    status = path.stat()
    flipped(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert path.stat().st_mtime_ns == status.st_mtime_ns and path.stat().st_size == status.st_size


def replaced(path: Path) -> None:
    """By a file of the same size and time."""
    status = path.stat()
    other = path.with_name("other")
    other.write_bytes(bytes(status.st_size))
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.rename(path)


def of_before(path: Path) -> None:
    """What the generation before has, as a careless restore would put it there."""
    place = next(above for above in path.parents if above.parent.name == "generations")
    shutil.copy2(generations(place.parents[1])[0] / path.relative_to(place), path)


@pytest.mark.parametrize("damage", [flipped, flipped_with_its_time, replaced, of_before])
def test_damage_is_seen_and_the_generation_before_serves(
    folder: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    old, new = generations(folder)
    for name in sorted(RAW):
        keep = tmp_path / "keep"
        shutil.copy2(new / name, keep)
        assert Index.open(folder).fallback is None
        damage(new / name)
        index = Index.open(folder)
        assert index.folder == old and index.fallback and name in index.fallback
        shutil.copy2(keep, new / name)


def test_a_copied_index_is_read_whole(folder: Path, tmp_path: Path, reads: Callable, every: set[str]) -> None:
    shutil.copytree(folder, tmp_path / "elsewhere" / "index")
    assert reads(tmp_path / "elsewhere" / "index") == every


# ---------------------------------------------------------------- what stamps do not cover is found later

def rot(folder: Path, name: str) -> None:
    """Changes a file beneath the file system's notice: the stamps are made to fit."""
    path = generations(folder)[-1] / name
    stamps = json.loads((folder / "verified").read_bytes())
    flipped(path)
    for own in stamps.values():
        own[name] = list(verified._stamp(path))
    (folder / "verified").write_text(json.dumps(stamps))


@pytest.mark.parametrize("name", sorted(RAW))
def test_rot_is_found_by_reading_on(folder: Path, name: str) -> None:
    old = generations(folder)[0]
    rot(folder, name)
    index = Index.open(folder)
    assert index.fallback is None
    with pytest.raises(IndexDamaged, match=name):
        list(index.proving())
    assert Index.open(folder).folder == old, "what is opened next is read whole"
    assert any(name in problem for problem in check(folder))


def test_a_whole_generation_is_proved_and_nothing_happens(folder: Path) -> None:
    index = Index.open(folder)
    assert len(list(index.proving())) == len(RAW) and list(Index.open(folder, thorough=True).proving()) == []
    shutil.rmtree(folder)
    assert list(index.proving()) == []


def test_rot_is_never_copied_under_a_new_digest(folder: Path, docs: Path) -> None:
    rot(folder, "tokens.int8")
    assert index_of(folder, docs).warning is None, "nothing to copy, nothing read"
    write(docs / "c.txt", "第三份通知")
    report = index_of(folder, docs)
    assert report.warning and "tokens.int8" in report.warning
    anew = folder.parent / "anew"
    index_of(anew, docs)
    assert whole(Index.open(folder)) == whole(Index.open(anew)) and check(folder) == []


def test_a_service_reads_on_while_it_serves(folder: Path, tmp_path: Path) -> None:
    old = Index.open(folder.parent / "index").generation
    rot(folder, "spans.int32")
    service = Service(Pipeline(Settings(home=tmp_path / "home"), Index.open(folder), HashEmbedder()))
    assert any(service.follower.prove() for _ in range(20))
    assert service.pipeline.generation != old and service.pipeline.index.fallback
    assert not any(service.follower.prove() for _ in range(20))


# ---------------------------------------------------------------- power failures

def lying(state: State) -> list[str]:
    """Stamped files whose bytes a power failure has taken."""
    import hashlib

    try:
        ((digest, stamps),) = json.loads(state.get("home/index/verified") or b"").items()
    except ValueError:
        return []
    at = next(path for path in state if path.endswith(digest[:16]))
    manifest = json.loads(state[f"{at}/manifest.json"])["files"]
    return [name for name in stamps if hashlib.sha256(state.get(f"{at}/{name}") or b"").hexdigest() != manifest[name]["sha256"]]


@pytest.fixture
def place() -> Iterator[Path]:
    with memory_folder() as place:
        yield place


@pytest.mark.parametrize("forgotten", ["", "building/vectors", "vectors"])
def test_no_stamp_outlives_what_a_power_failure_takes(place: Path, forgotten: str) -> None:
    """The builder's sync of a file may be forgotten, for that of the stamp's writer remains; not both."""
    docs = notices(place / "docs")
    index_of(place / "root" / "home" / "index", docs)
    begin = read_state(place / "root")
    write(docs / "a.txt", "改过的通知")
    stage = Stage(place / "stage")
    stage.show(begin)
    disk = Recorder(stage.root, forget=lambda kind, path: bool(forgotten) and kind == "sync" and forgotten in path)
    index_of(stage.root / "home" / "index", docs, disk=disk)
    found = [(state.get("home/index/verified"), lying(state)) for _, state in states(begin, disk.log, 6)]
    assert any(lies for _, lies in found) == (forgotten == "vectors")
    assert len({stamps for stamps, _ in found}) > 1 and found[-1][0]
