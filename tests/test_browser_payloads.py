"""Hundreds of scripts and pieces of markup in every place that shows text, in a real browser: nothing runs, nothing is fetched."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from browsing import Visit, needs_chromium
from payloads import EVIL, payloads
from playwright.sync_api import expect
from portal_fakes import portal
from test_api import SEEDS, running
from torture import amount, figure
from web_fakes import WebPipeline

from rag.config import Settings
from rag.errors import QuestionError
from rag.schema import (
    Answer,
    Citation,
    Claim,
    Document,
    Event,
    Hit,
    Interpreted,
    Metadata,
    Passage,
    Retrieval,
    Section,
    Span,
)
from rag.validity import Status
from ui.api.docx import as_docx
from ui.api.settings import Portal
from ui.server import create_app

pytestmark = needs_chromium
COUNT = amount(500, 5_000)
BATCH = 25


def _document(number: int, texts: Sequence[str]) -> Document:
    """A document that says payloads wherever a document can say anything."""
    lines = [f"{text}\n" for text in texts]
    text = "".join(lines)
    starts = [sum(map(len, lines[:n])) for n in range(len(lines) + 1)]
    joined = " ".join(texts)
    sections = tuple(Section((texts[n], f"一、{texts[n]}"), "一、", 1, starts[n], starts[n + 1]) for n in range(len(texts)))
    meta = Metadata(title=joined, issuers=(joined, texts[0]), document_number=joined, issued_on="2023-01-01", addressees=(joined,), kind=joined,
                    festivals=(joined,), places=(joined,), period=joined, status_reason=joined, proof={"title": Span(0, len(text))})
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Document(digest[:16], f"docs/{joined}.txt", digest, text, meta, sections, body=(Span(0, len(text)),), pages=(0,))


class Hostile(WebPipeline):
    """Documents of payloads, and a generator that writes them into its answer without any escaping."""

    def take(self, texts: Sequence[str]) -> None:
        """Makes the documents."""
        made = [_document(n, texts[n : n + BATCH]) for n in range(0, len(texts), BATCH)]
        self._documents = {document.id: document for document in made}
        self.all = made

    def original(self, id: str) -> bytes:
        return self._documents[id].text.encode()

    def examples(self) -> Sequence[str]:
        return [document.text.replace("\n", " ") for document in self.all[:4]]

    def status(self, id: str) -> Status:
        return Status("superseded", self._documents[id].name, id, 0, 5)

    def search(self, query: str, k: int = 10, filters: Mapping[str, str] | None = None) -> Retrieval:
        hits = [Hit(n, Passage(d.id, 0, d.sections[0].path, 0, d.sections[0].end, d.sections[0].path[0]), d, 1.0) for n, d in enumerate(self.all[:k])]
        return Retrieval(query, tuple(hits), {})

    def stream(self, question: str, history: Sequence[str] = (), filters: Mapping[str, str] | None = None,
               generator: str | None = None) -> Iterator[Event]:
        kind, number, _ = question.split("：", 2)
        document = self.all[int(number)]
        texts = [section.path[0] for section in document.sections]
        if kind == "failed":
            raise QuestionError(document.name, document.name)
        yield Event("status", document.name)
        citations = tuple(Citation(n, document.id, document.source, document.name, document.meta.issuer, document.meta.document_number, "2023-01-01",
                                   section.path, section.path[0], section.start, section.end, None, 1.0)
                          for n, section in enumerate(document.sections, 1))
        rows = "".join(f"| {text} | {text}[{n}] |\n" for n, text in enumerate(texts, 1))
        text = f"**要点：** {document.name}[1]\n\n**{document.name}**\n" + "\n".join(f"- {t}[{n}]" for n, t in enumerate(texts, 1)) + f"\n\n| 文件 | 怎么说 |\n|---|---|\n{rows}"
        yield Event("delta", text)
        found = citations if kind == "answered" else ()
        yield Event("answer", answer=Answer(
            question, kind, text, tuple(Claim(c.quote, (c.id,)) for c in found), found, 1.0, "extractive", self.generation,
            Interpreted(question, {name: document.name for name in ("year", "festival", "issuer", "title", "place", "document_number")}, tuple(texts),
                        tuple(texts) if kind == "clarify" else ()), {"total": 1.0}, document.name))


SHOWN = """() => {
  const allowed = new Set("A ARTICLE ASIDE BUTTON DD DETAILS DIV DL DT FIELDSET FOOTER FORM H1 H2 H3 H4 HEADER HEADING INPUT LABEL LEGEND LI MAIN MARK NAV OL OPTION P PRE SECTION SELECT SPAN STRONG SUMMARY SUP TABLE TBODY TD TEXTAREA TH THEAD TR UL SMALL TIME B EM DATALIST".split(" "));
  const wrong = [];
  for (const root of document.querySelectorAll("#wj-past, #wj-current, #wj-panel, #wj-list, #wj-document, #wj-talks, #wj-follow, #wj-offers, #wj-narrow, .wj-turn")) {
    for (const element of root.querySelectorAll("*")) {
      const href = element.getAttribute("href");
      if (element.closest('svg[aria-hidden="true"]')) continue;  // a sign of our own; those of payloads are not hidden
      if (!allowed.has(element.tagName.toUpperCase())) wrong.push(element.tagName);
      else if (href !== null && !href.startsWith("#") && !href.startsWith("./")) wrong.push(`href ${href}`);
      for (const name of element.getAttributeNames()) if (/^on|^src|^form|^xlink/.test(name)) wrong.push(name);
      if (/url|fixed|animation/.test(element.getAttribute("style") ?? "")) wrong.push("style");
    }
  }
  return wrong;
}"""


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return payloads(COUNT)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> Iterator[tuple[str, Hostile]]:
    pipeline = Hostile(Settings(home=tmp_path_factory.mktemp("home"), max_question=100_000), SEEDS)
    pipeline.take(texts)
    with running(create_app(pipeline)) as address:
        yield address, pipeline


def watched(seen: Visit) -> list[str]:
    """What the browser reports besides what it asks for."""
    dialogs: list[str] = []
    seen.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    return dialogs


def nothing_ran(seen: Visit, dialogs: list[str]) -> None:
    """In any frame."""
    assert not dialogs and not seen.foreign
    assert [frame.evaluate("window.ran") for frame in seen.page.frames] == [None] * len(seen.page.frames)
    assert seen.page.evaluate(SHOWN) == []


def _ask_anew(seen: Visit, kind: str, number: int, document: Document) -> None:
    """A question of payloads at the beginning of a new conversation, until its turn has ended as told."""
    seen.page.locator("#wj-history [data-new]").first.dispatch_event("click")
    expect(seen.page.locator(".wj-turn")).to_have_count(0, timeout=30_000)
    said = document.text.replace("\n", " ").strip()
    seen.page.get_by_label("问题", exact=True).fill(f"{kind}：{number}：{said}")
    seen.page.keyboard.press("Enter")
    expect(seen.turn).to_have_attribute("data-state", kind, timeout=30_000)


def test_in_questions_answers_sources_and_history(hostile: tuple[str, Hostile], visit) -> None:
    address, pipeline = hostile
    seen = visit(address)
    dialogs = watched(seen)
    for number, document in enumerate(pipeline.all):
        _ask_anew(seen, "answered", number, document)
        assert seen.page.locator("#wj-current [data-source]").count() == len(document.sections)
        seen.turn.locator("button[data-cite]").nth(number % 5).click()
        nothing_ran(seen, dialogs)
    for number, kind in enumerate(("no_evidence", "clarify", "failed") * 3):
        _ask_anew(seen, kind, number, pipeline.all[number])
        nothing_ran(seen, dialogs)
    seen.page.get_by_role("button", name="Switch to English").click()
    nothing_ran(seen, dialogs)
    talks = seen.page.evaluate("localStorage.getItem('wenju.talks')")
    assert len(json.loads(talks)) >= min(len(pipeline.all), 20), "as many as the browser keeps"
    seen.reload()
    expect(seen.page.locator("#wj-talks [data-talk]").first).to_be_attached()
    nothing_ran(seen, dialogs)
    figure(f"payloads: {COUNT} in questions, answers, quotes, headings, tables, chips, steps, sources, refusals, errors, history: 0 ran, 0 fetched")


def test_in_the_list_of_documents_and_in_each(hostile: tuple[str, Hostile], visit) -> None:
    address, pipeline = hostile
    seen = visit(address)
    dialogs = watched(seen)
    seen.page.goto(f"{address}/#documents")
    expect(seen.page.locator("#wj-list li")).to_have_count(len(pipeline.all))
    nothing_ran(seen, dialogs)
    for document in pipeline.all:
        seen.page.goto(f"{address}/#document/{document.id}@0-30")
        expect(seen.page.locator("#wj-document")).to_have_attribute("data-id", document.id)
        nothing_ran(seen, dialogs)
    seen.page.locator("#wj-filter").fill(pipeline.all[0].name[:200])
    nothing_ran(seen, dialogs)


def test_in_addresses_and_in_what_the_browser_keeps(hostile: tuple[str, Hostile], texts: list[str], visit) -> None:
    address, pipeline = hostile
    seen = visit(address)
    dialogs = watched(seen)
    for text in texts[:60]:
        for part in (f"#document/{quote(text, safe='')}", f"#document/{text}@1-2", f"#{text}", f"#document/%{text}"):
            seen.page.evaluate("hash => { location.hash = hash }", part)
    seen.page.wait_for_timeout(300)
    seen.complaints[:] = [c for c in seen.complaints if "404" not in c and "status of 4" not in c]  # a document that is not there is said to be so
    nothing_ran(seen, dialogs)
    answer = pipeline.ask(f"answered：0：{texts[0]}")
    turn = {"question": texts[1], "filters": {"year": texts[2]}, "leads": [{"id": texts[3], "name": texts[4], "start": 0, "end": 1}],
            "answer": json.loads(httpx.post(f"{address}/api/v1/ask", json={"question": f"answered：0：{texts[0]}"}).text)}
    turn["answer"]["citations"] = [{**c, "document_id": texts[n % 50], "quote": texts[n]} for n, c in enumerate(turn["answer"]["citations"])]
    talks = [{"id": text, "at": 1, "turns": [{**turn, "question": text}]} for text in texts[:40]]
    seen.page.evaluate("talks => localStorage.setItem('wenju.talks', JSON.stringify(talks))", talks)
    seen.page.evaluate("text => { localStorage.setItem('wenju.theme', text); localStorage.setItem('wenju.language', text) }", texts[0])
    seen.reload()
    expect(seen.page.locator("#wj-talks [data-talk]")).to_have_count(40)
    seen.page.locator("#wj-talks [data-talk]").first.dispatch_event("click")
    expect(seen.turn).to_be_visible()
    nothing_ran(seen, dialogs)
    assert answer.citations


def test_in_answers_of_the_service_opened_as_pages(hostile: tuple[str, Hostile], texts: list[str], visit) -> None:
    address, pipeline = hostile
    seen = visit(address)
    dialogs = watched(seen)
    for text in texts[:25]:
        for path in (f"/{quote(text, safe='')}", f"/api/v1/documents/{quote(text, safe='')}", f"/?x={quote(text)}", f"/embed?accent={quote(text)}"):
            answer = httpx.get(address + path)
            html = answer.headers["content-type"].startswith("text/html")
            assert answer.headers["x-content-type-options"] == "nosniff" and (not html or text not in answer.text or len(text) < 10)
    for text in texts[:5]:
        seen.page.goto(f"{address}/api/v1/documents/{quote(text, safe='')}")
        assert seen.page.evaluate("window.ran") is None and not dialogs
    seen.page.goto(f"{address}/embed?accent={quote(texts[1])}&paper={quote(texts[2])}#token={quote(texts[3], safe='')}")
    seen.page.wait_for_timeout(300)
    seen.complaints.clear()  # the strange token is refused
    nothing_ran(seen, dialogs)
    said = pipeline.ask(f"answered：0：{' '.join(texts)}")
    assert as_docx(said.question, said).startswith(b"PK")


def test_in_the_widget_of_a_portal(tmp_path: Path, texts: list[str], browser) -> None:
    pipeline = Hostile(Settings(home=tmp_path, max_question=100_000), SEEDS)
    pipeline.take(texts)
    with portal("") as other, running(create_app(pipeline, Portal(origins=(other,)).checked())) as address:
        context = browser.new_context()
        page, dialogs, requests = context.new_page(), [], []
        page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
        context.on("request", lambda request: requests.append(request.url))
        page.goto(other)
        data = {"title": " ".join(texts), "accent": texts[1], "paper": "red;}" + texts[2], "question": f"answered：0：{' '.join(texts[:100])}", "token": texts[4]}
        page.evaluate("""([src, data]) => { const s = document.createElement("script"); s.src = src; Object.assign(s.dataset, data);
                         document.body.append(s); }""", [f"{address}/widget.js", data])
        page.locator("button").click()
        chat = page.frame_locator("iframe")
        expect(chat.locator("#wj-current .wj-turn")).to_have_attribute("data-state", "answered", timeout=60_000)
        assert [frame.evaluate("window.ran") for frame in page.frames] == [None] * len(page.frames)
        assert not dialogs and all(url.startswith((address, other, "data:", "blob:")) for url in requests)
        context.close()


def test_the_watch_would_see_it(hostile: tuple[str, Hostile], browser) -> None:
    """A watch that sees nothing proves nothing unless it sees what is there to be seen."""
    context = browser.new_context()
    seen = Visit(context.new_page(), hostile[0])
    context.on("request", lambda request: seen.requests.append(request.url))
    dialogs = watched(seen)
    seen.page.goto(hostile[0])
    for part in ("#wj-box textarea", "#wj-panel"):
        expect(seen.page.locator(part)).to_be_attached(timeout=30_000)
    caught = 0
    for text in ("<img src=x onerror=window.ran=1>", "<svg><p>x</p></svg>", "<p onclick=1>x</p>", "<a href=javascript:1>x</a>", f"<img src=//{EVIL}/a.png>"):
        seen.page.evaluate("text => { document.querySelector('#wj-panel').innerHTML = text }", text)
        seen.page.wait_for_timeout(100)
        try:
            nothing_ran(seen, dialogs)
        except AssertionError:
            caught += 1
        seen.page.evaluate("document.querySelector('#wj-panel').innerHTML = ''; delete window.ran")
        seen.requests.clear()
    assert caught == 5
    context.close()
