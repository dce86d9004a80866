"""Power failures, failing disks and killed writers: the index is the old one or the new one, never neither."""

import contextlib
import errno
import hashlib
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from index_fakes import generations, index_of, memory_folder, whole
from power_loss import CODES, Recorder, Stage, State, failing, read_state, states
from torture import amount, figure

from rag.errors import IndexMissing, IndexUnwritable
from rag.index import Index, backup, check, publish, restore
from rag.index.trial import try_here

DRAWS = amount(24, 2_000)
STATES: dict[str, int] = {}
Act = Callable[[Path, Recorder], object]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where all of it happens."""
    tmp_path_factory.getbasetemp()  # pytest's own folder stays where it belongs
    with memory_folder() as folder:
        yield folder


# ---------------------------------------------------------------- what is done to an index

TEXTS = {"a": "关于值班工作的通知\n一、值班要求\n落实值班制度。", "b": "关于消防工作的通知\n全面检查。"}


class Scenario:
    """An index in some state, and one thing that is done to it."""

    def __init__(self, name: str, place: Path) -> None:
        self.name, self.docs = name, place / "docs"
        self.root = Path(tempfile.mkdtemp(dir=place, prefix=f"{name}-"))
        self.folder = self.root / "home" / "index"
        self.write(TEXTS)
        if name != "first":
            for number in range(3):  # so that there is a generation to be collected
                self.write({"b": f"第 {number} 次通知"})
                index_of(self.folder, self.docs)
        if name in ("restore", "backup"):
            backup(self.folder, self.root / "saved.zip")
            self.write({"b": "备份以后的通知"})
            index_of(self.folder, self.docs)
        if name == "rollback":
            self.write({"b": "第 1 次通知"})  # as the generation before has it
            path = generations(self.folder)[-1] / "passages.jsonl"
            path.write_bytes(path.read_bytes()[:-1])
        else:
            self.write({"b": "最后的通知"})
        self.begin = read_state(self.root)
        self.old = None if name == "first" else Index.open(self.folder).generation

    def write(self, texts: dict[str, str]) -> None:
        self.docs.mkdir(exist_ok=True)
        for name, text in texts.items():
            (self.docs / f"{name}.txt").write_text(text, encoding="utf-8")
            stamp = 1_600_000_000 + int.from_bytes(text.encode()) % 100_000_000
            os.utime(self.docs / f"{name}.txt", (stamp, stamp))

    def act(self, root: Path, disk: Recorder) -> None:
        """Does it, to a copy of the index below `root`."""
        folder = root / "home" / "index"
        if self.name == "restore":
            restore(root / "saved.zip", folder, disk, try_here)
        elif self.name == "backup":
            backup(folder, root / "saved.zip", disk)
        elif self.name == "purge":
            index_of(folder, remove=["docs/a.txt"], disk=disk)
        else:
            index_of(folder, self.docs, disk=disk)

    def found(self, root: Path) -> tuple[str | None, bool, str]:
        """What is there for readers: the generation that opens, whether it is a fallback, and the backup."""
        generation, fallback = opened(root / "home" / "index")
        saved = root / "saved.zip"
        return generation, fallback is not None, hashlib.sha256(saved.read_bytes()).hexdigest() if saved.exists() else ""

    def again(self, root: Path) -> None:
        """The next run, of which the disk takes all; then nothing is left of what failed."""
        folder = root / "home" / "index"
        if self.name == "purge":
            index_of(folder, self.docs / "b.txt")
        else:
            self.act(root, Recorder(root))
        assert check(folder) == []
        assert {path.name for path in folder.iterdir()} <= {"CURRENT", "generations", "lock", "seen"}
        assert len(list((folder / "generations").iterdir())) <= 2 and not list(root.glob("*.part"))

    def run(self, stage: Stage, **recorder: object) -> tuple[list[tuple], str]:
        """Does it in one go; what was recorded, and the generation it led to."""
        stage.show(self.begin)
        disk = Recorder(stage.root, **recorder)
        try:
            self.act(stage.root, disk)
        finally:
            stage.clear()
        return disk.log, Index.open(stage.root / "home" / "index").generation

    def violation(self, found: str | None, fallback: str | None, new: str, done: bool) -> str | None:
        """Why an outcome is not one that may be."""
        if found not in (self.old, new):
            return f"neither old nor new: {found}"
        if done and found != new:
            return "lost after it was reported as done"
        if self.old and fallback:
            return f"a fallback was needed: {fallback}"
        return None


NAMES = ("first", "refresh", "purge", "restore")
ALL = (*NAMES, "backup", "rollback")


@pytest.fixture(scope="module")
def scenarios(place: Path) -> dict[str, Scenario]:
    return {name: Scenario(name, place) for name in ALL}


@pytest.fixture
def stage(place: Path) -> Stage:
    return Stage(Path(tempfile.mkdtemp(dir=place)) / "stage")


def opened(folder: Path) -> tuple[str | None, str | None]:
    """Generation and fallback; None for no index. Any other error goes up: it is never acceptable."""
    try:
        index = Index.open(folder)
    except IndexMissing:
        return None, None
    return index.generation, index.fallback


# ---------------------------------------------------------------- power failures

READ = re.compile(r"home/index/(CURRENT|generations/\d{6}-.*)")
"""What `Index.open` looks at; the test below holds it to that."""


def replayed(
    scenario: Scenario, stage: Stage, log: list[tuple], new: str, draws: int
) -> Iterator[tuple[State, str | None, str | None]]:
    """Each state after a power failure, with the generation that opens and why it may not.

    States that differ only in what is never read are put on the disk once. When the generation that CURRENT names is whole,
    no other is read.
    """
    known: dict[frozenset, tuple[str | None, str | None]] = {}
    for length, state in states(scenario.begin, log, draws):
        current = f"home/index/generations/{(state.get('home/index/CURRENT') or b'?').split()[0].decode('ascii', 'replace')}"
        named = frozenset(item for item in state.items() if item[0] == "home/index/CURRENT" or item[0].startswith(current))
        key = named if named in known else frozenset(item for item in state.items() if READ.fullmatch(item[0]))
        if key not in known:
            stage.show(state)
            try:
                known[key] = opened(stage.root / "home" / "index")
            except Exception as error:
                known[key] = f"{type(error).__name__}: {error}", None
            if known[key] in ((scenario.old, None), (new, None)) and known[key][0]:
                known[named] = known[key]
        yield state, known[key][0], scenario.violation(*known[key], new, length == len(log))


def test_opening_reads_only_what_the_replay_takes_it_to_read(scenarios: dict[str, Scenario], stage: Stage) -> None:
    stage.show(scenarios["refresh"].begin)
    touched: set[str] = set()
    watching = [True]

    def hook(event: str, arguments: tuple) -> None:
        if watching and event in ("open", "os.listdir", "os.scandir") and str(arguments[0]).startswith(f"{stage.root}/"):
            touched.add(os.path.relpath(arguments[0], stage.root))

    sys.addaudithook(hook)
    assert opened(stage.root / "home" / "index")[0] == scenarios["refresh"].old
    watching.clear()
    current = generations(stage.root / "home" / "index")[-1].relative_to(stage.root).as_posix()
    assert len(touched) > 15
    touched -= {"home/index/generations", "home/index/CURRENT", current}
    assert all(READ.fullmatch(path) and path.startswith(f"{current}/") for path in touched), touched


@pytest.mark.parametrize("name", NAMES)
def test_after_a_power_failure_the_index_is_old_or_new(name: str, scenarios: dict[str, Scenario], stage: Stage) -> None:
    scenario = scenarios[name]
    log, new = scenario.run(stage)
    assert new != scenario.old and len(log) > 80
    outcomes: dict[str | None, int] = {}
    last: dict[str | None, State] = {}
    for state, found, violation in replayed(scenario, stage, log, new, DRAWS):
        assert violation is None
        outcomes[found] = outcomes.get(found, 0) + 1
        last[found] = state
    assert set(outcomes) == {scenario.old, new} and sum(outcomes.values()) > 1000, "both outcomes must have been seen"
    STATES[name] = sum(outcomes.values())
    for state in last.values():  # and from either, the next run ends well and leaves no rubbish
        stage.show(state)
        scenario.again(stage.root)
        stage.clear()


def test_that_were_ten_thousand_power_failures() -> None:
    """Garbage collection is part of each."""
    figure(f"power failures: {sum(STATES.values())} states ({STATES}): 0 neither old nor new")
    assert len(STATES) < len(NAMES) or sum(STATES.values()) >= 10_000, STATES


def test_a_power_failure_leaves_the_old_backup_or_the_new_one(scenarios: dict[str, Scenario], stage: Stage) -> None:
    scenario = scenarios["restore"]
    stage.show(scenario.begin)
    disk = Recorder(stage.root)
    old = scenario.begin["saved.zip"]
    backup(stage.root / "home" / "index", stage.root / "saved.zip", disk)
    new, seen = (stage.root / "saved.zip").read_bytes(), set()
    for length, state in states(scenario.begin, disk.log, 10 * DRAWS):
        assert state["saved.zip"] in ((old, new) if length < len(disk.log) else (new,))
        seen.add(state["saved.zip"])
    assert seen == {old, new} and old != new


def test_after_a_power_failure_the_older_generation_is_fallen_back_to_or_current(scenarios: dict[str, Scenario], stage: Stage) -> None:
    scenario, seen = scenarios["rollback"], set()
    log, new = scenario.run(stage)
    assert new == scenario.old
    known: dict[frozenset, tuple[str | None, str | None]] = {}
    for length, state in states(scenario.begin, log, DRAWS):
        key = frozenset(item for item in state.items() if READ.fullmatch(item[0]))
        if key not in known:
            stage.show(state)
            known[key] = opened(stage.root / "home" / "index")
        found, fallback = known[key]
        assert found == new and not (fallback and length == len(log))
        seen.add(fallback is None)
    assert seen == {True, False}


def early_pointer(folder: Path, built: Path, digest: str, keep, disk) -> publish.Pointer:
    """Like `publish.publish`, but CURRENT first."""
    numbers = [int(p.name[:6]) for p in (folder / "generations").iterdir() if p.name[:6].isdigit()]
    new = publish.Pointer(f"{1 + max(numbers, default=0):06d}-{digest[:16]}", digest)
    publish.point(folder, [new, *([keep] if keep else [])], disk)
    disk.rename(built, folder / "generations" / new.name)
    disk.sync_folder(folder / "generations")
    return new


def in_place(path: Path, data: bytes, disk) -> None:
    """Like `files.replace_file`, but without a new file."""
    from rag.files import NewFile

    if path.exists():
        disk.remove(path)
    with NewFile(path, disk) as file:
        file.write(data)
    disk.sync_folder(path.parent)


def wrong_digest(folder: Path, built: Path, digest: str, keep, disk) -> publish.Pointer:
    return REAL_PUBLISH(folder, built, "0" * 64, keep, disk)


def hasty_collection(folder: Path, built: Path, digest: str, keep, disk) -> publish.Pointer:
    """Removes the old generations before the new one is current."""
    publish.collect_garbage(folder, [built.name], disk)
    return REAL_PUBLISH(folder, built, digest, keep, disk)


REAL_PUBLISH = publish.publish


def forget(kind: str, part: str) -> dict:
    return {"forget": lambda what, path: what == kind and part in path}


SEEDED = {
    "files of the generation not synced": forget("sync", "building/texts.jsonl"),
    "vectors not synced": forget("sync", "building/vectors.float32"),
    "manifest not synced": forget("sync", "manifest.json"),
    "files of another library not synced": forget("sync", "building/lexical/meta.json"),
    "folder of another library not synced": forget("sync_folder", "building/document_lexical"),
    "folder of the generation not synced": {"forget": lambda what, path: what == "sync_folder" and path.endswith("building")},
    "folder of generations not synced": {"forget": lambda what, path: what == "sync_folder" and path.endswith("generations")},
    "CURRENT not synced": forget("sync", "CURRENT"),
    "folder of CURRENT not synced": {"forget": lambda what, path: what == "sync_folder" and path.endswith("index")},
    "CURRENT before the generation": {"publish": early_pointer},
    "CURRENT written in place": {"replace_file": in_place},
    "wrong digest in CURRENT": {"publish": wrong_digest},
    "old generation removed too early": {"publish": hasty_collection},
}


@pytest.mark.parametrize("fault", SEEDED)
def test_the_harness_catches_faults_of_the_protocol(
    fault: str, scenarios: dict[str, Scenario], stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A harness that finds nothing proves nothing, unless it finds what is there to be found."""
    seeded = dict(SEEDED[fault])
    if "publish" in seeded:
        for module in ("rag.index.refresh", "rag.index.backup"):
            monkeypatch.setattr(sys.modules[module], "publish", seeded["publish"])
        seeded = {}
    if "replace_file" in seeded:
        monkeypatch.setattr(publish, "replace_file", seeded.pop("replace_file"))
    for name in ("refresh", "purge"):
        clean = scenarios[name]
        log, new = clean.run(stage, **seeded)
        if any(violation for _, _, violation in replayed(clean, stage, log, new, 6)):
            return
    pytest.fail(f"not noticed: {fault}")


