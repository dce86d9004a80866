"""Which files an index takes in, under which names, and how documents leave it."""

import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes import HashEmbedder
from index_fakes import (
    generations,
    index_of,
    memory_folder,
    notices,
    sources,
    write,
)

from rag.errors import UsageError
from rag.files import inside
from rag.index import Index, check


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


# ---------------------------------------------------------------- paths

def test_other_roots_stay_as_they_are(docs: Path, folder: Path, tmp_path: Path) -> None:
    write(tmp_path / "more" / "x.txt", "别处的通知")
    index_of(folder, docs)
    report = index_of(folder, tmp_path / "more")
    assert report.new == ("more/x.txt",) and not report.removed and report.documents == 4
    (docs / "a.txt").unlink()
    assert index_of(folder, tmp_path / "more").documents == 4
    for path in sorted(docs.iterdir()):
        path.unlink()
    docs.rmdir()
    assert index_of(folder, docs).removed == ("docs/a.txt", "docs/b.txt", "docs/c.txt")
    assert sources(folder) == ["more/x.txt"] and Index.open(folder).roots == ("more",)
    with pytest.raises(UsageError, match="找不到"):
        index_of(folder, docs)


def test_a_path_inside_a_root_touches_only_itself(docs: Path, folder: Path) -> None:
    first = index_of(folder, docs)
    (docs / "a.txt").unlink()
    report = index_of(folder, docs / "b.txt")
    assert report.unchanged == ("docs/b.txt",) and report.generation == first.generation
    assert index_of(folder, docs / "a.txt").removed == ("docs/a.txt",) and Index.open(folder).roots == ("docs",)


