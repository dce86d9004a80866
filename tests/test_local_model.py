"""A language model of a local folder: a tiny one with random weights for the plumbing, a real one where it is there."""

import json
import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_model import save_tiny_model

from rag.errors import GenerationError, ModelError
from rag.generators.guard import Guard
from rag.generators.transformers import LocalModel
from rag.protocols import Message

ASK = (Message("system", "规则"), Message("user", "春节期间值班要求是什么？"))
REAL = os.environ.get("WENJU_TEST_MODEL", "")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def model(settings, folder: Path) -> LocalModel:
    return LocalModel.load(replace(settings, transformers_model=str(folder), generator_tokens=40))


def soon() -> float:
    return time.monotonic() + 60


def test_it_writes_bounded_text_piece_by_piece_and_the_same_each_time(model: LocalModel) -> None:
    pieces = list(model.write(ASK, soon()))
    assert len(pieces) > 1 and "".join(pieces)
    assert "".join(model.write(ASK, soon())) == "".join(pieces)
    assert len("".join(pieces)) <= 40 * len("<unknown>")
    assert "规则" not in "".join(pieces)[:2]  # the prompt is not repeated


def test_a_reader_who_leaves_stops_it(settings, folder: Path) -> None:
    model = LocalModel.load(replace(settings, transformers_model=str(folder), generator_tokens=3000))
    writing = model.write(ASK, soon())
    next(writing)
    writing.close()
    assert not [t for t in threading.enumerate() if t.name == "wenju-writer"]
    assert next(model.write(ASK, soon()))


def test_it_stops_at_the_deadline(settings, folder: Path) -> None:
    model = LocalModel.load(replace(settings, transformers_model=str(folder), generator_tokens=3000))
    with pytest.raises(GenerationError, match="限定时间"):
        list(model.write(ASK, time.monotonic() + 0.3))


def test_a_failing_model_is_an_error_of_ours(model: LocalModel, monkeypatch) -> None:
    monkeypatch.setattr(model, "_model", None)
    with pytest.raises(GenerationError):
        list(Guard(model, 20, 40, 1).write(ASK))


def test_two_readers_take_turns(model: LocalModel) -> None:
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append("".join(model.write(ASK, soon())))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] == found[1]


def test_random_weights_never_reach_a_reader(pipeline, model: LocalModel) -> None:
    from rag.pipeline import Pipeline

    whole = Pipeline(replace(pipeline.settings, generator="transformers"), pipeline.index, pipeline.embedder, Guard(model, 30, 40, 1))
    question = "春节期间值班要求是什么？"
    answer = whole.ask(question)
    assert answer.answer.startswith(pipeline.ask(question).answer) and answer.generator == "extractive"


def test_an_evaluation_run_says_which_model_wrote_and_not_where_it_lies(pipeline, model: LocalModel, folder: Path) -> None:
    from rag.pipeline import Pipeline

    settings = replace(pipeline.settings, generator="transformers", transformers_model=str(folder))
    said = Pipeline(settings, pipeline.index, pipeline.embedder, Guard(model, 30, 40, 1)).describe()
    assert said["generator_digest"] == model.digest and len(model.digest) == 64 and said["generator_model"] == folder.name
    assert said["prompt"] and said["generator_tokens"] and not any(str(folder.parent) in value for value in said.values())


@pytest.mark.parametrize(("name", "text", "said"), [
    ("model.bin", "x", "夹带程序"), ("modeling.py", "x", "夹带程序"), ("config.json", None, "没有模型"),
    ("model.safetensors", None, "safetensors"), ("model.safetensors", "broken", "无法加载"), ("chat_template.jinja", None, "对话模板"),
])
def test_a_folder_that_must_not_be_loaded_is_refused(settings, folder: Path, tmp_path: Path, name, text, said) -> None:
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / name).unlink(missing_ok=True)
    if text is not None:
        (tmp_path / name).write_text(text, encoding="utf-8")
    if name == "chat_template.jinja":
        kept = json.loads((tmp_path / "tokenizer_config.json").read_text(encoding="utf-8"))
        (tmp_path / "tokenizer_config.json").write_text(json.dumps({k: v for k, v in kept.items() if k != "chat_template"}), encoding="utf-8")
    with pytest.raises(ModelError, match=said):
        LocalModel.load(replace(settings, transformers_model=str(tmp_path)))


@pytest.mark.skipif(not REAL, reason="WENJU_TEST_MODEL names no folder; see tests/real_model.py")
def test_a_real_model_keeps_every_invariant(pipeline) -> None:
    from rag.citations import problems
    from rag.pipeline import Pipeline

    settings = replace(pipeline.settings, generator="transformers", transformers_model=REAL, generator_tokens=120, generator_seconds=240)
    whole = Pipeline(settings, pipeline.index, pipeline.embedder, Guard(LocalModel.load(settings), 240, 120, 1))
    for question in ("兰州市民政局值班室电话是多少？", "值班补贴每天多少钱？", "兰州市239号文要求领导干部外出怎么办？"):
        answer, plain = whole.ask(question), pipeline.ask(question)
        assert answer.status == plain.status and problems(answer, lambda id: pipeline.document(id).text) == []
        assert {c.quote for c in plain.citations} <= {c.quote for c in answer.citations}
