"""An index whose passages Milvus searches: same hits as without, publication, death of a writer, errors, several processes."""

import itertools
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fakes import HashEmbedder
from index_fakes import index_of, memory_folder, notices, write
from milvus_server import Gate, worker

from eval.benchmarks.milvus import figures
from eval.sets import find_set, load_set
from rag.config import load_settings
from rag.errors import EngineError, SettingError
from rag.index import Engine, Index, backup, check, purge, restore
from rag.pipeline import Pipeline, engine_of, opened
from rag.stores.milvus import Milvus

HERE = Path(__file__).parent
_names = itertools.count()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:  # tmp_path: its folder is chosen before another one is the place for passing files
    with memory_folder() as folder:
        notices(folder / "docs")
        yield folder


BOTH = pytest.mark.parametrize("milvus", ["lite", "server"], indirect=True)


@pytest.fixture
def milvus(request: pytest.FixtureRequest, place: Path) -> Milvus:
    """A server under a name that no test has used: Milvus Lite, or one of a process of its own."""
    lite = getattr(request, "param", "lite") == "lite"
    return Milvus(str(place / "milvus.db") if lite else request.getfixturevalue("milvus_address"), f"engine{next(_names)}")


@pytest.fixture
def engine(milvus: Milvus, place: Path) -> Engine:
    return Engine(milvus, place / "home" / "index")


def indexed(engine: Engine, place: Path, **more: object) -> str:
    return index_of(place / "home" / "index", place / "docs", engine=engine, **more).generation


def there(milvus: Milvus) -> set[str]:
    """Generations that the server holds for this name."""
    names = milvus.call("list_collections")
    return {name.removeprefix(f"{milvus.name}_") for name in names if name.startswith(f"{milvus.name}_")}


def hits(index: Index, question: str) -> list[str]:
    rows, _ = index.vectors.search(HashEmbedder().embed_query(question).vector, 3)
    return [index.passage(int(row)).text for row in rows]


# ---------------------------------------------------------------- the same hits

@pytest.fixture(scope="module")
def questions(pipeline: Pipeline) -> list[str]:
    asked = [item.question for item in load_set(find_set("seeds_dev"), pipeline.text_of).items]
    return list(dict.fromkeys(asked))


