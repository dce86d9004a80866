"""Shared parts, real ones: the default embedder, and a pipeline over the five seeds."""

import os

os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", GRADIO_ANALYTICS_ENABLED="False")

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browsing import ARGS, CHROMIUM, Visit
from milvus_server import milvus_server
from nothing_leaves import only_here
from torture import FIGURES, SHARE

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared" / "data"
CHILDREN_HELD = only_here()


def pytest_terminal_summary(terminalreporter) -> None:
    """With `make torture`: what was counted and measured."""
    if SHARE:
        terminalreporter.section(f"figures, {SHARE:g} of the long form")
        for line in FIGURES:
            terminalreporter.line(line)


@pytest.fixture(scope="session")
def children_held() -> bool:
    """Whether the kernel refuses children of this session what leaves the machine."""
    return CHILDREN_HELD


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
def milvus_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Milvus server on loopback, started when the first test needs it."""
    with milvus_server(tmp_path_factory.mktemp("milvus")) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator:
    """One chromium for all tests of a file; it holds an event loop, which tests that run their own cannot bear."""
    from playwright.sync_api import sync_playwright

    assert CHROMIUM.exists(), "CI 中必须装有 chromium：apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser) -> Iterator[Callable[..., Visit]]:
    """Opens an address in a browser that has never seen it; at the end asserts that nothing foreign was asked for."""
    from playwright.sync_api import expect

    contexts = []
    visits: list[Visit] = []

    def open_page(address: str, at: str = "/", width: int = 1280, height: int = 800, dark: bool = False) -> Visit:
        context = browser.new_context(viewport={"width": width, "height": height}, locale="zh-CN",
                                      color_scheme="dark" if dark else "light", reduced_motion="reduce")
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        contexts.append(context)
        seen = Visit(context.new_page(), address)
        visits.append(seen)
        context.on("request", lambda request: seen.requests.append(request.url))
        seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        seen.page.on("console", lambda message: seen.complaints.append(message.text) if message.type == "error" else None)
        seen.page.goto(address + at)
        expect(seen.page.locator("#wj-box textarea")).to_be_attached(timeout=30_000)
        expect(seen.page.locator("body")).to_have_attribute("data-view", re.compile("ask|documents"))
        return seen

    yield open_page
    for seen in visits:
        assert seen.requests and not seen.foreign
        assert not seen.complaints
    for context in contexts:
        context.close()


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
