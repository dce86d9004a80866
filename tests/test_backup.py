"""Backups: whole, honest, or refused."""

import hashlib
import json
import random
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes import HashEmbedder
from index_fakes import (
    forgeries,
    generations,
    index_of,
    memory_folder,
    notices,
    whole,
    write,
)

from rag.errors import IndexDamaged, IndexMissing, UsageError
from rag.index import Index, backup, check, restore
from rag.index.trial import try_here


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


# ---------------------------------------------------------------- backup and restore

def test_backup_and_restore(docs: Path, folder: Path, tmp_path: Path) -> None:
    index_of(folder, docs)
    saved, elsewhere = tmp_path / "saved.zip", tmp_path / "elsewhere" / "index"
    assert backup(folder, saved) == restore(saved, elsewhere) == Index.open(elsewhere).generation
    assert whole(Index.open(elsewhere)) == whole(Index.open(folder)) and check(elsewhere, HashEmbedder()) == []
    data = saved.read_bytes()
    backup(elsewhere, saved)
    assert saved.read_bytes() == data, "equal generations give equal files"
    write(docs / "a.txt", "改过的通知")
    changed = index_of(folder, docs)
    restored = restore(saved, folder, trial=try_here)
    assert restored != changed.generation and whole(Index.open(folder)) == whole(Index.open(elsewhere))
    (generations(folder)[1] / "texts.jsonl").unlink()
    assert Index.open(folder).generation == changed.generation, "what was current is kept to fall back to"
    assert not list(tmp_path.glob("*.part"))