# ---------------------------------------------------------------- failing disks

FAULTS = [(code, sticky) for code in CODES for sticky in (False, True)] + [(errno.EROFS, True)]
INJECTED: dict[str, int] = {}


@pytest.mark.parametrize(("code", "sticky"), FAULTS, ids=lambda value: errno.errorcode.get(value, "") if value > 1 else ("once", "sticky")[value])
@pytest.mark.parametrize("name", ALL)
def test_whatever_operation_fails_the_served_generation_stays(
    name: str, code: int, sticky: bool, scenarios: dict[str, Scenario], stage: Stage
) -> None:
    """Every operation, syncs among them, fails once or from then on."""
    scenario = scenarios[name]
    stage.show(scenario.begin)
    before = scenario.found(stage.root)
    scenario.act(stage.root, Recorder(stage.root))
    stage.clear()
    after = scenario.found(stage.root)
    for number in range(1000):
        stage.show(scenario.begin)
        disk = Recorder(stage.root, failing(number, code, sticky))
        error = None
        try:
            scenario.act(stage.root, disk)
        except IndexUnwritable as caught:
            error = caught
        stage.clear()
        done = any(op[0] == "rename" and op[2].endswith(("CURRENT", "saved.zip")) for op in disk.log)
        found = scenario.found(stage.root)
        unnamed = name == "first" and found == (after[0], True, "")  # whole, and there is no other
        assert found == after if done else found == before or unnamed
        if number >= disk.operations:
            assert error is None and done
            INJECTED[f"{name} {code} {sticky}"] = number
            return
        assert done or error, "a failure before the end must not be kept quiet"
        if error:
            assert error.hint and isinstance(error.__cause__, OSError)
        if number % 15 == 0:
            scenario.again(stage.root)
            stage.clear()


