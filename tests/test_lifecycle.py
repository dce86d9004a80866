"""Documents come, change, move and go: what is done, what is said, and that what is gone is gone."""

import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from conftest import ROOT
from index_fakes import CountingEmbedder, generations, memory_folder, write
from office_files import zipped

from rag.config import Settings
from rag.errors import IndexBusy, UsageError, WenjuError
from rag.files import locked
from rag.index import Index, Progress, Report, backup, check, purge, refresh
from rag.index.publish import lock_path
from rag.loading import load
from rag.passages import cut
from rag.pipeline import build_index, watch_index
from rag.text import compact
from ui.cli import main
from ui.progress import told

NOTICE = """某市{who}关于做好2023年春节期间值班工作的通知

各科室：
    一、值班要求
    {who}实行24小时专人值班，由{who}领导带班。各单位要严格遵守值班纪律。
    二、信息报送
    请于2023年1月15日前把值班表送{who}办公室。

某市{who}
2023年1月10日
"""


@pytest.fixture(autouse=True, scope="module")
def in_memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Passing files are kept in memory."""
    tmp_path_factory.getbasetemp()
    with memory_folder():
        yield


class Library:
    """A folder of three notices and the index over it."""

    def __init__(self, folder: Path) -> None:
        self.docs, self.settings, self.embedder = folder / "docs", Settings(home=folder / "home"), CountingEmbedder()
        for name, who in (("a", "民政局"), ("b", "教育局"), ("sub/a", "财政局")):
            write(self.docs / f"{name}.txt", NOTICE.format(who=who))

    def update(self, *paths: Path, **more: object) -> Report:
        self.embedder.texts.clear()
        return build_index(self.settings, paths or [self.docs], embedder=self.embedder, **more)

    @property
    def index(self) -> Index:
        return Index.open(self.settings.index)

    def id(self, source: str) -> str:
        return next(e.id for e in self.index.metas.values() if source in (e.source, *e.also_at))

    @property
    def sources(self) -> list[str]:
        return [e.source for e in self.index.metas.values()]


@pytest.fixture
def library(tmp_path: Path) -> Library:
    """Indexed once."""
    library = Library(tmp_path)
    library.update()
    return library


# ---------------------------------------------------------------- what is reported and what is done

def test_one_refresh_tells_everything_apart(library: Library) -> None:
    assert library.sources == ["docs/a.txt", "docs/b.txt", "docs/sub/a.txt"], "one name in two folders is two documents"
    write(library.docs / "a.txt", NOTICE.format(who="民政局").replace("24小时", "二十四小时"))
    (library.docs / "b.txt").rename(library.docs / "z.txt")
    write(library.docs / "copy.txt", NOTICE.format(who="财政局"))
    write(library.docs / "new.txt", NOTICE.format(who="卫健委"))
    write(library.docs / "table.xyz", "x")
    report = library.update()
    assert (report.new, report.changed, report.removed) == (("docs/new.txt", "docs/z.txt"), ("docs/a.txt",), ("docs/b.txt",))
    assert report.unchanged == ("docs/sub/a.txt",) and report.withdrawn == () and report.seconds > 0
    assert [(d.source, d.kept) for d in report.duplicate] == [("docs/copy.txt", "docs/sub/a.txt")]
    assert [f.source for f in report.failed] == ["docs/table.xyz"] and "不支持" in report.failed[0].reason
    own = [p.text for r in library.index.metas[library.id("docs/new.txt")].rows for p in [library.index.passage(r)]]
    assert set(own) <= set(library.embedder.texts) and report.embedded == len(library.embedder.texts) == len(own) + 1
    assert report.embedded + report.reused == report.passages and check(library.settings.index) == []


@pytest.mark.parametrize("text", [NOTICE.format(who="气象局"), "没有标题，也没有文号，只有一句平常的话，说的是值班。\n又有一句。\n"])
def test_a_renamed_file_is_not_embedded_again(library: Library, text: str) -> None:
    write(library.docs / "old.txt", text)
    library.update()
    (library.docs / "old.txt").rename(library.docs / "sub" / "new name.txt")
    report = library.update()
    assert (report.new, report.removed, report.embedded) == (("docs/sub/new name.txt",), ("docs/old.txt",), 0)
    assert library.embedder.texts == [] and check(library.settings.index, CountingEmbedder()) == []


def test_progress_tells_the_truth(library: Library) -> None:
    write(library.docs / "new.txt", NOTICE.format(who="卫健委"))
    write(library.docs / "a.txt", NOTICE.format(who="气象局"))
    steps: list[Progress] = []
    report = library.update(progress=steps.append)
    build = [s for s in steps if s.stage == "build"]
    assert [s.stage for s in steps if s.stage != "build"] == ["scan"] * 4 + ["publish"]
    size = sum((library.docs / n).stat().st_size for n in ("new.txt", "a.txt"))
    assert build[0].read_bytes == 0 and {s.to_read_bytes for s in build} == {size} and build[-1].read_bytes == size
    assert build[-1].passages == report.passages and build[-1].embedded == report.embedded
    for name in ("done", "passages", "embedded", "read_bytes"):
        values = [getattr(s, name) for s in build]
        assert values == sorted(values)


def test_the_time_left_follows_from_what_is_still_to_be_read() -> None:
    half = Progress("build", 5, 10, "x", 300, 1300, 1000, 3000)
    assert told(half, 10) == "段落 1300，30 段/秒，约剩 00:21"
    assert told(half, 1) == "段落 1300" and told(Progress("scan", 5, 10), 99) == ""
    assert told(Progress("build", 10, 10, "", 0, 1300, 0, 0), 10) == "段落 1300"


# ---------------------------------------------------------------- withdrawn for good

def test_what_was_removed_stays_out_until_it_is_named(library: Library) -> None:
    write(library.docs / "copy.txt", NOTICE.format(who="教育局"))
    library.update()
    report = library.update(remove=[library.id("docs/b.txt")])
    assert report.removed == ("docs/b.txt", "docs/copy.txt") and library.sources == ["docs/a.txt", "docs/sub/a.txt"]
    again = library.update()
    assert (again.withdrawn, again.new, again.embedded) == (("docs/b.txt", "docs/copy.txt"), (), 0)
    (library.docs / "b.txt").rename(library.docs / "other name.txt")
    (library.docs / "copy.txt").unlink()
    write(library.docs / "b.txt", NOTICE.format(who="卫健委"))
    assert library.update().withdrawn == ("docs/b.txt", "docs/other name.txt"), "known by its name and by its bytes"
    back = library.update(library.docs / "other name.txt")
    assert back.new == ("docs/other name.txt",) and back.withdrawn == ()
    last = library.update()
    assert (last.new, last.withdrawn) == (("docs/b.txt",), ()), "with the document its old place is free again"
    with pytest.raises(UsageError, match="没有"):
        library.update(remove=["docs/nobody.txt"])


def test_removing_loads_no_model(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag.embedding.SentenceEmbedder.load", lambda settings: pytest.fail("the model was loaded"))
    report = build_index(library.settings, [], remove=["docs/b.txt"])
    assert report.removed == ("docs/b.txt",) and (report.embedded, report.documents) == (0, 2)
    assert len(generations(library.settings.index)) == 1 and check(library.settings.index, CountingEmbedder()) == []


# ---------------------------------------------------------------- purging

def test_a_purged_document_is_nowhere(library: Library) -> None:
    home, index = library.settings.home, library.index
    id, other = library.id("docs/b.txt"), library.id("docs/a.txt")
    text = index.document(id).text
    backup(library.settings.index, home / "with.zip")
    (home / "talks").mkdir()
    said = {"question": "谁带班？", "answer": "由教育局领导带班 [1]", "citations": [{"document_id": id, "quote": "由教育局领导带班", "start": 1}]}
    kept = {"question": "谁值班？", "citations": [{"document_id": other, "quote": "民政局实行24小时专人值班"}]}
    (home / "talks" / "feedback.jsonl").write_text("".join(json.dumps(x, ensure_ascii=a) + "\n" for x in (said, kept) for a in (True, False)))
    done = purge(home, library.settings.index, id)
    assert done.sources == ("docs/b.txt",) and done.found == () and done.sentences > done.shared > 0
    assert done.backups_removed == ("with.zip",) and done.cleaned == ("talks/feedback.jsonl",) and done.generation == library.index.generation
    for path in home.rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        assert not any(w.encode() in data or json.dumps(w)[1:-1].encode() in data for w in ("教育局", "docs/b.txt")), path
        assert path.name == "feedback.jsonl" or id.encode() not in data
    lines = [json.loads(line) for line in (home / "talks" / "feedback.jsonl").read_text().splitlines()]
    assert lines[2:] == [kept, kept] and lines[0]["citations"][0] == {"document_id": id, "quote": "（原文已清除）", "start": 1}
    assert library.update().withdrawn == ("docs/b.txt",) and (library.docs / "b.txt").read_text() == text
    assert "值班" in library.index.document(other).text and check(library.settings.index) == []
    after = home / "after.zip"
    backup(library.settings.index, after)
    assert purge(home, library.settings.index, library.id("docs/sub/a.txt")).backups_removed == ("after.zip",)
    assert not purge(home, library.settings.index, other).found and library.sources == []


def test_the_proof_finds_what_is_left(library: Library) -> None:
    """Remains of each sort, planted where nothing cleans: each is found and named."""
    home, id = library.settings.home, library.id("docs/b.txt")
    keys = library.index.keys[list(library.index.metas[id].rows)[:1]]
    passage = "教育局实行24小时专人值班，由教育局领导带班"
    (home / "notes.txt").write_text("甲：" + passage, encoding="utf-8")
    (home / "export.json").write_text(json.dumps({"a": passage}), encoding="ascii")
    (home / "wrapped.html").write_text("<p>教育局实行24小时\n　　专人值班，由教育局\r\n领导带班。</p>", encoding="utf-8")
    np.concatenate([np.zeros((3, 32), np.uint8), keys]).tofile(home / "old.sha256")
    (home / "shared.txt").write_text("各单位要严格遵守值班纪律。", encoding="utf-8")
    done = purge(home, library.settings.index, id)
    found = {trace.file: compact(trace.sentence) for trace in done.found}
    assert found == {"export.json": passage, "notes.txt": passage, "wrapped.html": passage, "old.sha256": "向量"}


def test_the_proof_looks_into_the_lexical_index(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """A removal that forgets the lexical index is caught."""
    module, stale = importlib.import_module("rag.index.purge"), library.index
    real = module._search

    def search(home: Path, now: Index, *rest: object):
        now.lexical = stale.lexical
        return real(home, now, *rest)

    monkeypatch.setattr(module, "_search", search)
    done = purge(library.settings.home, library.settings.index, library.id("docs/b.txt"))
    assert {trace.file for trace in done.found} == {"lexical"} and len(done.found) > 2


def test_purging_from_the_command_line(library: Library, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("WENJU_HOME", str(library.settings.home))
    assert main(["docs", "--purge"]) == 2 and main(["docs", "nobody", "--purge"]) == 2
    capsys.readouterr()
    assert main(["docs", library.id("docs/b.txt"), "--purge"]) == 0
    assert "已清除 docs/b.txt" in capsys.readouterr().out
    (library.settings.home / "notes.txt").write_text("由民政局领导带班。请于2023年1月15日前把值班表送民政局办公室。", encoding="utf-8")
    assert main(["docs", library.id("docs/a.txt"), "--purge", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert [t["file"] for t in report["found"]] == ["notes.txt"] and report["files_searched"] > 10


# ---------------------------------------------------------------- watching

class Watching:
    """A watch in a thread; `next` gives its reports one by one."""

    def __init__(self, library: Library) -> None:
        self.outcomes: list[Report | WenjuError] = []
        self._arrived, self._stopped = threading.Semaphore(0), threading.Event()
        self._thread = threading.Thread(target=self._run, args=(library,))
        self._thread.start()

    def _run(self, library: Library) -> None:
        for outcome in watch_index(library.settings, [library.docs], self._stopped, embedder=CountingEmbedder(), seconds=0.05):
            self.outcomes.append(outcome)
            self._arrived.release()

    def next(self) -> Report | WenjuError:
        assert self._arrived.acquire(timeout=60)
        return self.outcomes[-1]

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(60)
        assert not self._thread.is_alive()


def test_a_watched_folder_is_followed(library: Library) -> None:
    watching = Watching(library)
    try:
        assert watching.next().unchanged == ("docs/a.txt", "docs/b.txt", "docs/sub/a.txt")
        write(library.docs / "new" / "n.txt", NOTICE.format(who="卫健委"))
        assert watching.next().new == ("docs/new/n.txt",)
        write(library.docs / "b.txt", NOTICE.format(who="体育局"))
        assert watching.next().changed == ("docs/b.txt",)
        write(library.docs / "b.txt.wenju.toml", 'groups = ["办公室"]')
        assert watching.next().changed == ("docs/b.txt",)
        (library.docs / "sub" / "a.txt").unlink()
        assert watching.next().removed == ("docs/sub/a.txt",)
        with locked(lock_path(library.settings.index)):
            (library.docs / "a.txt").unlink()
            assert isinstance(watching.next(), IndexBusy)
        while isinstance(watching.next(), IndexBusy):
            pass
        assert watching.outcomes[-1].removed == ("docs/a.txt",)
    finally:
        watching.stop()
    assert library.sources == ["docs/b.txt", "docs/new/n.txt"]


def test_a_watch_ends_cleanly_with_one_report_a_line(library: Library, settings: Settings, embedder) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "WENJU_HOME": str(library.settings.home), "CUDA_VISIBLE_DEVICES": ""}
    library.settings.home.joinpath("models").symlink_to(settings.models.resolve())
    command = [sys.executable, "-m", "ui.cli", "index", str(library.docs), "--watch", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True, cwd=library.docs.parent)
    try:
        first = json.loads(process.stdout.readline())
        (library.docs / "b.txt").unlink()
        second = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        rest, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (first["documents"], first["embedded"], second["removed"], second["documents"]) == (3, first["passages"], ["docs/b.txt"], 2)
    assert (process.returncode, rest) == (0, "") and "已停止" in errors and "Traceback" not in errors
    assert check(library.settings.index, embedder) == []


# ---------------------------------------------------------------- archives

def test_members_of_an_archive_keep_their_paths_and_go_one_by_one(tmp_path: Path) -> None:
    def update(*paths: Path, **more: object) -> Report:
        return refresh(folder, paths, load, cut, CountingEmbedder(), **more)

    def sources() -> list[str]:
        return [e.source for e in Index.open(folder).metas.values()]

    docs, folder = tmp_path / "docs", tmp_path / "home" / "index"
    docs.mkdir()
    texts = {f"{number}.txt": f"关于{what}的通知\n一、{what}要求\n" for number, what in enumerate(("值班", "消防", "采购"))}
    (docs / "a.zip").write_bytes(zipped(texts))
    update(docs)
    assert sources() == ["docs/a.zip/0.txt", "docs/a.zip/1.txt", "docs/a.zip/2.txt"] and check(folder) == []
    (docs / "a.zip").rename(docs / "b.zip")
    assert update(docs).embedded == 0 and sources() == ["docs/b.zip/0.txt", "docs/b.zip/1.txt", "docs/b.zip/2.txt"]
    (docs / "c.zip").write_bytes((docs / "b.zip").read_bytes())
    update(docs)
    entry = list(Index.open(folder).metas.values())[1]
    assert (entry.source, entry.also_at) == ("docs/b.zip/1.txt", ("docs/c.zip/1.txt",)) and check(folder) == []
    done = purge(tmp_path / "home", folder, entry.id)
    assert done.found == () and sources() == ["docs/b.zip/0.txt", "docs/b.zip/2.txt"] and check(folder) == []
    write(docs / "single.txt", "关于消防的通知\n一、消防要求\n")
    report = update(docs)
    assert report.withdrawn == ("docs/b.zip（其中 1 份）", "docs/c.zip（其中 1 份）", "docs/single.txt")
    assert sources() == ["docs/b.zip/0.txt", "docs/b.zip/2.txt"] and update(docs).withdrawn == report.withdrawn
    update(docs, recipe="another")
    assert sources() == ["docs/b.zip/0.txt", "docs/b.zip/2.txt"], "read again, and still without it"
    update(docs / "c.zip", recipe="another")
    assert sources() == ["docs/b.zip/0.txt", "docs/b.zip/1.txt", "docs/b.zip/2.txt"], "named, it comes back whole"
    update(remove=["docs/b.zip/1.txt", "docs/b.zip/0.txt"])
    update(remove=["docs/c.zip/2.txt"])
    assert sources() == [] and update(docs).withdrawn == ("docs/b.zip", "docs/c.zip", "docs/single.txt"), "an empty index remembers"
    update(docs / "b.zip")
    assert sources() == ["docs/b.zip/0.txt", "docs/b.zip/1.txt", "docs/b.zip/2.txt"] and check(folder) == []


# ---------------------------------------------------------------- a running service

def test_a_served_index_follows_the_command_line(library: Library, settings: Settings, embedder) -> None:
    """`wenju serve` in one process, the index updated and a document purged by others."""
    library.settings.home.joinpath("models").symlink_to(settings.models.resolve())
    build_index(library.settings, [library.docs], embedder=embedder)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "WENJU_HOME": str(library.settings.home)}
    command = [sys.executable, "-m", "ui.cli", "serve", "--port", str(port)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env=environment, text=True, cwd=library.docs.parent)
    try:
        assert "已启动" in process.stderr.readline()
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as http:
            def sources() -> set[str]:
                listed = http.get("/api/v1/documents").json()["documents"]
                return {document["source"] for document in listed}

            assert sources() == {"docs/a.txt", "docs/b.txt", "docs/sub/a.txt"}
            write(library.docs / "new.txt", NOTICE.format(who="卫健委"))
            build_index(library.settings, [library.docs], embedder=embedder)
            wait_for(lambda: "docs/new.txt" in sources())
            asked = http.post("/api/v1/ask", json={"question": "卫健委的值班表什么时候报送？"}).json()
            assert asked["generation"] == library.index.generation and "docs/new.txt" in {c["source"] for c in asked["citations"]}
            purge(library.settings.home, library.settings.index, library.id("docs/new.txt"))
            wait_for(lambda: "docs/new.txt" not in sources())
            asked = http.post("/api/v1/ask", json={"question": "卫健委的值班表什么时候报送？"}).json()
            assert "卫健委" not in "".join(c["quote"] for c in asked["citations"])
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def wait_for(condition: Callable[[], bool]) -> None:
    """Until it is true; the test's own limit is what ends a wait in vain."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
