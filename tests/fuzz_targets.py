"""What is fuzzed, and with what it begins (see fuzzing.py).

A target's function raises nothing but what it is documented to raise, and checks what must hold of the result.
"""

import asyncio
import csv
import datetime as dt
import io
import json
import os
import zipfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
from office_files import zipped
from test_hostile_formats import WHOLE
from web_fakes import WebPipeline

from rag import conversation, scope, text
from rag.citations import exact_values
from rag.config import Settings
from rag.errors import DocumentError, IndexDamaged, QuestionError, UsageError
from rag.files import inside, odd_name, printable
from rag.index import publish
from rag.index.backup import _contents, _opened
from rag.index.verified import listed_paths, parse_manifest
from rag.loading import _document, content, frames, plain, readers
from rag.loading.decode import decode
from rag.loading.overrides import completed
from rag.passages import cut
from rag.stores.faiss import FaissStore
from ui.api import audit
from ui.api.identity import Tokens, Unknown
from ui.api.service import Service
from ui.api.sessions import Sessions
from ui.api.settings import Portal
from ui.pages.escape import html
from ui.pages.markdown import render
from ui.server import create_api

_ROWS = np.zeros((2, 4), np.float32)
Target = Callable[[bytes], object]
NOTICE = "青川市民政局关于做好2023年春节值班工作的通知\n青民发〔2023〕1号\n\n各科室：\n一、值班要求\n（一）实行24小时值班。\n二、联系方式\n电话：0839-3301097。\n\n青川市民政局\n2023年1月10日\n附件：1.值班表\n"
INNER = {".docx": "word/document.xml", ".xlsx": "xl/worksheets/sheet1.xml", ".ofd": "Doc_0/Pages/Page_0/Content.xml"}
"""Of a packed format the member that is fuzzed; checksums would hide it otherwise."""
DEFINED = (UnicodeError, LookupError, TypeError, ValueError, AttributeError)
"""What callers of a reader of JSON expect of it."""


def whole(kind: str, read: content.Content, data: bytes) -> None:
    """A document of what was read, and its passages: every place lies in the text and says what it is taken to say."""
    if not any(block.content for block in read.blocks):
        return
    document = _document(data, f"docs/一{kind}", read)
    ends = len(document.text)
    assert all(0 <= s.start <= s.end <= ends for s in (*document.sections, *document.body, *document.meta.proof.values()))
    for passage in cut(document):
        assert text.compact(document.text[passage.start : passage.end]) == text.compact(passage.text), passage
    assert content.content_from_json(json.loads(json.dumps(content.content_to_json(read)))) == read


def reader(kind: str) -> Target:
    """Of one format; a reader may refuse a file, or run into one that no program wrote, which its process tells as well."""
    inner = INNER.get(kind)
    around = {} if inner is None else _parts(kind)

    def read(data: bytes) -> None:
        try:
            match kind:
                case ".txt":
                    found = plain.read_txt(decode(data, "一.txt"))
                case ".md":
                    found = plain.read_md(decode(data, "一.md"))
                case _:
                    found = readers.read(kind, zipped({**around, inner: data}) if inner else data, f"一{kind}")
        except (DocumentError, RecursionError):
            return
        except Exception:
            if kind in (".txt", ".md"):
                raise
            return
        whole(kind, found, data)

    return read


def _parts(kind: str) -> dict[str, bytes]:
    """The other members of a good file."""
    with zipfile.ZipFile(io.BytesIO(WHOLE[kind])) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def said(data: bytes) -> str:
    """Text as it comes in JSON: any code points, lone surrogates among them."""
    return data.decode("utf-8", "surrogatepass") if _surrogates(data) else data.decode("utf-8", "replace")


def _surrogates(data: bytes) -> bool:
    try:
        data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


