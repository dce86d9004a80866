"""Taking an answer away: text, Markdown, Word; only what agrees with the documents; hostile texts stay texts."""

import io
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import httpx
import pytest
from test_api import SEEDS, running
from web_fakes import EXAMPLE, WebPipeline

from rag.config import Settings
from rag.schema import Answer, to_json
from rag.text import compact
from ui.api import exports, prose
from ui.api.docx import as_docx
from ui.api.service import Service
from ui.server import create_api

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> WebPipeline:
    return WebPipeline(Settings(home=tmp_path_factory.mktemp("home")), SEEDS)


@pytest.fixture(scope="module")
def client(fake: WebPipeline) -> Iterator[httpx.Client]:
    with running(create_api(Service(fake))) as address, httpx.Client(base_url=address, timeout=30) as http:
        yield http


def _export(client: httpx.Client, answer: Answer, kind: str = "docx") -> httpx.Response:
    return client.post("/api/v1/export", json={"answer": to_json(answer), "format": kind})


def test_each_format_carries_every_citation(client: httpx.Client, fake: WebPipeline) -> None:
    answer = fake.ask(EXAMPLE)
    for kind, media in (("docx", "wordprocessingml"), ("markdown", "text/markdown"), ("text", "text/plain")):
        response = _export(client, answer, kind)
        assert response.status_code == 200 and media in response.headers["content-type"]
        assert response.headers["content-disposition"].startswith("attachment;") and response.headers["x-content-type-options"] == "nosniff"
        body = _words(response.content) if kind == "docx" else response.text
        assert all(compact(c.quote) in compact(body.replace("\\", "")) for c in answer.citations)


def _words(data: bytes) -> str:
    package = zipfile.ZipFile(io.BytesIO(data))
    return "".join("".join(ElementTree.fromstring(package.read(f"word/{part}.xml")).itertext()) for part in ("document", "footnotes"))


def test_what_does_not_agree_with_the_documents_is_refused(client: httpx.Client, fake: WebPipeline) -> None:
    answer = fake.ask(EXAMPLE)
    first, *rest = answer.citations
    for wrong in (replace(first, quote=first.quote + "！"), replace(first, document_id="nothing"), replace(first, end=10**9)):
        response = _export(client, replace(answer, citations=(wrong, *rest)))
        assert response.status_code == 409 and response.json()["detail"]
    assert client.post("/api/v1/export", json={"answer": {"question": "x"}}).status_code == 422


def test_a_file_is_served_only_as_it_was_indexed(tmp_path: Path, embedder) -> None:
    from rag.index import Index
    from rag.pipeline import Pipeline, build_index

    settings = Settings(home=tmp_path / "home")
    file, secret = tmp_path / "docs" / "<script>.txt", tmp_path / "secret.txt"
    file.parent.mkdir()
    data = "关于值班工作的通知\n一、值班要求。值班室要有人值班。\n".encode()
    file.write_bytes(data)
    secret.write_bytes(b"secret")
    build_index(settings, [file.parent], embedder=embedder)
    pipeline = Pipeline(settings, Index.open(settings.index), embedder)
    [entry] = pipeline.documents()
    with running(create_api(Service(pipeline))) as address:
        whole = httpx.get(f"{address}/api/v1/documents/{entry.id}/original")
        assert whole.content == data and whole.headers["x-content-type-options"] == "nosniff"
        assert whole.headers["content-type"] == "application/octet-stream"
        assert whole.headers["content-disposition"].startswith("attachment;") and "<" not in whole.headers["content-disposition"]
        assert httpx.get(f"{address}/api/v1/documents/nothing/original").status_code == 404
        file.unlink()
        file.symlink_to(secret)
        assert httpx.get(f"{address}/api/v1/documents/{entry.id}/original").status_code == 404
        file.unlink()
        file.write_bytes(data + b"more")
        changed = httpx.get(f"{address}/api/v1/documents/{entry.id}/original")
        assert changed.status_code == 404 and "全文" in changed.json()["detail"]
        file.write_bytes(data)
        assert httpx.get(f"{address}/api/v1/documents/{entry.id}/original").content == data


