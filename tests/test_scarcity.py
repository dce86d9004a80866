"""An indexer that is short of memory, descriptors, room or permission says so; what is served stays, and nothing is left."""

import errno
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes import HashEmbedder
from index_fakes import generations, index_of, memory_folder, notices, sources
from office_files import docx_of
from power_loss import Recorder
from test_hostile_files import _nobody
from test_killed_indexer import edition, indexer
from torture import SHARE, figure

from rag import loading
from rag.errors import IndexUnwritable
from rag.index import Index, check, refresh
from rag.loading import load
from rag.passages import cut

TESTS = Path(__file__).parent
FINE = 4 if SHARE else 1
"""How many times closer together the steps are in the long form."""


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    tmp_path_factory.getbasetemp()
    with memory_folder() as folder:
        yield folder


# ---------------------------------------------------------------- limits of the process

LADDERS = {
    "AS": [0, *(int(2 ** (16 + step / FINE)) for step in range(15 * FINE)), 4 << 30],
    "NOFILE": [*range(0, 60, 8 // FINE), 1000],
    "FSIZE": [0, *(int(8 ** (step / FINE)) for step in range(7 * FINE)), 1 << 30],
}
"""Bytes of memory and open files beyond what it has at the beginning, and bytes in one file."""


@pytest.mark.parametrize("what", LADDERS)
def test_an_indexer_under_a_limit_says_so_and_what_is_served_stays(what: str, place: Path) -> None:
    outcomes = {"refused": 0, "killed": 0, "generation": 0}
    with indexer(place / "home", place / "docs") as ask:
        folder, known = place / "home" / "index", {}
        for now in (0, 1):
            edition(place / "docs", now)
            known[ask("index")["generation"]] = now
        for most in LADDERS[what]:
            edition(place / "docs", 1 - now)
            result = ask("index", most={what: most})
            said = next(name for name in outcomes if name in result)
            outcomes[said] += 1
            index = Index.open(folder)
            assert index.fallback is None and known[index.generation] == (1 - now if said == "generation" else now)
            now = known[index.generation]
            if said == "refused":
                assert result["refused"].count("。") >= 2 and "损坏：" not in result["refused"], "the index is whole"
        assert said == "generation" and outcomes["refused"] > 3
        assert what == "AS" or not outcomes["killed"], "an engine that gets no memory ends the process"
        ask("index")
        assert ask("check")["problems"] == [] and not ask("serve")["fallback"]
        assert {path.name for path in folder.iterdir()} <= {"CURRENT", "generations", "lock", "seen"} and len(generations(folder)) == 2
    figure(f"indexer under {len(LADDERS[what])} limits of {what}: {outcomes}, served generation unchanged each time")


def test_too_little_memory_for_a_file_in_this_process_is_no_error_of_the_file(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a document that is served would be taken out because of a moment."""
    docs, folder = notices(place / "docs"), place / "home" / "index"
    before = index_of(folder, docs).generation
    for error in (MemoryError(), RuntimeError("can't start new thread"), OSError(errno.ENOMEM, ""), OSError(errno.EMFILE, ""), OSError(errno.ENOSPC, "")):
        def broken(path: Path, source: str, error: BaseException = error) -> list:
            raise error

        (docs / "a.txt").write_text(f"又一份通知 {error!r}", encoding="utf-8")
        with pytest.raises(IndexUnwritable) as caught:
            refresh(folder, [docs], broken, cut, HashEmbedder())
        assert caught.value.hint and caught.value.__cause__ is error
        assert Index.open(folder).generation == before and len(generations(folder)) == 1


# ---------------------------------------------------------------- permission, room, the reading process

def test_permission_lost_midway(place: Path) -> None:
    """At each operation in turn the folders of the index may no longer be written to."""
    refused = 0
    place.chmod(0o777)
    index_of(place / "home" / "index", notices(place / "docs"))  # what is imported late is imported before rights are laid down
    with _nobody(), tempfile.TemporaryDirectory() as home:
        docs, folder = notices(Path(home) / "docs"), Path(home) / "home" / "index"
        index_of(folder, docs)
        for at in range(0, 1000, 1 if SHARE else 6):
            before = Index.open(folder).generation
            (docs / "a.txt").write_text(f"第 {at} 次通知", encoding="utf-8")
            disk = Recorder(Path(home), lambda number, kind, at=at: _folders(folder, 0o555) if number == at else None)
            try:
                index_of(folder, docs, disk=disk)
                done = True
            except IndexUnwritable as error:
                assert "没有写权限" in error.message
                done, refused = any(op[0] == "rename" and op[2].endswith("CURRENT") for op in disk.log), refused + 1
            index = Index.open(folder)
            assert index.fallback is None and (index.generation != before) == done
            _folders(folder, 0o755)
            index_of(folder, docs)
            assert check(folder) == [] and len(generations(folder)) == 2
            if at >= disk.operations:
                break
    assert refused > 10


def _folders(folder: Path, mode: int) -> None:
    for path in (folder, *folder.rglob("*")):
        if path.is_dir():
            path.chmod(mode)


NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")
MAY_MOUNT = sys.platform == "linux" and not subprocess.run([*NAMESPACE, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False).returncode


@pytest.mark.skipif(not MAY_MOUNT, reason="在这台机器上不能挂载自己的小磁盘")
def test_a_real_disk_that_is_full(place: Path) -> None:
    """Libraries that write by themselves meet it, too."""
    environment = {**os.environ, "PYTHONPATH": f"{TESTS.parent}{os.pathsep}{TESTS}", "TMPDIR": str(place)}
    command = [*NAMESPACE, sys.executable, str(TESTS / "full_disk.py"), str(place), str((16 << 10) // FINE)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    *attempts, last = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(attempts) > 4 and all("空间" in one["said"] and one["kept"] for one in attempts[:-1])
    assert not attempts[-1]["said"] and not attempts[-1]["kept"]
    assert all(one["fallback"] is None and one["again"] == "" and one["left"] == one["problems"] == [] for one in attempts)
    assert "只读" in last["said"] and last["kept"]
    figure(f"a real disk with {len(attempts)} sizes of room left: old generation until there is enough")


def test_a_reading_process_killed_in_the_middle_of_a_batch(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docs, folder = place / "docs", place / "home" / "index"
    docs.mkdir()
    for name in "abcd":
        (docs / f"{name}.docx").write_bytes(docx_of([f"关于{name}的通知", "一、值班要求", f"{name}科落实值班制度。"]))
    asked, count, kills = loading._sandbox._running, 0, set[int]()

    def running() -> subprocess.Popen:
        nonlocal count
        process, count = asked(), count + 1
        if count in kills:
            os.kill(process.pid, signal.SIGKILL)
        return process

    monkeypatch.setattr(loading._sandbox, "_running", running)
    kills |= {1, 3}  # once each for two of them
    report = refresh(folder, [docs], load, cut, HashEmbedder())
    assert len(report.new) == 4 and not report.failed and count == 6
    for name in "bc":
        (docs / f"{name}.docx").write_bytes(docx_of([f"关于{name}的另一份通知", f"{name}科值班。"]))
    count, kills = 0, {1, 2}
    report = refresh(folder, [docs], load, cut, HashEmbedder())
    assert [f.source for f in report.failed] == ["docs/b.docx"] and "异常退出" in report.failed[0].reason
    assert sources(folder) == ["docs/a.docx", "docs/c.docx", "docs/d.docx"]
    kills = set()
    assert refresh(folder, [docs], load, cut, HashEmbedder()).new == ("docs/b.docx",) and check(folder) == []