def words(data: bytes) -> None:
    """The pure functions over Chinese text."""
    given = said(data)
    spans = list(text.sentences(given))
    assert all(a.end <= b.start for a, b in pairwise(spans)), "in order"
    for parts in ([given[s.start : s.end] for s in spans], text.clauses(given)):
        assert text.compact("".join(parts)) == text.compact(given), "nothing is lost"
    assert text.compact(text.readable(given)) == text.compact(given)
    text.words(given), text.bigrams(given), text.normalise(given), exact_values(given)
    assert text.normalise(text.normalise(given)) == text.normalise(given)


def question(data: bytes) -> None:
    """A question, those before it and filters, a line each."""
    asked, *more = said(data).split("\n", 5)
    try:
        understood = conversation.followed(asked, more[:2], dt.date(2023, 1, 10), longest=5000)
        understood.interpreted(), understood.written_out(), understood.orders, understood.asks_for_old
        scope.filtered(understood, dict(line.split("=", 1) for line in more[2:] if "=" in line), "2023-01-10")
    except (QuestionError, UsageError):
        pass


def sidecar(data: bytes) -> None:
    """Corrections beside a document."""
    try:
        completed([_document(b"", "docs/a.txt", plain.read_txt(NOTICE))], data, "a.txt.wenju.toml")
    except DocumentError as error:
        assert error.hint


def token(data: bytes) -> None:
    """Of a portal, or of ours."""
    given = data.decode("latin-1")
    try:
        tokens.asker(given)
        raise AssertionError("nobody knows the key")
    except Unknown:
        assert sessions.opened("session", given) is None


tokens = Tokens(Portal(identity="token", token_key="k" * 64))
sessions = Sessions(Portal())


def path(data: bytes) -> None:
    """A name from a file or a person."""
    name = data.decode("utf-8", "surrogateescape")
    assert all(c.isprintable() for c in printable(name))
    odd_name(name)
    try:
        found = inside(Path("/srv/index"), name)
    except ValueError:
        return
    assert os.path.normpath(found) == str(found) and found.is_relative_to("/srv/index") and found != Path("/srv/index")


def index(data: bytes) -> None:
    """Pointers, a manifest, the codes of vectors, and what a reading process says."""
    publish.parse_pointers(data)
    for parse in (lambda: listed_paths(Path("/x"), parse_manifest(data)), lambda: content.content_from_json(json.loads(data)),
                  lambda: frames.receive(io.BytesIO(data))):
        try:
            parse()
        except (*DEFINED, EOFError, RecursionError):
            pass
    for codes in (b"Irfn" + data, data):
        with suppress(IndexDamaged):
            FaissStore(_ROWS, np.frombuffer(codes, np.uint8))


def archive(data: bytes) -> None:
    """A backup."""
    Path("backup.zip").write_bytes(data)
    try:
        with _opened(Path("backup.zip")) as opened:
            _contents(opened, len(data))
    except IndexDamaged:
        pass


def shown(data: bytes) -> None:
    """Whatever is shown is text, whatever is exported is no formula."""
    given, tags = said(data), set[str]()
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: tags.add(tag) or [tags.add(f"@{name}") for name, _ in attributes if name.startswith("on")]
    parser.feed(render(given, 1, {1, 2}) + html('<p title="{a}">{a}</p>', a=given))
    assert tags <= {"p", "ul", "li", "h3", "strong", "button", "span", "div", "table", "thead", "tbody", "tr", "th", "td"}, tags
    row = next(csv.reader([_csv(given)]), [""])
    assert not row or not row[0].lstrip().startswith(("=", "+", "-", "@"))


def _csv(given: str) -> str:
    out = io.StringIO()
    csv.writer(out).writerow([audit.plain(given)])
    return out.getvalue().replace("\r", " ").replace("\n", " ")