def test_labels(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("here/docs/a.txt", "there/docs/a.txt", "far/docs/a.txt", "far/docs/deep/b.txt", "single.txt"):
        write(tmp_path / name, f"通知 {name}")
    monkeypatch.chdir(tmp_path / "here")
    index_of(folder, Path("docs"))
    index_of(folder, tmp_path / "there" / "docs")
    index_of(folder, tmp_path / "far" / "docs", tmp_path / "single.txt")
    expected = sorted(["docs/a.txt", "there/docs/a.txt", "far/docs/a.txt", "docs/deep/b.txt", f"{tmp_path.name}/single.txt"])
    assert sources(folder) == expected
    monkeypatch.chdir(tmp_path / "there")  # a label once given stays
    assert index_of(folder, Path("../here/docs"), Path("docs")).unchanged == ("docs/a.txt", "there/docs/a.txt")
    assert sources(folder) == expected


def test_a_project_may_be_moved_with_its_index(tmp_path: Path) -> None:
    write(tmp_path / "one" / "seeds" / "a.txt", "通知")
    first = index_of(tmp_path / "one" / ".wenju" / "index", tmp_path / "one" / "seeds")
    (tmp_path / "one").rename(tmp_path / "two")
    moved = index_of(tmp_path / "two" / ".wenju" / "index", tmp_path / "two" / "seeds")
    assert moved.unchanged == first.new and moved.generation == first.generation


def test_what_is_no_plain_file_is_never_followed(docs: Path, folder: Path, tmp_path: Path) -> None:
    write(tmp_path / "outside" / "secret.txt", "不该读到的通知")
    write(docs / ".hidden" / "x.txt", "藏起来的通知")
    write(docs / ".hidden.txt", "藏起来的通知")
    (docs / "out.txt").symlink_to(tmp_path / "outside" / "secret.txt")
    (docs / "outfolder").symlink_to(tmp_path / "outside")
    (docs / "gone.txt").symlink_to(tmp_path / "nowhere")
    (docs / "loop").symlink_to(docs)
    (docs / "twin.txt").symlink_to(docs / "a.txt")
    os.mkfifo(docs / "pipe.txt")
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(docs)
        listener.bind("socket.txt")
        os.chdir(here)
    (docs / os.fsdecode(b"\xff\xfe.txt")).write_text("名字不对的通知")
    report = index_of(folder, docs)
    assert report.new == ("docs/a.txt", "docs/b.txt", "docs/c.txt")
    failed = {f.source: f.reason for f in report.failed}
    assert set(failed) == {"docs/out.txt", "docs/outfolder", "docs/gone.txt", "docs/pipe.txt", "docs/socket.txt", "docs/��.txt"}
    assert "链接" in failed["docs/out.txt"] and "普通文件" in failed["docs/pipe.txt"] and "UTF-8" in failed["docs/��.txt"]
    assert not any("不该读到".encode() in p.read_bytes() for p in folder.rglob("*") if p.is_file())
    assert index_of(folder, docs).generation == report.generation


def test_a_link_that_is_named_itself_is_followed(docs: Path, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(docs)
    (tmp_path / "one.txt").symlink_to(docs / "a.txt")
    report = index_of(folder, tmp_path / "link")
    assert report.new == ("link/a.txt", "link/b.txt", "link/c.txt")
    assert index_of(folder, tmp_path / "one.txt").duplicate[0].kept == "link/a.txt"


def test_unreadable_files_and_folders(docs: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from rag.index import scan

    write(docs / "sub" / "d.txt", "下一层的通知")
    first = index_of(folder, docs)
    scandir, digest_of = os.scandir, scan.digest_of

    def refused(path, wanted, real):
        if path == wanted:
            raise PermissionError(13, "Permission denied")
        return real(path)

    with monkeypatch.context() as patch:  # the tests may run as root, to whom no mode matters
        patch.setattr(scan.os, "scandir", lambda path: refused(path, docs / "sub", scandir))
        patch.setattr(scan, "digest_of", lambda path: refused(path, docs / "a.txt", digest_of))
        os.utime(docs / "a.txt")
        report = index_of(folder, docs)
        assert {f.source for f in report.failed} == {"docs/a.txt", "docs/sub", "docs/sub/d.txt"} and not report.removed
        assert index_of(folder, docs).generation == report.generation
    healed = index_of(folder, docs)
    assert set(healed.new) == {"docs/a.txt", "docs/sub/d.txt"} and healed.generation == first.generation


def test_the_index_never_indexes_itself(tmp_path: Path) -> None:
    write(tmp_path / "docs" / "a.txt", "通知")
    for _ in range(2):
        report = index_of(tmp_path / "docs" / "index", tmp_path / "docs")
    assert report.unchanged == ("docs/a.txt",) and not report.failed


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/../../x", "/etc/passwd", "/", "//", "///", "a//b", "a/./b", "c:x", "a\\b", "a\0b", "a\nb", "x" * 300])
def test_unsafe_names(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        inside(tmp_path, name)
    assert inside(tmp_path, "lexical/.managed.json") == tmp_path / "lexical" / ".managed.json"


def test_names_become_paths_in_one_place() -> None:
    """Members of archives are never extracted under their own names, and nothing else joins several parts at once."""
    root = Path(__file__).parents[1]
    found = {path.relative_to(root).as_posix() for part in ("rag", "ui") for path in (root / part).rglob("*.py")
             if re.search(r"\.extract(all)?\(|unpack_archive|\.joinpath\(", path.read_text(encoding="utf-8"))}
    assert found == {"rag/files.py"}


# ---------------------------------------------------------------- duplicates and removal

def test_the_same_bytes_are_kept_once(docs: Path, folder: Path) -> None:
    index_of(folder, docs)
    write(docs / "0.txt", (docs / "a.txt").read_text())
    write(docs / "z.txt", (docs / "a.txt").read_text())
    report = index_of(folder, docs)
    assert [(d.source, d.kept) for d in report.duplicate] == [("docs/0.txt", "docs/a.txt"), ("docs/z.txt", "docs/a.txt")]
    assert (report.documents, report.embedded) == (3, 0)
    entry = next(iter(Index.open(folder).metas.values()))
    assert (entry.source, entry.also_at) == ("docs/a.txt", ("docs/0.txt", "docs/z.txt"))
    assert Index.open(folder).document(entry.id).also_at == entry.also_at
    assert index_of(folder, docs).generation == report.generation
    (docs / "a.txt").unlink()
    report = index_of(folder, docs)
    assert report.removed == ("docs/a.txt",) and report.embedded == 0
    assert next(iter(Index.open(folder).metas.values())).source == "docs/0.txt"


@pytest.mark.parametrize("by", ["id", "source", "also_at"])
def test_a_removed_document_leaves_no_trace(docs: Path, folder: Path, by: str) -> None:
    index_of(folder, docs)
    write(docs / "copy.txt", (docs / "b.txt").read_text())
    index_of(folder, docs)
    entry = list(Index.open(folder).metas.values())[1]
    report = index_of(folder, remove=[{"id": entry.id, "source": entry.source, "also_at": entry.also_at[0]}[by]])
    assert report.removed == ("docs/b.txt", "docs/copy.txt") and report.embedded == 0
    assert sources(folder) == ["docs/a.txt", "docs/c.txt"] and len(generations(folder)) == 1
    for path in folder.rglob("*"):
        assert path.is_dir() or not any(w.encode() in path.read_bytes() for w in ("消防", "docs/b.txt", entry.id)), path
    assert check(folder, HashEmbedder()) == []
    assert index_of(folder, docs, remove=["docs/a.txt"]).removed == ("docs/a.txt",), "although its file is still there"
    with pytest.raises(UsageError, match="没有"):
        index_of(folder, remove=["docs/b.txt.bak"])
