"""`wenju models`: what is set, what is there, whether it is sound."""

import json

import pytest
from model_fakes import scripted_server

from ui.cli import main


@pytest.fixture
def told(monkeypatch, capsys, home, tmp_path):
    """What the command prints with these settings, and its exit code."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WENJU_HOME", str(home))

    def run(**settings: str) -> tuple[dict, int]:
        for name, value in settings.items():
            monkeypatch.setenv(f"WENJU_{name.upper()}", value)
        code = main(["models", "--json"])
        return json.loads(capsys.readouterr().out), code

    return run


def test_the_default_is_sound_and_each_installation_is_explained(told, embedder) -> None:
    found, code = told()
    (model,) = found["models"]
    assert code == 0 and model["role"] == "embedder" and model["used"] and model["ok"] and len(model["digests"]["model.safetensors"]) == 64
    assert set(found["installing"]) == {"embedder", "transformers", "openai"} and found["generator"] == "extractive"


def test_an_unsafe_or_missing_folder_is_told_and_only_fails_when_it_is_used(told, tmp_path) -> None:
    (tmp_path / "config.json").write_text('{"architectures": ["XForCausalLM"]}', encoding="utf-8")
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    found, code = told(transformers_model=str(tmp_path))
    model = next(m for m in found["models"] if m["role"] == "transformers")
    assert code == 0 and not model["ok"] and "pytorch_model.bin" in model["said"]
    found, code = told(generator="transformers", transformers_model=str(tmp_path / "nothing"))
    assert code == 1 and "没有" in found["models"][1]["said"]


def test_an_endpoint_is_asked_what_it_serves(told) -> None:
    with scripted_server() as server:
        found, code = told(generator="openai", openai_base_url=server.address, openai_model="scripted")
        assert code == 0 and found["models"][1]["ok"] and found["models"][1]["served"] == ["scripted"]
    found, code = told()
    assert code == 1 and "连不上" in found["models"][1]["said"]


def test_people_are_told_the_same(told, capsys) -> None:
    assert main(["models"]) == 0
    out = capsys.readouterr().out
    assert "multilingual-e5-small" in out and "在内网安装" in out