def test_backup_of_nothing_or_to_nowhere(docs: Path, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(IndexMissing):
        backup(folder, tmp_path / "x.zip")
    index_of(folder, docs)
    for place in (tmp_path / "no" / "x.zip", tmp_path):
        with pytest.raises(UsageError):
            backup(folder, place)
    with pytest.raises(UsageError, match="找不到"):
        restore(tmp_path / "none.zip", folder)
    (generations(folder)[0] / "texts.jsonl").write_bytes(b"")
    with pytest.raises(IndexDamaged):
        backup(folder, tmp_path / "x.zip")
    assert not (tmp_path / "x.zip").exists()


def repacked(saved: Path, target: Path, change) -> None:
    """The backup with its members changed by `change(list of (ZipInfo, bytes))`."""
    with zipfile.ZipFile(saved) as archive:
        members = [(zipfile.ZipInfo(i.filename), archive.read(i)) for i in archive.infolist()]
    with zipfile.ZipFile(target, "w") as archive:
        for info, data in change(members):
            archive.writestr(info, data)


def renamed(old: str, new: str):
    def change(members):
        for info, _ in members:
            if info.filename == old:
                info.filename = new
        return members
    return change


def deflated(members):
    members[3][0].compress_type = zipfile.ZIP_DEFLATED
    return members


def slipping(name: str):
    """A manifest that itself lists an unsafe name, all digests right."""
    def change(members):
        files = {info.filename: data for info, data in members}
        manifest = json.loads(files["manifest.json"])
        manifest["files"][name] = {"size": 1, "sha256": hashlib.sha256(b"x").hexdigest()}
        data = json.dumps(manifest).encode()
        digest = hashlib.sha256(data).hexdigest()
        files |= {"manifest.json": data, "CURRENT": f"000001-{digest[:16]} {digest}\n".encode(), name: b"x"}
        return [(zipfile.ZipInfo(n), d) for n, d in files.items()]
    return change


HOSTILE = {
    "extra member": lambda members: [*members, (zipfile.ZipInfo("x"), b"")],
    "twice": lambda members: [*members, members[3]],
    "missing": lambda members: members[:-1],
    "no pointer": lambda members: members[1:],
    "changed": lambda members: [(i, d if i.filename != "texts.jsonl" else d[:-1] + b"x") for i, d in members],
    "other manifest": lambda members: [(i, d if i.filename != "manifest.json" else d + b" ") for i, d in members],
    "two pointers": lambda members: [(i, d * 2 if i.filename == "CURRENT" else d) for i, d in members],
    "huge pointer": lambda members: [(i, d * 100 if i.filename == "CURRENT" else d) for i, d in members],
    "compressed": deflated,
    "zip slip": renamed("texts.jsonl", "../texts.jsonl"),
    "absolute": renamed("texts.jsonl", "/tmp/texts.jsonl"),
    **{f"listed {name}": slipping(name) for name in ("../x", "/x", "lexical/../../x", "lexical/..", "a\\b", "index.pkl", "lexical/a/b")},
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_backups_are_refused(docs: Path, folder: Path, tmp_path: Path, kind: str) -> None:
    index_of(folder, docs)
    saved, hostile = tmp_path / "saved.zip", tmp_path / "hostile.zip"
    backup(folder, saved)
    write(docs / "a.txt", "改过的通知")
    now = index_of(folder, docs)
    repacked(saved, hostile, HOSTILE[kind])
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(IndexDamaged, match="备份"):
        restore(hostile, folder, trial=try_here)
    assert sorted(tmp_path.rglob("*")) == before and Index.open(folder).generation == now.generation


def test_torn_backups_are_refused(docs: Path, folder: Path, tmp_path: Path) -> None:
    index_of(folder, docs)
    saved, torn = tmp_path / "saved.zip", tmp_path / "torn.zip"
    backup(folder, saved)
    data, draw = saved.read_bytes(), random.Random(1)
    cases = [b"", b"PK", data[: len(data) // 2], data[:-1], b"x" * 5000, data[5:]]
    for _ in range(60):
        flipped = bytearray(data)
        flipped[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        cases.append(bytes(flipped))
    refused = 0
    for case in cases:
        torn.write_bytes(case)
        elsewhere = tmp_path / "elsewhere" / "index"
        try:
            restore(torn, elsewhere, trial=try_here)
        except IndexDamaged:
            refused += 1
            assert not (elsewhere / "CURRENT").exists()
        else:  # a flip in a date or an attribute of the archive changes nothing that is read
            assert whole(Index.open(elsewhere)) == whole(Index.open(folder))
            for path in sorted(elsewhere.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
    assert refused > 50


@pytest.mark.parametrize("kind", ["passage", "norm", "json", "huge codes"])
def test_a_dishonest_backup_fails_its_trial_in_a_child(docs: Path, folder: Path, tmp_path: Path, kind: str) -> None:
    index_of(folder, docs)
    changes, manifest, expected = forgeries(generations(folder)[0])[kind]
    saved, hostile = tmp_path / "saved.zip", tmp_path / "hostile.zip"
    backup(folder, saved)

    def change(members):
        files = {info.filename: data for info, data in members} | changes
        listed = json.loads(files["manifest.json"]) | manifest
        for name, data in changes.items():
            listed["files"][name] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        files["manifest.json"] = json.dumps(listed).encode()
        digest = hashlib.sha256(files["manifest.json"]).hexdigest()
        files["CURRENT"] = f"000001-{digest[:16]} {digest}\n".encode()
        return [(zipfile.ZipInfo(name), data) for name, data in files.items()]

    repacked(saved, hostile, change)
    with pytest.raises(IndexDamaged, match=expected):
        restore(hostile, tmp_path / "elsewhere" / "index")
    with pytest.raises(IndexMissing):
        Index.open(tmp_path / "elsewhere" / "index")


@pytest.mark.parametrize("end", ["os.kill(os.getpid(), 11)", "os._exit(0)", "bytearray(1 << 40)", "print('[]]')"])
def test_a_backup_that_ends_its_trial_is_refused(docs: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    """A parser that crashes, eats the memory or says nothing does so in the child."""
    index_of(folder, docs)
    saved = tmp_path / "saved.zip"
    backup(folder, saved)
    write(docs / "a.txt", "改过的通知")
    now = index_of(folder, docs).generation
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "faiss.py").write_text(f"import os\n{end}\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "first"))
    with pytest.raises(IndexDamaged, match="没有正常结束"):
        restore(saved, folder)
    assert Index.open(folder).generation == now and not (folder / "generations" / "building").exists()
