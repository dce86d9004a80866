"""Opening, fallback, checking, and readers beside a writer."""

import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from index_fakes import (
    forge,
    forgeries,
    generations,
    index_of,
    memory_folder,
    notices,
    whole,
    write,
)

from rag.errors import IndexBusy, IndexDamaged, IndexMissing
from rag.index import Index, check, restore


@pytest.fixture(autouse=True, scope="module")
def in_memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Passing files are kept in memory."""
    tmp_path_factory.getbasetemp()  # pytest's own folder stays where it belongs
    with memory_folder():
        yield


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """Three notices in a folder beside the index."""
    return notices(tmp_path / "docs")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the index lies."""
    return tmp_path / "home" / "index"


# ---------------------------------------------------------------- opening

def test_nothing_there(folder: Path, tmp_path: Path) -> None:
    for place in (folder, tmp_path):
        with pytest.raises(IndexMissing, match="wenju index"):
            Index.open(place)
    assert not folder.exists()


def test_the_last_two_generations_are_kept(docs: Path, folder: Path) -> None:
    for number in range(4):
        write(docs / "a.txt", f"通知 {number}")
        index_of(folder, docs)
        assert len(generations(folder)) == min(number + 1, 2)
    (folder / "generations" / "building").mkdir()
    (folder / "generations" / "building" / "x").write_text("left by a crash")
    (folder / "generations" / "000099-0123456789abcdef").mkdir()
    (folder / "CURRENT.new").write_text("torn")
    index_of(folder, docs)
    assert len(generations(folder)) == 2 and not (folder / "CURRENT.new").exists()