HOSTILE = '<w:p>&amp;</w:p> ]]> \\{ HYPERLINK "http://x" \\} =1+1 \x00\x08\ufffe | [1] **x** _y_ 值班'


def test_hostile_texts_stay_texts(fake: WebPipeline) -> None:
    answer = fake.ask(EXAMPLE)
    cited = replace(answer.citations[0], quote=HOSTILE, title=HOSTILE, section_path=(HOSTILE,), document_number=None)
    safe = "".join(f"\\{c}" if c in "\\`*_[]<>#|" else c for c in HOSTILE)
    hostile = replace(answer, question=HOSTILE, answer=f"**要点：** {safe}[1]\n\n| 甲 | 乙 |\n|---|---|\n| {safe} | {safe}[1] |", citations=(cited,))
    data = as_docx(HOSTILE, hostile)
    package = zipfile.ZipFile(io.BytesIO(data))
    document, notes = (ElementTree.fromstring(package.read(f"word/{part}.xml")) for part in ("document", "footnotes"))
    assert not list(document.iter(f"{W}fldSimple")) + list(document.iter(f"{W}instrText")) + list(document.iter(f"{W}hyperlink"))
    kept = "".join(c for c in HOSTILE if c.isprintable() and c != "\ufffe")
    assert "".join(document.itertext()).count(kept) == 4 and "".join(notes.itertext()).count(kept) >= 2
    assert len(list(document.iter(f"{W}footnoteReference"))) == 2
    markdown = exports.as_markdown(HOSTILE, hostile)
    assert markdown.count("[^1]") == 3 and "<w:p>" not in markdown.replace("\\<", "")
    assert "http://" not in "".join(package.read(name).decode() for name in package.namelist()).replace(
        'HYPERLINK "http://x"', "").replace("http://schemas.openxmlformats.org", "")


def test_word_opens_the_file() -> None:
    """python-docx, which reads what Word wrote, reads it too: paragraphs, the table, its styles."""
    import docx

    fake = WebPipeline(Settings(home=Path("/nonexistent")), SEEDS)
    answer = fake.ask("春节期间值班要求分别是什么？")
    read = docx.Document(io.BytesIO(as_docx(answer.question, answer)))
    assert read.paragraphs[0].text == answer.question and read.paragraphs[0].style.name == "Heading 1"
    assert [c.text for c in read.tables[0].rows[0].cells] == ["文件", "怎么说"]
    assert len(read.tables[0].rows) == 1 + len(answer.citations)


def test_prose_reads_tables_bullets_and_escapes() -> None:
    text = "**要点：** 甲[1]。\n\n**某局**\n- 一\\[2\\]\n- 二[2]\n\n| 文件 | 说 |\n|---|---|\n| 甲\\|乙 | 是[1] |\n| 丙 |\n末尾"
    found = list(prose.parts(text))
    assert [p.kind for p in found] == ["paragraph", "heading", "bullets", "table", "paragraph"]
    assert prose.plain(found[2].lines[0]) == "一[2]" and found[2].lines[1][-1].cite == 2 and found[2].lines[0][-1].cite is None
    assert [[prose.plain(c) for c in row] for row in found[3].rows] == [["文件", "说"], ["甲|乙", "是[1]"], ["丙", ""]]
    assert "甲|乙；说：是[1]" in prose.plain_text(text)


def test_what_somebody_typed_may_hold_braces() -> None:
    from ui.pages import words
    from ui.pages.turn import Turn, render

    said = words.Word("年份“{x}”不对。", "年份“{x}”不对。")
    assert "年份“{x}”不对。" in render(Turn(1, "{0}{question}", {"year": "{x}"}, failed=(said, words.STOPPED_HINT)))
    assert "{n}" not in words.named(words.CITE, n=3) and "依据3" in words.named(words.CITE, n=3)
