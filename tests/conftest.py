"""Shared parts, real ones: the default embedder, and a pipeline over the five seeds."""

import os

os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", GRADIO_ANALYTICS_ENABLED="False")

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A WENJU_HOME of this test session; the weights restored in an earlier one are used again."""
    home = tmp_path_factory.mktemp("wenju")
    cache = ROOT / ".wenju" / "models"
    cache.mkdir(parents=True, exist_ok=True)
    (home / "models").symlink_to(cache)
    return home


@pytest.fixture(scope="session")
def settings(home: Path):
    """Settings of this test session, with a fixed clock."""
    from rag.config import Settings

    return Settings(home=home, today="2023-01-10")


@pytest.fixture(scope="session")
def embedder(settings):
    """The real default embedder."""
    from rag.embedding import SentenceEmbedder

    return SentenceEmbedder.load(settings)


@pytest.fixture(scope="session")
def pipeline(settings, embedder):
    """The whole over the five seeds, whose sources are "seeds/…"."""
    from rag.index import Index
    from rag.pipeline import Pipeline, build_index

    here = Path.cwd()
    os.chdir(ROOT)
    try:
        build_index(settings, [Path("seeds")], embedder=embedder)
    finally:
        os.chdir(here)
    return Pipeline(settings, Index.open(settings.index), embedder)


@pytest.fixture(scope="session")
def evaluated(pipeline, tmp_path_factory: pytest.TempPathFactory):
    """Runs a shipped set over the five seeds, once in a session: name → `eval.runs.Run`."""
    from functools import cache

    from eval.runs import run
    from eval.sets import find_set, load_set

    @cache
    def run_of(name: str):
        return run(load_set(find_set(name), pipeline.text_of), pipeline, tmp_path_factory.mktemp(name))

    return run_of