@pytest.mark.parametrize("name", ALL)
def test_short_writes_lose_nothing(name: str, scenarios: dict[str, Scenario], stage: Stage) -> None:
    """All of them short, and each one alone."""
    scenario, kinds = scenarios[name], list[str]()
    stage.show(scenario.begin)
    scenario.act(stage.root, Recorder(stage.root, lambda number, kind: kinds.append(kind)))
    stage.clear()
    after, writes = scenario.found(stage.root), [number for number, kind in enumerate(kinds) if kind == "write"]
    cuts = [lambda number, kind: 1 + number % 50, *(lambda number, kind, at=at: 1 if number == at else None for at in writes)]
    for before in cuts:
        stage.show(scenario.begin)
        disk = Recorder(stage.root, before)
        scenario.act(stage.root, disk)
        stage.clear()
        assert scenario.found(stage.root) == after and sum(op[0] == "write" for op in disk.log) > len(writes)
    assert writes and check(stage.root / "home" / "index") == []
    INJECTED[f"{name} short"] = len(cuts)


def test_that_were_all_operations_and_all_faults() -> None:
    figure(f"failing operations: {sum(INJECTED.values())} in {len(INJECTED)} kinds of {len(ALL)} works: served generation unchanged each time")
    assert len(INJECTED) in (0, len(ALL) * (len(FAULTS) + 1)) or len(INJECTED) < len(ALL)