def request(data: bytes) -> None:
    """A request at any door: the first line is the path, then headers up to an empty line, then the body."""
    head, _, body = data.partition(b"\n\n")
    target, *lines = head.split(b"\n")
    target, _, search = target.partition(b"?")
    headers = [(name.lower().strip(), value.strip()) for name, _, value in (line.partition(b":") for line in lines) if name.strip()]
    given = target.decode("latin-1")
    scope_of = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST" if body else "GET", "scheme": "http",
                "path": given if given.startswith("/") else f"/{given}", "raw_path": target, "query_string": search, "root_path": "",
                "headers": [*headers, (b"host", b"127.0.0.1")], "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80)}
    status: list[int] = []

    async def receive() -> dict:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict) -> None:
        if message["type"] == "http.response.start":
            status.append(message["status"])

    loop.run_until_complete(asyncio.wait_for(app(scope_of, receive, send), 20))
    assert status and (status[0] < 500 or status[0] == 503), status


def prepare(home: Path) -> None:
    """The service whose doors are tried."""
    global app, loop
    loop = asyncio.new_event_loop()
    app = create_api(Service(WebPipeline(Settings(home=home), Path(__file__).parents[1] / "seeds")),
                     Portal(identity="header", trusted_proxies=("127.0.0.1",), rate=0))


FORMATS = (".txt", ".md", ".html", ".csv", ".docx", ".xlsx", ".ofd", ".pdf")
TARGETS: dict[str, Target] = {
    **{kind: reader(kind) for kind in FORMATS}, "words": words, "question": question, "sidecar": sidecar, "token": token,
    "path": path, "index": index, "archive": archive, "shown": shown, "request": request,
}


def seeds(name: str) -> Iterable[bytes]:
    """What a target's corpus begins with."""
    match name:
        case ".docx" | ".xlsx" | ".ofd":
            return [_parts(name)[INNER[name]]]
        case ".txt" | ".md":
            return [WHOLE[name], NOTICE.encode(), NOTICE.encode("gb18030"), NOTICE.encode("utf-16")]
        case _ if name in WHOLE:
            return [WHOLE[name]]
        case "question":
            return ["春节期间值班要求是什么？".encode(), "第二条呢？\n2022年春节放假几天？\n那今年呢？\nyear=2023\nissuer=青川市民政局\nin_force=true".encode()]
        case "sidecar":
            return ['title = "关于值班的通知"\nissuer = ["某局"]\nissued_on = 2023-01-10\nyears = [2023]\ngroups = ["甲"]\nstatus = "expired"\nstatus_reason = "过期"'.encode()]
        case "token":
            return [sessions.sealed("x", {"name": "a"}, 60).encode(), b"eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0."]
        case "path":
            return [b"lexical/meta.json", "../一.txt".encode(), "公告\u202etxt.exe".encode()]
        case "index":
            return [f"000001-{'0' * 16} {'0' * 64}\n".encode(), b'{"schema":1,"files":{"texts.jsonl":{"size":1,"sha256":""}},"counts":{"documents":1,"passages":1,"tokens":1}}',
                    json.dumps(content.content_to_json(plain.read_txt(NOTICE))).encode(), b"\0\0\0\2" + b"\0" * 8 + b"{}"]
        case "archive":
            return [WHOLE[".zip"]]
        case "shown":
            return ["**要点：** 值班[1]\n\n- 一[2]\n\n| a | b |\n|---|---|\n| =1+1 | <img src=x onerror=1> |".encode()]
        case "request":
            return [b'/api/v1/ask\nx-remote-user: a\ncontent-type: application/json\n\n{"question": "\xe5\x80\xbc\xe7\x8f\xad", "history": [], "filters": {}}',
                    b'/v1/chat/completions\nx-remote-user: a\n\n{"messages": [{"role": "user", "content": "a b"}], "stream": true}',
                    b"/api/v1/documents?limit=1\nx-remote-user: a\nx-forwarded-for: 1.2.3.4, ::1\nx-forwarded-prefix: /a\ncookie: wenju_session=a"]
        case _:
            return [NOTICE.encode()]
