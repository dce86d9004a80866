"""A small collection of made-up notices with an administrator, for the tests of the administrators' doors and page."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from access_fakes import notice
from test_api import running

from rag.config import Settings
from rag.index import Index
from rag.pipeline import Pipeline, build_index
from ui.api.settings import Portal
from ui.server import create_app

NEW = "关于做好白桦谷防滑工作的通知\n桦办发〔2024〕7号\n各村、各单位：\n    一、落实防滑责任\n    白桦谷防滑值守实行每日三班，防滑电话：0531-77120045。\n白桦谷管理处\n2024年1月9日\n"
NEWER = NEW.replace("0531-77120045", "0531-77129999").replace("每日三班", "每日四班").replace("7号", "8号")
QUESTION = "白桦谷防滑电话是多少？"


def made(folder: Path, embedder) -> Pipeline:
    """A pipeline over three notices in `folder`/docs, its home beside them."""
    docs = folder / "docs"
    docs.mkdir(parents=True)
    for number in (0, 1, 2):
        (docs / f"{number:02d}.txt").write_text(notice(number), encoding="utf-8")
    settings = Settings(home=folder / "home", today="2024-02-10", max_file_mb=2)
    build_index(settings, [docs], embedder=embedder)
    return Pipeline(settings, Index.open(settings.index), embedder)


@contextmanager
def serving(folder: Path, embedder, **portal: object) -> Iterator[str]:
    """The application over it; gives its address."""
    with running(create_app(made(folder, embedder), Portal(**portal).checked())) as address:
        yield address


class Admin:
    """An administrator's client: each piece of work is waited for."""

    def __init__(self, address: str, **more: object) -> None:
        self.http = httpx.Client(base_url=address, timeout=60, **more)

    def upload(self, name: str, data: bytes | str, replaces: str = "") -> httpx.Response:
        """Sends one file."""
        body = data.encode() if isinstance(data, str) else data
        query = {"replaces": replaces} if replaces else {}
        return self.http.put(f"/api/v1/admin/uploads/{name}", content=body, params=query, headers={"content-type": "application/octet-stream"})

    def work(self, method: str, path: str, body: object) -> dict:
        """Starts a piece of work and gives its last event."""
        import json

        begun = self.http.request(method, f"/api/v1/admin{path}", json=body)
        assert begun.status_code == 202, begun.text
        told = self.http.get("/api/v1/admin/job").text
        return [json.loads(line[6:]) for line in told.splitlines() if line.startswith("data: ")][-1]

    def index(self, *names: str, withdraw: tuple[str, ...] = ()) -> dict:
        """Indexes uploads."""
        return self.work("POST", "/index", {"files": list(names), "withdraw": list(withdraw)})

    def ask(self, question: str = QUESTION, **filters: str) -> dict:
        """An answer."""
        return self.http.post("/api/v1/ask", json={"question": question, "filters": filters}).json()

    def documents(self) -> dict[str, dict]:
        """The documents by the last part of their source."""
        return {d["source"].rsplit("/", 1)[-1]: d for d in self.http.get("/api/v1/documents").json()["documents"]}