def test_every_reason_is_told_in_words(scenarios: dict[str, Scenario], stage: Stage) -> None:
    for code, words in ((errno.ENOSPC, "空间不足"), (errno.EIO, "读写出错"), (errno.EACCES, "权限"), (errno.EROFS, "只读"), (errno.ENOMEM, "内存不足"),
                        (errno.EMFILE, "打开的文件过多"), (errno.ENOTTY, "系统错误")):
        stage.show(scenarios["refresh"].begin)
        with pytest.raises(IndexUnwritable, match=words):
            scenarios["refresh"].act(stage.root, Recorder(stage.root, failing(10, code, True)))
        stage.clear()


def test_a_purge_that_could_not_be_finished_says_so_and_is_finished_next_time(
    scenarios: dict[str, Scenario], stage: Stage
) -> None:
    scenario, folder = scenarios["purge"], stage.root / "home" / "index"
    stage.show(scenario.begin)
    disk = Recorder(stage.root)
    scenario.act(stage.root, disk)
    stage.clear()
    new, unfinished = opened(folder)[0], 0
    for number in range(disk.operations - 60, disk.operations, 3):
        stage.show(scenario.begin)
        broken = Recorder(stage.root, failing(number, errno.EIO, True))
        with contextlib.suppress(IndexUnwritable):
            scenario.act(stage.root, broken)
            assert number > disk.operations - 10, "only the last operations, those of the cache, may fail in silence"
        stage.clear()
        if opened(folder)[0] == new and len(list((folder / "generations").iterdir())) > 1:
            unfinished += 1
            index_of(folder, scenario.docs / "b.txt")
            assert not any("落实值班制度".encode() in p.read_bytes() for p in folder.rglob("*") if p.is_file())
            stage.clear()
    assert unfinished > 10