def test_every_damaged_file_is_noticed_and_the_last_good_generation_serves(docs: Path, folder: Path) -> None:
    old = index_of(folder, docs)
    write(docs / "a.txt", "改过的通知")
    new = index_of(folder, docs)
    current, draw = generations(folder)[1], random.Random(5)
    files = [p for p in sorted(current.rglob("*")) if p.is_file()]
    assert len(files) == 14 + 2 * 8
    for path in files:
        data = path.read_bytes()
        flip = bytearray(data)
        flip[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        for bad in (bytes(flip), data[:-1], data + b"\0", b"", None):
            path.unlink()
            if bad is not None:
                path.write_bytes(bad)
            index = Index.open(folder)
            assert index.generation == old.generation and index.fallback and "完好" in index.fallback
            assert any("损坏" in problem for problem in check(folder))
            path.write_bytes(data)
        path.unlink()
        path.symlink_to(docs / "b.txt")
        assert Index.open(folder).fallback
        path.unlink()
        path.write_bytes(data)
    assert Index.open(folder).generation == new.generation and check(folder) == []


def test_swapped_files_and_planted_pickles(docs: Path, folder: Path, tmp_path: Path) -> None:
    index_of(folder, docs)
    write(docs / "a.txt", "改过的通知")
    index_of(folder, docs)
    old, new = generations(folder)
    a, b = (old / "vectors.float32").read_bytes(), (new / "vectors.float32").read_bytes()
    (new / "vectors.float32").write_bytes(a)
    assert Index.open(folder).fallback
    (new / "vectors.float32").write_bytes(b)
    (new / "index.pkl").write_bytes(b"cos\nsystem\n(S'touch " + str(tmp_path / "run").encode() + b"'\ntR.")
    assert Index.open(folder).fallback is None and not (tmp_path / "run").exists()
    assert check(folder) == [f"版本 {new.name} 中有清单之外的文件 index.pkl。"]


@pytest.mark.parametrize("bad", [None, b"", b"000001", b"\xff" * 80, b"../../x 0\n", "stale", "flipped", "three", "no newline"])
def test_a_damaged_pointer(docs: Path, folder: Path, bad: bytes | str | None) -> None:
    for text in ("一", "二", "三"):
        write(docs / "a.txt", text + "次通知")
        last = index_of(folder, docs)
    path = folder / "CURRENT"
    good = path.read_bytes()
    line = good.split(b"\n")[0] + b"\n"
    path.unlink()
    if bad is not None:
        odd = {"stale": b"000001-" + b"0" * 16 + b" " + b"0" * 64 + b"\n", "three": line * 3, "no newline": good[:-1],
               "flipped": line.replace(line[-5:-1], b"0000")}
        path.write_bytes(bad if isinstance(bad, bytes) else odd[bad])
    index = Index.open(folder)
    assert index.fallback and index.generation == last.generation
    report = index_of(folder, docs)
    assert report.warning == index.fallback and check(folder) == [] and Index.open(folder).fallback is None
    assert report.generation == last.generation


def test_no_generation_is_whole(docs: Path, folder: Path) -> None:
    index_of(folder, docs)
    manifest = generations(folder)[0] / "manifest.json"
    manifest.write_bytes(b"{}")
    for call in (lambda: Index.open(folder), lambda: index_of(folder, docs)):
        with pytest.raises(IndexDamaged, match="restore"):
            call()
    assert check(folder) and generations(folder)


def test_a_refresh_repairs_a_damaged_generation(docs: Path, folder: Path) -> None:
    index_of(folder, docs)
    write(docs / "a.txt", "改过的通知")
    new = index_of(folder, docs)
    (generations(folder)[1] / "texts.jsonl").write_bytes(b"")
    report = index_of(folder, docs)
    assert report.generation == new.generation and report.warning and check(folder) == []


KINDS = ("passage", "words", "text", "whole", "length", "ids", "files", "norm", "fewer", "torn", "kind", "fewer codes",
         "torn codes", "huge codes", "spans", "offsets", "lexical", "json", "shape", "counts", "schema", "unsafe", "manifest")


@pytest.mark.parametrize("kind", KINDS)
def test_check_finds_what_digests_cannot_tell(docs: Path, folder: Path, kind: str) -> None:
    index_of(folder, docs)
    changes, manifest, expected = forgeries(generations(folder)[0])[kind]
    forge(folder, changes, **manifest)
    problems = check(folder)
    assert problems and any(expected in problem for problem in problems), problems


# ---------------------------------------------------------------- readers and writers

def test_one_writer_at_a_time_and_a_dead_one_holds_nothing(docs: Path, folder: Path) -> None:
    index_of(folder, docs)
    hold = "import sys, time; from pathlib import Path; from rag.files import locked\n" \
           "with locked(Path(sys.argv[1])): print('held', flush=True); time.sleep(600)"
    root = Path(__file__).parents[1]
    with subprocess.Popen([sys.executable, "-c", hold, str(folder / "lock")], stdout=subprocess.PIPE, cwd=root) as other:
        assert other.stdout and other.stdout.readline() == b"held\n"
        for call in (lambda: index_of(folder, docs), lambda: restore(docs / "a.txt", folder)):
            with pytest.raises(IndexBusy, match="另一个进程"):
                call()
        assert len(Index.open(folder)) == 18
        other.kill()
    assert index_of(folder, docs).documents == 3


def test_readers_go_on_while_a_writer_publishes(docs: Path, folder: Path) -> None:
    index_of(folder, docs)
    first = Index.open(folder)
    expected, stop, wrong, seen = whole(first), threading.Event(), [], set()

    def read() -> None:
        while not stop.is_set():
            try:
                index = Index.open(folder)
                if index.fallback or len(whole(index)) != 3:
                    wrong.append(index.fallback)
                seen.add(index.generation)
            except Exception as error:
                wrong.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    published = set()
    for number in range(10):
        write(docs / "a.txt", f"第 {number} 次通知")
        published.add(index_of(folder, docs).generation)
        time.sleep(0.02)
    stop.set()
    for reader in readers:
        reader.join()
    assert not wrong and len(seen) > 2 and len(published) == 10
    assert whole(first) == expected, "an open generation is readable after it was collected"
    assert not first.folder.exists()
