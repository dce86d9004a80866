"""Several machines embed one index, each its part: nothing twice, nothing lost, whoever is killed when."""

import itertools
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fakes import HashEmbedder
from index_fakes import CountingEmbedder, cut, index_of, load, memory_folder, notices, whole, write
from milvus_server import worker

from rag.errors import UsageError
from rag.index import Engine, Index, Part, PartReport, check, fill_part
from rag.index.parts import _packed, _unpacked
from rag.stores.milvus import Milvus
from rag.stores.milvus_parts import Parts
from ui.cli import main

_names = itertools.count()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:  # tmp_path: see test_engine
    with memory_folder() as folder:
        notices(folder / "docs")
        for number in range(8):
            write(folder / "docs" / f"n{number}.txt", f"关于第{number}号事项的通知\n一、事项{number}\n第{number}项按时办理。\n")
        yield folder


@pytest.fixture
def milvus(place: Path) -> Milvus:
    """Milvus Lite; what takes several processes has a server of its own."""
    return Milvus(str(place / "milvus.db"), f"parts{next(_names)}")


def filled(milvus: Milvus, place: Path, part: str, home: str = "home") -> PartReport:
    engine = Engine(milvus, place / home / "index")
    return fill_part(place / home / "index", [place / "docs"], Part.parse(part), load, cut, HashEmbedder(), engine)


def waiting(milvus: Milvus) -> bool:
    return any("_parts_" in name for name in milvus.call("list_collections") if name.startswith(f"{milvus.name}_"))


def published(milvus: Milvus, place: Path) -> tuple[int, int]:
    """How many passages were embedded, and how many taken over; the index is what it is without parts and without a server."""
    engine, embedder = Engine(milvus, place / "home" / "index"), CountingEmbedder()
    report = index_of(place / "home" / "index", place / "docs", engine=engine, embedder=embedder)
    assert len(embedder.texts) == report.embedded and report.failed == ()
    assert check(place / "home" / "index", HashEmbedder(), engine) == []
    alone = place / f"alone{next(_names)}"
    assert index_of(alone / "index", place / "docs").generation == report.generation
    assert whole(Index.open(alone / "index")) == whole(Index.open(place / "home" / "index"))
    return report.embedded, report.reused


def test_parts_of_several_machines_make_one_index(milvus: Milvus, place: Path) -> None:
    reports = [filled(milvus, place, f"{number}/3", f"machine{number}") for number in (2, 3, 1)]
    assert sum(report.files for report in reports) == 11
    assert sum(report.embedded for report in reports) == sum(report.passages for report in reports) == 42
    again = filled(milvus, place, "2/3", "machine2")
    assert (again.passages, again.embedded, again.reused) == (reports[0].passages, 0, reports[0].passages)
    assert not any((place / f"machine{number}" / "index").exists() for number in (1, 2, 3))  # nothing is changed there
    assert published(milvus, place) == (0, 42) and not waiting(milvus)
    assert filled(milvus, place, "1/1").files == 0  # all is indexed


def test_what_no_part_has_done_is_computed_by_the_one_that_publishes(milvus: Milvus, place: Path) -> None:
    one = filled(milvus, place, "1/2")
    assert 0 < one.embedded < 42 and published(milvus, place) == (42 - one.embedded, one.embedded)


def test_a_part_that_is_killed_goes_on_where_it_stopped_beside_others(milvus_address: str, place: Path) -> None:
    milvus = Milvus(milvus_address, f"parts{next(_names)}")
    with worker("1/2", milvus, place, "one") as first:
        for _ in range(3):
            assert int(first.stdout.readline()) > 0
        first.send_signal(signal.SIGKILL)
    machines = [worker(part, milvus, place, home) for part, home in (("1/2", "one"), ("1/2", "again"), ("2/2", "two"))]
    done = [json.loads(machine.communicate()[0].splitlines()[-1]) for machine in machines]
    assert [machine.returncode for machine in machines] == [0, 0, 0] and done[0][:2] == done[1][:2]
    assert done[0][0] + done[2][0] == 11 and done[0][1] + done[2][1] == 42
    assert all(reused >= 6 and embedded + reused == passages for _, passages, embedded, reused in done[:2])
    assert published(milvus, place) == (0, 42)


def test_files_of_several_parts_are_each_in_one() -> None:
    digests = [f"{number * 2654435761 % 2**32:08x}{'0' * 56}" for number in range(400)]
    for of in (1, 3, 8):
        parts = [Part(number, of) for number in range(1, of + 1)]
        assert all(sum(part.has(digest) for part in parts) == 1 for digest in digests)
        assert min(sum(part.has(digest) for digest in digests) for part in parts) > 400 / of / 2


@pytest.mark.parametrize("tokens", [0, 1, 700])
def test_an_embedding_comes_back_as_it_was_or_not_at_all(milvus: Milvus, tokens: int) -> None:
    drawn = np.random.default_rng(tokens)
    stored = (drawn.standard_normal(384).astype(np.float32), drawn.integers(-127, 128, (tokens, 384), np.int8),
              drawn.integers(0, 900, (tokens, 2)).astype(np.int32))
    parts, key = Parts(milvus, f"{milvus.name}_bytes"), bytes(range(32))
    parts.make()
    parts.put({key: _packed(stored), bytes(32): b""})
    assert parts.there() and parts.known([key, bytes(32), b"\xff" * 32]) == {key, bytes(32)}
    found = parts.take([key, b"\xff" * 32])
    assert found.keys() == {key}
    assert all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in zip(_unpacked(found[key], 384), stored, strict=True))
    for damaged in (b"", found[key][:-1], found[key] + b"\0", bytes([found[key][0] ^ 1]) + found[key][1:]):
        assert _unpacked(damaged, 384) is None
    parts.drop()
    assert not parts.there()


@pytest.mark.parametrize("text", ["", "3", "0/8", "9/8", "1/0", "a/b", "1/8/2", "-1/8", "1/99999"])
def test_a_part_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="3/8"):
        Part.parse(text)


@pytest.mark.parametrize(("more", "said"), [
    (["--part", "3/8"], "Milvus"), (["--part", "9/8"], "3/8"), (["--part", "1/2", "--watch"], "--watch"), (["--part", "1/2", "--remove", "x"], "--remove"),
])
def test_the_command_says_what_is_wrong(more: list[str], said: str, place: Path, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WENJU_HOME", str(place / "home"))
    assert main(["index", str(place / "docs"), *more]) == 2 and said in capsys.readouterr().err


def test_the_command_fills_a_part_and_publishes(place: Path, settings, embedder, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag.embedding.SentenceEmbedder.load", lambda _: embedder)
    for name, value in (("HOME", place / "home"), ("STORE", "milvus"), ("MILVUS_URI", place / "milvus.db")):
        monkeypatch.setenv(f"WENJU_{name}", str(value))
    for number in (1, 2):
        assert main(["index", str(place / "docs"), "--part", f"{number}/2", "--json"]) == 0
    reports = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [report["part"] for report in reports] == ["1/2", "2/2"] and sum(report["files"] for report in reports) == 11
    assert main(["index", str(place / "docs")]) == 0 and "本次计算向量 0 个" in capsys.readouterr().out
    assert main(["search", "第3项按时办理", "--json"]) == 0
    assert "第3项按时办理" in json.loads(capsys.readouterr().out)["hits"][0]["text"]
    assert main(["check"]) == 0