def test_a_broken_library_is_a_failing_disk(
    scenarios: dict[str, Scenario], stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rag.lexical import LexicalWriter

    scenario = scenarios["refresh"]
    for method in ("__init__", "add", "finish"):
        def broken(*_: object) -> None:
            raise OSError(errno.EIO, "An IO error occurred: 'No space left on device (os error 28)'")

        stage.show(scenario.begin)
        with monkeypatch.context() as patch, pytest.raises(IndexUnwritable):
            patch.setattr(LexicalWriter, method, broken)
            scenario.act(stage.root, Recorder(stage.root))
        stage.clear()
        assert opened(stage.root / "home" / "index") == (scenario.old, None)


# ---------------------------------------------------------------- killed writers

WRITER = """
import sys
from pathlib import Path
from index_fakes import index_of
folder, docs = Path(sys.argv[1]), Path(sys.argv[2])
for number in range(100_000):
    (docs / "b.txt").write_text(f"通知之 {number % 2}", encoding="utf-8")
    print(index_of(folder, docs).generation, flush=True)
"""


def test_a_killed_writer_leaves_one_of_the_two_generations(place: Path) -> None:
    tmp_path = Path(tempfile.mkdtemp(dir=place))
    draw, docs, folder = random.Random(11), tmp_path / "docs", tmp_path / "home" / "index"
    docs.mkdir()
    (docs / "a.txt").write_text(TEXTS["a"], encoding="utf-8")
    tests = Path(__file__).parent
    environment = {**os.environ, "TMPDIR": str(place), "PYTHONPATH": os.pathsep.join([str(tests), str(tests.parent)])}
    command = [sys.executable, "-c", WRITER, str(folder), str(docs)]
    generations: set[str] = set()
    for _ in range(5):
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, cwd=tmp_path) as writer:
            assert writer.stdout
            generations |= {writer.stdout.readline().decode().strip() for _ in range(2)}
            time.sleep(draw.random() / 5)
            os.kill(writer.pid, signal.SIGKILL)
        index = Index.open(folder)
        assert index.generation in generations and index.fallback is None and len(generations) == 2
        assert len(whole(index)) == 2
    report = index_of(folder, docs)
    assert report.generation in generations and check(folder) == []
    assert not (folder / "generations" / "building").exists()