@pytest.mark.parametrize("kind", ["lite", "server"])
def test_the_same_hits_for_the_same_questions(
    kind: str, pipeline: Pipeline, questions: list[str], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    uri = str(tmp_path / "milvus.db") if kind == "lite" else request.getfixturevalue("milvus_address")
    engine = Engine(Milvus(uri, f"seeds_{kind}"), tmp_path)
    engine.fill(Index.open(pipeline.settings.index))
    other = Pipeline(pipeline.settings, engine.attach(Index.open(pipeline.settings.index)), pipeline.embedder)
    pipeline.prepare((question, ()) for question in questions)
    other.prepare((question, ()) for question in questions)
    shares, answers = [], []
    for question in questions if kind == "server" else questions[::6]:
        wanted, found = pipeline.examine(question), other.examine(question)
        rows = {hit.row for hit in wanted.hits}
        shares.append(len(rows & {hit.row for hit in found.hits}) / max(len(rows), 1))
        answers.append(wanted.answer.answer == found.answer.answer)
    assert np.mean(shares) >= 0.99 and np.mean(answers) >= 0.99, (np.mean(shares), np.mean(answers))


def test_the_benchmark_measures_both_and_leaves_nothing(pipeline: Pipeline, milvus: Milvus) -> None:
    filled, *among = figures(Index.open(pipeline.settings.index), pipeline.embedder, milvus, 4)
    assert filled["passages"] == len(pipeline.index) and [line["among"] for line in among] == ["all", "1 %", "50 %"]
    assert all(line[where]["recall"] == 1 for line in among for where in ("milvus", "here")) and not there(milvus)


@pytest.mark.parametrize("field", ["words", "bigrams"])
def test_words_are_ranked_by_the_server_as_they_are_here(place: Path, field: str) -> None:
    engine = Engine(Milvus(str(place / "milvus.db")), place / "home" / "index")
    indexed(engine, place)
    here, there = Index.open(place / "home" / "index"), engine.attach(Index.open(place / "home" / "index"))
    first = np.arange(6)
    for tokens in (["制度"], ["严格", "落实", "制度", "制度"], ["值班", "要求"], ["没有"], []):
        for allowed in (None, first, np.array([1, 2, 9])):
            wanted, found = here.lexical.search(tokens, 7, field, allowed), there.lexical.search(tokens, 7, field, allowed)
            assert wanted[0].tolist() == found[0].tolist() and np.allclose(wanted[1], found[1], rtol=1e-5)
    assert len(there.lexical) == len(here.lexical) and there.lexical.terms(3) == here.lexical.terms(3)


def test_what_a_person_may_not_see_is_not_found(pipeline: Pipeline, milvus_address: str, tmp_path: Path) -> None:
    from rag.index import View

    engine = Engine(Milvus(milvus_address, "views"), tmp_path)
    index = Index.open(pipeline.settings.index)
    engine.fill(index)
    seen = set(list(index.metas)[1:3])
    plain, searched = View(index, seen), View(engine.attach(Index.open(pipeline.settings.index)), seen)
    vector = pipeline.embedder.embed_query("春节期间值班要求").vector
    for allowed in (None, plain.rows_of([min(seen)])):
        wanted, found = plain.vectors.search(vector, 20, allowed), searched.vectors.search(vector, 20, allowed)
        assert wanted[0].tolist() == found[0].tolist()


# ---------------------------------------------------------------- publication

@BOTH
def test_a_new_generation_takes_the_place_of_the_old_one(engine: Engine, place: Path) -> None:
    milvus, folder = engine.milvus, place / "home" / "index"
    first = indexed(engine, place)
    assert milvus.current() == first and there(milvus) == {first} and check(folder, engine=engine) == []
    reader = engine.attach(Index.open(folder))
    write(place / "docs" / "d.txt", "关于做好防汛工作的通知\n发：某市防汛办\n一、防汛要求\n汛期每日巡查堤坝。\n")
    second = indexed(engine, place)
    assert milvus.current() == second and there(milvus) == {first, second}
    assert "汛期每日巡查堤坝。" not in hits(reader, "汛期巡查堤坝") == hits(reader, "汛期巡查堤坝")  # it stays on its generation
    assert hits(engine.attach(Index.open(folder)), "汛期每日巡查堤坝。")[0] == "汛期每日巡查堤坝。"
    (place / "docs" / "d.txt").unlink()
    third = indexed(engine, place)
    assert third == first and there(milvus) == {first, second} and milvus.current() == first
    write(place / "docs" / "e.txt", "关于防雷的通知\n一、防雷要求\n雷雨天不登高。\n")
    fourth = indexed(engine, place)
    assert there(milvus) == {third, fourth} and check(folder, engine=engine) == []


def test_what_is_withdrawn_or_purged_is_gone_from_the_server(engine: Engine, place: Path) -> None:
    indexed(engine, place)
    folder = place / "home" / "index"
    id = next(iter(Index.open(folder).metas))
    done = purge(place / "home", folder, id, engine=engine)
    assert there(engine.milvus) == {done.generation} and engine.milvus.current() == done.generation and done.found == ()
    assert check(folder, engine=engine) == []


def test_an_index_built_without_a_server_is_put_there_by_the_next_run(engine: Engine, place: Path) -> None:
    folder = place / "home" / "index"
    plain = index_of(folder, place / "docs").generation
    with pytest.raises(EngineError, match="没有版本"):
        engine.attach(Index.open(folder))
    assert "没有版本" in check(folder, engine=engine)[0]
    report = index_of(folder, place / "docs", engine=engine)
    assert (report.generation, report.embedded, report.reused) == (plain, 0, 0)
    assert check(folder, engine=engine) == [] and hits(engine.attach(Index.open(folder)), "消防") == hits(Index.open(folder), "消防")


def test_a_backup_is_restored_to_the_server_too(engine: Engine, place: Path) -> None:
    folder = place / "home" / "index"
    first = indexed(engine, place)
    backup(folder, place / "backup.zip")
    write(place / "docs" / "a.txt", "关于值班的通知\n一、要求\n不得脱岗。\n")
    indexed(engine, place)
    elsewhere = place / "other" / "index"
    other = Engine(Milvus(str(place / "other.db"), "other"), elsewhere)
    assert restore(place / "backup.zip", folder, engine=engine, trial=lambda *_: []) == engine.milvus.current() == first
    assert restore(place / "backup.zip", elsewhere, engine=other, trial=lambda *_: []) == other.milvus.current() == first
    assert check(folder, engine=engine) == [] == check(elsewhere, engine=other)


def test_collections_of_others_are_never_dropped(engine: Engine, place: Path) -> None:
    neighbour = Engine(engine.milvus, place / "neighbour" / "index")
    write(place / "theirs" / "x.txt", "关于别家的通知\n一、事项\n另有安排。\n")
    theirs = index_of(place / "neighbour" / "index", place / "theirs", engine=neighbour).generation
    for number in range(3):
        write(place / "docs" / "a.txt", f"关于值班的通知\n一、要求\n第{number}次修改。\n")
        indexed(engine, place)
    assert theirs in there(engine.milvus) and len(there(engine.milvus)) == 3
    assert hits(neighbour.attach(Index.open(place / "neighbour" / "index")), "另有安排。")[0] == "另有安排。"


@BOTH
@pytest.mark.parametrize("wrong", ["vectors", "rows", "alias"])
def test_check_sees_what_is_wrong_on_the_server(engine: Engine, place: Path, wrong: str) -> None:
    milvus, folder = engine.milvus, place / "home" / "index"
    name = milvus.collection(indexed(engine, place))
    if wrong == "vectors":
        row = milvus.call("query", name, filter="row == 4", output_fields=["*"], consistency_level="Strong")[0]
        vector = np.roll(np.array(row["vector"], np.float32), 1).tolist()
        milvus.call("upsert", name, [{**{k: row[k] for k in row if k != "vector"}, "vector": vector}])
        expected = "第 0–17 段的向量与索引不同"
    elif wrong == "rows":
        milvus.call("delete", name, filter="row in [3, 4]")
        expected = "只有 16 段，应有 18 段"
    else:
        milvus.call("drop_alias", milvus.name)
        expected = "指着空处"
    assert expected in check(folder, engine=engine)[0]
    if wrong != "vectors":
        indexed(engine, place)  # mends it
        assert check(folder, engine=engine) == []


# ---------------------------------------------------------------- a writer that dies

def test_readers_of_several_processes_go_on_while_a_writer_is_killed_and_another_finishes(
    milvus_address: str, place: Path
) -> None:
    engine = Engine(Milvus(milvus_address, f"engine{next(_names)}"), place / "home" / "index")
    first = indexed(engine, place)
    question, new = "汛期每日巡查堤坝。", "汛期每日巡查堤坝。"
    readers = [worker("search", engine.milvus, place) for _ in range(2)]

    def ask(reader: subprocess.Popen) -> list:
        reader.stdin.write(question + "\n")
        reader.stdin.flush()
        return json.loads(reader.stdout.readline())

    try:
        before = [ask(reader) for reader in readers]
        assert before[0] == before[1] and before[0][0] == first
        write(place / "docs" / "d.txt", f"关于做好防汛工作的通知\n发：某市防汛办\n一、防汛要求\n{new}\n")
        with worker("index", engine.milvus, place) as writer:
            while writer.stdout.readline().strip() != "8":  # four batches have been sent
                pass
            assert [ask(reader) for reader in readers] == before
            writer.send_signal(signal.SIGKILL)
        (half,) = there(engine.milvus) - {first}
        assert 0 < engine.milvus._count(engine.milvus.collection(half)) < 22
        assert engine.milvus.current() == first and [ask(reader) for reader in readers] == before
        assert check(place / "home" / "index", engine=engine) == []

        with worker("index", engine.milvus, place) as writer:
            sent = [int(line) for line in writer.stdout]
        assert sent and 0 not in sent and writer.returncode == 0  # what was there stays there
        assert engine.milvus.current() == half and check(place / "home" / "index", engine=engine) == []
        assert all(generation == half and texts[0] == new for generation, texts in map(ask, readers))
    finally:
        for reader in readers:
            reader.kill()
            reader.communicate()


def test_what_a_killed_writer_left_is_dropped_when_it_is_wanted_no_more(milvus_address: str, place: Path) -> None:
    engine = Engine(Milvus(milvus_address, f"engine{next(_names)}"), place / "home" / "index")
    first = indexed(engine, place)
    write(place / "docs" / "d.txt", "关于防汛的通知\n一、要求\n每日巡查。\n")
    with worker("index", engine.milvus, place) as writer:
        while writer.stdout.readline().strip() != "4":
            pass
        writer.kill()
    assert len(there(engine.milvus)) == 2
    write(place / "docs" / "d.txt", "关于防汛的通知\n一、要求\n每时巡查。\n")
    assert there(engine.milvus) >= {first} and {indexed(engine, place), first} == there(engine.milvus)


# ---------------------------------------------------------------- errors

def test_a_server_that_is_away_stops_nothing_but_says_so(milvus_address: str, place: Path, capfd) -> None:
    folder, gate = place / "home" / "index", Gate(milvus_address)
    engine = Engine(Milvus(gate.address, f"engine{next(_names)}", token="root:Geheimnis"), folder)
    first = indexed(engine, place)
    reader = engine.attach(Index.open(folder))
    gate.close()
    write(place / "docs" / "d.txt", "关于防汛的通知\n一、要求\n每日巡查。\n")
    for doing in (lambda: hits(reader, "值班"), lambda: engine.milvus.ping(2), lambda: indexed(engine, place)):
        with pytest.raises(EngineError, match=f"Milvus（127.0.0.1:{gate.port}）") as caught:
            doing()
        assert caught.value.hint and "Geheimnis" not in str(caught.value)
    assert Index.open(folder).generation == first  # nothing was published
    assert "连不上" in check(folder, engine=engine)[0]
    gate.reopen()
    assert hits(reader, "值班") and indexed(engine, place) == engine.milvus.current() != first
    gate.close()
    out = capfd.readouterr()
    assert "Geheimnis" not in out.out + out.err and "Traceback" not in out.err


def test_a_server_that_goes_away_at_the_end_leaves_work_for_the_next_run(
    engine: Engine, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, folder = indexed(engine, place), place / "home" / "index"
    write(place / "docs" / "d.txt", "关于防汛的通知\n一、要求\n每日巡查。\n")

    def away(self: Milvus, generation: str) -> None:
        raise EngineError("连不上 Milvus。")

    with monkeypatch.context() as broken, pytest.raises(EngineError, match=r"新版本已经启用.*连不上") as caught:
        broken.setattr(Milvus, "point", away)
        indexed(engine, place)
    second = Index.open(folder).generation
    assert "wenju index" in caught.value.hint and engine.milvus.current() == first != second
    assert hits(engine.attach(Index.open(folder)), "每日巡查。")[0] == "每日巡查。"  # readers follow CURRENT, not the alias
    assert indexed(engine, place) == engine.milvus.current() == second and check(folder, engine=engine) == []


def test_a_server_that_says_nothing_is_not_waited_for_long(milvus_address: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(milvus_address)
    milvus = Milvus(gate.address, f"engine{next(_names)}")
    milvus.ping(5)
    gate.silent = True
    with pytest.raises(EngineError, match=r"迟迟没有回答|连不上"):
        milvus.ping(0.5)
    gate.close()


@pytest.mark.parametrize(("uri", "said"), [
    ("http://127.0.0.1:1", "milvus.uri"), ("http://nowhere.invalid:19530", "milvus.uri"), ("/no/such/folder/milvus.db", "同时只能"),
])
def test_a_wrong_address_is_explained(uri: str, said: str) -> None:
    with pytest.raises(EngineError, match=r"连不上|打不开") as caught:
        Milvus(uri).ping(3)
    assert said in caught.value.hint


def test_a_file_of_milvus_lite_is_of_one_process_only(place: Path) -> None:
    Milvus(str(place / "milvus.db")).ping(3)
    script = f"from rag.stores.milvus import Milvus; Milvus({str(place / 'milvus.db')!r}).ping(3)"
    done = subprocess.run([sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": str(HERE.parent)}, capture_output=True, text=True)
    assert "EngineError: 打不开 Milvus Lite" in done.stderr


@BOTH
def test_a_collection_of_another_kind_is_not_touched(milvus: Milvus, place: Path) -> None:
    engine = Engine(milvus, place / "home" / "index")
    generation = index_of(place / "home" / "index", place / "docs").generation
    milvus._create(milvus.collection(generation), 17, 10)
    with pytest.raises(EngineError, match="字段或维数不符"):
        indexed(engine, place)
    assert milvus._count(milvus.collection(generation)) == 0


def test_without_the_client_one_is_told_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pymilvus", None)
    with pytest.raises(EngineError, match=r"wenju\[milvus\]"):
        Milvus("http://127.0.0.1:1").ping(1)


def test_settings_of_files_that_the_client_would_read_are_left_alone(tmp_path: Path) -> None:
    """pymilvus reads `.env` files when it is imported."""
    (tmp_path / ".env").write_text("WENJU_STORE=other\nMILVUS_URI=http://elsewhere.example:1\n", encoding="utf-8")
    script = ("import os; from rag.stores.milvus_client import _library; _library(); import dotenv; "
              "assert not {'WENJU_STORE', 'MILVUS_URI', 'PYTHON_DOTENV_DISABLED'} & set(os.environ)")
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True, env={**os.environ, "PYTHONPATH": str(HERE.parent)})


# ---------------------------------------------------------------- settings and service

def test_the_store_is_chosen_by_one_setting(pipeline: Pipeline, milvus_address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wenju.toml").write_text(f'store = "milvus"\n[milvus]\nuri = "{milvus_address}"\ncollection = "chosen"\n', encoding="utf-8")
    settings = replace(load_settings(folder=tmp_path), home=tmp_path)
    shutil.copytree(pipeline.settings.index, settings.index)
    with pytest.raises(EngineError, match="没有版本"):
        opened(settings)
    engine_of(settings).fill(Index.open(settings.index))
    served = Pipeline(settings, opened(settings), pipeline.embedder)
    assert served.ask("兰州市民政局春节期间值班要求是什么？").answer == pipeline.ask("兰州市民政局春节期间值班要求是什么？").answer
    assert served.describe()["store"] == "milvus" and served.trouble() == "" and engine_of(pipeline.settings) is None


@pytest.mark.parametrize("uri", ["", "10.0.0.8", "http://user:secret@host:19530", "ftp://host", "milvus.txt", "http://host:1?token=secret"])
def test_addresses_that_cannot_be_are_refused(uri: str, tmp_path: Path) -> None:
    with pytest.raises(SettingError) as caught:
        load_settings({"store": "milvus", "milvus_uri": uri}, tmp_path)
    assert "secret" not in str(caught.value)


def test_the_token_comes_from_the_environment_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WENJU_MILVUS_TOKEN", "root:Geheimnis")
    settings = load_settings({"store": "milvus", "milvus_uri": "http://127.0.0.1:1"}, tmp_path)
    assert "Geheimnis" not in repr(settings) and Milvus.of(settings)._token == "root:Geheimnis"
    (tmp_path / "wenju.toml").write_text('[milvus]\ntoken = "root:Geheimnis"\n', encoding="utf-8")
    with pytest.raises(SettingError, match="WENJU_MILVUS_TOKEN") as caught:
        load_settings(folder=tmp_path)
    assert "Geheimnis" not in str(caught.value)


def test_readiness_tells_that_the_server_is_away(pipeline: Pipeline, milvus_address: str, tmp_path: Path, caplog) -> None:
    from fastapi.testclient import TestClient

    from ui.api.service import Service
    from ui.server import create_api

    gate = Gate(milvus_address)
    settings = replace(pipeline.settings, home=tmp_path, store="milvus", milvus_uri=gate.address, milvus_collection="ready")
    shutil.copytree(pipeline.settings.index, settings.index)
    engine_of(settings).fill(Index.open(settings.index))
    service = Service(Pipeline(settings, opened(settings), pipeline.embedder))
    with TestClient(create_api(service), base_url="http://127.0.0.1") as client:
        service.follower.stop()
        follow = service.follower._ask_engine
        follow()
        assert client.get("/readyz").status_code == 200
        gate.close()
        with caplog.at_level(logging.ERROR, "wenju"):
            follow()
        assert client.get("/readyz").status_code == 503 and "连不上 Milvus" in caplog.text
        answer = client.post("/api/v1/ask", json={"question": "值班要求是什么？"})
        assert answer.status_code == 503 and "检索服务" in answer.json()["detail"] and "127.0.0.1" not in answer.text
        gate.reopen()
        follow()
        assert client.get("/readyz").status_code == 200
        assert client.post("/api/v1/ask", json={"question": "值班要求是什么？"}).status_code == 200
    gate.close()
