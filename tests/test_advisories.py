"""One probe for each class of Gradio's advisories and of the peers' CVEs in the field (ANCHORS.md 4): none succeeds.

Each tries the attack in the forms that were published, against the whole application on loopback, beside a secret file
that must not be read and a listener that must not be called.
"""

import http.server
import json
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from office_files import docx_of, zipped
from test_api import SEEDS, _problem, running
from test_hostile_files import OUTSIDE, docx_with, pdf
from web_fakes import EXAMPLE, WebPipeline

from rag.config import Settings
from rag.errors import DocumentError, SettingError
from rag.loading import load
from ui.api.service import Service
from ui.api.settings import Portal
from ui.server import create_api, create_app

SECRET = "此处绝密不得外传"


@dataclass
class Target:
    """The service, and what an attack would have to reach."""

    client: httpx.Client
    secret: Path
    listener: str
    called: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def send(self, method: str, path: str, **more: object) -> httpx.Response:
        """A request whose path is sent as it is written, dots and all; everything that comes back is kept."""
        url = self.client.base_url.copy_with(raw_path=path.encode())
        response = self.client.request(method, url, **more)
        self.said.append(response.text + json.dumps(dict(response.headers)))
        return response

    def closed(self, method: str, *paths: str, **more: object) -> None:
        """No such route for anybody."""
        for path in paths:
            _problem(self.send(method, path, **more), 404)

    def page(self, data: object, name: str = "call/ask") -> str:
        """What the page's queue answers to these inputs."""
        joined = self.send("POST", f"/gradio_api/{name}", json={"data": data, "session_hash": "attack", "fn_index": 0})
        if joined.status_code != 200 or "event_id" not in joined.json() or not name.startswith("call/"):
            return joined.text
        return self.send("GET", f"/gradio_api/{name}/{joined.json()['event_id']}").text


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    called: list[str] = []

    class Listener(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            called.append(self.path)
            self.send_error(404)

        do_POST = do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            pass

    folder = tmp_path_factory.mktemp("attacked")
    secret = folder / "secret.txt"
    secret.write_text(SECRET, encoding="utf-8")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Listener) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        pipeline = WebPipeline(Settings(home=folder / "home"), SEEDS)
        with running(create_app(pipeline)) as address, httpx.Client(base_url=address, timeout=30) as client:
            yield Target(client, secret, f"http://127.0.0.1:{server.server_port}", called)
        server.shutdown()


@pytest.fixture
def target(service: Target) -> Iterator[Target]:
    """After each probe: nothing was read, nobody was called, and the service answers."""
    service.said.clear()
    yield service
    assert not [text for text in service.said if SECRET in text or "root:" in text or "/root" in text]
    assert service.called == []
    assert service.client.post("/api/v1/ask", json={"question": EXAMPLE}).json()["status"] == "answered"


def file_data(target: Target) -> list[dict]:
    """Inputs that Gradio takes for files: by path, by address, nested."""
    meta = {"_type": "gradio.FileData"}
    return [{"path": str(target.secret), "meta": meta}, {"path": "x", "url": f"{target.listener}/got", "meta": meta},
            {"path": f"{target.listener}/got", "meta": meta}, {"path": str(target.secret), "orig_name": "../../x", "meta": meta, "is_stream": True}]


# ---------------------------------------------------------------- Gradio

def reading_files(target: Target) -> None:
    """CVE-2021-43831, CVE-2023-51449, CVE-2024-1561, CVE-2026-28414: /file and its aliases."""
    for secret in (str(target.secret), "/etc/passwd", "pyproject.toml", "C:/windows/win.ini", "//etc/passwd", "..%2f..%2fetc/passwd"):
        target.closed("GET", *(f"{root}/{kind}{quote(secret, safe='%')}" for root in ("", "/gradio_api") for kind in ("file=", "file/", "file%3d")))


def dots_in_asset_paths(target: Target) -> None:
    """CVE-2023-51449, CVE-2024-47164: `..` in paths that are joined to a folder."""
    for folder in ("assets", "static", "svelte", "page"):
        for dots in ("../" * 12, "..%2f" * 12, "%2e%2e/" * 12, "....//" * 12, "..\\" * 12, "%5c..%5c" * 6, "/" * 3, "~/"):
            assert target.send("GET", f"/{folder}/{dots}etc/passwd").status_code in (400, 403, 404, 405, 422)


def other_spellings_of_blocked_paths(target: Target) -> None:
    """CVE-2025-23042, CVE-2024-12217: case, trailing dots, streams, double encoding."""
    for path in ("/GRADIO_API/file=/etc/passwd", "/gradio_api/FILE=/etc/passwd", "/gradio_api/./file=/etc/passwd", "/gradio_api//file=/etc/passwd",
                 "/gradio_api/info/../file=/etc/passwd", "/gradio_api/%66ile=/etc/passwd", "/gradio_api/file=/etc/passwd::$DATA", "/%67radio_api/upload",
                 "/gradio_api/heartbeat/..%2ffile=%2fetc%2fpasswd", "/gradio_api;x/file=/etc/passwd"):
        assert target.send("GET", path).status_code in (404, 405)


def proxying(target: Target) -> None:
    """CVE-2023-34239, CVE-2024-2206, CVE-2026-28416: /proxy fetches what it is told."""
    target.closed("GET", *(f"{root}/proxy={url}" for root in ("", "/gradio_api") for url in (target.listener, quote(target.listener, safe=""), "http://169.254.169.254/")))


def addresses_as_inputs(target: Target) -> None:
    """CVE-2024-4325, CVE-2024-47167: the queue fetches addresses in its inputs."""
    for data in file_data(target):
        target.page([data])
        target.page([[data], data, {"file": data}])
        target.page([json.dumps(data)])


def files_as_inputs(target: Target) -> None:
    """CVE-2024-0964, CVE-2024-1728, CVE-2024-4941, CVE-2025-48889: inputs that name files are copied where they can be read."""
    for data in file_data(target):
        for function in range(12):
            body = {"data": [data, data, data, data], "fn_index": function, "session_hash": "attack", "trigger_id": 1, "event_data": data}
            target.send("POST", "/gradio_api/queue/join", json=body)
        for name in ("ask", "predict", "lambda", "__call__", "restore"):
            target.send("POST", f"/gradio_api/call/{name}", json={"data": [data]})


def calling_methods(target: Target) -> None:
    """CVE-2024-1561, CVE-2024-34511: component_server calls any method of a component."""
    for body in ({"data": str(target.secret), "fn_name": "move_resource_to_block_cache", "component_id": 1, "session_hash": "x"},
                 {"data": [str(target.secret)], "fn_name": "__init__", "component_id": 2, "session_hash": "x"}):
        target.closed("POST", "/component_server", "/gradio_api/component_server", "/gradio_api/component_server/", json=body)


def custom_components(target: Target) -> None:
    """CVE-2024-47166: one level above a component's folder."""
    target.closed("GET", *(f"/gradio_api/custom_component/{id}/client/component/{name}" for id in ("a" * 8, "..", "%2e%2e")
                           for name in ("..%2fpyproject.toml", "index.js", "../../x")))


def uploading(target: Target) -> None:
    """CVE-2023-41626, CVE-2024-1727, CVE-2024-47872: anybody's files, HTML and SVG among them, kept and served."""
    for name in ("x.html", "x.svg", "../../x.py", "a\0b", "CON", "x" * 4000):
        target.closed("POST", "/upload", "/gradio_api/upload", "/gradio_api/upload?upload_id=1", files={"files": (name, b"<script>1</script>")})
    target.closed("GET", "/gradio_api/upload_progress?upload_id=1")


def exhausting_forms(target: Target) -> None:
    """CVE-2024-8966, CVE-2025-0187: a boundary that is parsed for ever; here no route reads forms from strangers."""
    body = b"--" + b"-" * 900_000 + b"\r\n"
    for path in ("/gradio_api/queue/join", "/api/v1/ask", "/api/v1/feedback", "/eval/start", "/gradio_api/upload"):
        assert target.send("POST", path, content=body, headers={"content-type": "multipart/form-data; boundary=" + "-" * 60}).status_code in (400, 403, 404, 413, 415, 422)


def redirecting(target: Target) -> None:
    """CVE-2024-1183, CVE-2024-4940, CVE-2024-8021: a link to us that leads elsewhere."""
    for path in ("/file=https://evil.example", "/gradio_api/file=https://evil.example", "/login?_target_url=https://evil.example",
                 "/?_target_url=https://evil.example", "//evil.example/..", "/logout?_target_url=//evil.example", "/%2f%2fevil.example",
                 "/login/huggingface?_target_url=https://evil.example", "/embed?next=//evil.example", "/eval?next=https://evil.example"):
        for method in ("GET", "HEAD", "POST"):
            answer = target.send(method, path, follow_redirects=False)
            assert "evil.example" not in answer.headers.get("location", "")


def origins(target: Target) -> None:
    """CVE-2024-47084, CVE-2024-47165, CVE-2025-5320: Origin null, localhost, look-alikes let in with credentials."""
    own = f"{target.client.base_url.host}:{target.client.base_url.port}"
    for origin in ("null", "http://localhost", "http://localhost:3000", "https://evil.example", f"http://{own}.evil.example", f"http://evil.example#{own}", "file://"):
        for path in ("/", "/config", "/gradio_api/info", "/api/v1/documents"):
            headers = target.send("GET", path, headers={"origin": origin, "cookie": "wenju_session=x"}).headers
            assert "access-control-allow-origin" not in headers and "access-control-allow-credentials" not in headers
        for path in ("/gradio_api/queue/join", "/api/v1/ask", "/api/v1/feedback", "/gradio_api/call/ask"):
            assert target.send("POST", path, headers={"origin": origin}, json={"data": [EXAMPLE]}).status_code == 403


def poisoned_addresses(target: Target) -> None:
    """CVE-2024-47870: a forwarded host that ends up in other people's pages."""
    poison = {"x-forwarded-host": "evil.example", "forwarded": "host=evil.example", "x-forwarded-proto": "gopher", "x-forwarded-prefix": "//evil.example",
              "x-gradio-server": "https://evil.example", "x-original-url": "https://evil.example"}
    for path in ("/", "/config", "/embed", "/gradio_api/info"):
        assert "evil.example" not in target.send("GET", path, headers=poison).text
        assert "evil.example" not in target.send("GET", path).text, "what one request says stays out of the next one"


def rebinding(target: Target) -> None:
    """A foreign name for this address (DNS rebinding): the browser would let its page read everything."""
    for host in ("evil.example", "evil.example:7860", "127.0.0.1.nip.example", "localhost.evil.example", "[::1].evil.example", "LOCALHOST.", "a" * 300):
        expected = 200 if host == "LOCALHOST." else 421
        for method, path in (("GET", "/"), ("GET", "/api/v1/documents"), ("POST", "/api/v1/ask"), ("GET", "/config"), ("GET", "/openapi.json")):
            answer = target.send(method, path, headers={"host": host, "origin": f"http://{host}"}, json={"question": EXAMPLE} if method == "POST" else None)
            assert answer.status_code == expected and (expected == 200 or "值班" not in answer.text)
    for host in ("127.0.0.1", "localhost:1", "[::1]:7860", "10.1.2.3", "192.168.1.1:80"):
        assert target.send("GET", "/api/v1/documents", headers={"host": host}).status_code == 200


def monitoring(target: Target) -> None:
    """CVE-2024-47168: the dashboard that could not be switched off."""
    target.closed("GET", "/monitoring", "/monitoring/summary", "/gradio_api/monitoring", "/gradio_api/monitoring/x", "/gradio_api/runs", "/gradio_api/run-history/records")


def signing_in(target: Target) -> None:
    """CVE-2024-1729, CVE-2024-47869, CVE-2026-27167: Gradio's own login, timing and the machine's hub token."""
    target.closed("POST", "/login", "/login/", data={"username": "admin", "password": "admin"})
    target.closed("GET", "/login/huggingface", "/login/callback", "/logout", "/gradio_api/token", "/gradio_api/user", "/gradio_api/login_check", "/gradio_api/vibe-code",
                  "/gradio_api/dev/reload")


def leaking_settings(target: Target) -> None:
    """CVE-2023-6572, CVE-2024-47868: what the page's description tells of the machine."""
    for path in ("/config", "/gradio_api/info", "/gradio_api/startup-events", "/gradio_api/app_id", "/openapi.json", "/"):
        text = target.send("GET", path).text
        assert str(Path.cwd()) not in text and str(Path.home()) not in text and "site-packages" not in text and "WENJU_" not in text


def other_peoples_streams(target: Target) -> None:
    """CVE-2026-28415 and the queue's ids: nobody hears an answer by guessing."""
    mine = target.send("POST", "/gradio_api/queue/join", json={"data": [EXAMPLE], "fn_index": 0, "session_hash": "mine12345678"})
    for other in ("x", "mine1234567", "", "*", "mine12345678%00", "__proto__"):
        answer = target.client.stream("GET", f"/gradio_api/queue/data?session_hash={quote(other)}")
        with answer as response:
            first = next(response.iter_text(), "")
            assert "值班" not in first
    target.closed("GET", "/gradio_api/stream/mine12345678/1/1/playlist.m3u8", "/gradio_api/stream/x")
    assert mine.status_code in (200, 400, 404, 422)


def tampered_tables(target: Target) -> None:
    """CVE-2022-24770: formulas in what an administrator opens; the feedback book is JSON, the exports are tested in test_audit.py."""
    answer = target.send("POST", "/api/v1/feedback", json={"rating": "up", "question": '=HYPERLINK("http://evil.example")', "comment": "@SUM(1)\n=1+1"})
    assert answer.status_code == 201


def deep_links(target: Target) -> None:
    """State of one visitor written to disk and read by path by another."""
    target.closed("GET", "/gradio_api/deep_link", "/gradio_api/deep_link?session_hash=x")
    assert target.send("GET", "/?deep_link=../../etc/passwd").status_code in (200, 404)


def slow_patterns(target: Target) -> None:
    """CVE-2024-10624: texts on which a pattern backtracks; every text a person may send is answered."""
    for text in ("1" * 1990, "（" * 1990, "一、" * 990, "2023年" * 390, "-" * 1990, "春节" + " " * 1900 + "。", "〔2021〕" * 280, "a-" * 990 + "!"):
        assert target.send("POST", "/api/v1/ask", json={"question": text}).status_code in (200, 422)


def compressed_bodies(target: Target) -> None:
    """CVE-2024-10569: a small body that unpacks to a large one."""
    bomb = zlib.compress(b" " * (64 << 20))
    for encoding in ("gzip", "deflate", "br", "zstd"):
        answer = target.send("POST", "/api/v1/ask", content=bomb, headers={"content-encoding": encoding, "content-type": "application/json"})
        assert answer.status_code in (400, 413, 415, 422)


GRADIO = (reading_files, dots_in_asset_paths, other_spellings_of_blocked_paths, proxying, addresses_as_inputs, files_as_inputs, calling_methods,
          custom_components, uploading, exhausting_forms, redirecting, origins, poisoned_addresses, rebinding, monitoring, signing_in, leaking_settings,
          other_peoples_streams, tampered_tables, deep_links, slow_patterns, compressed_bodies)


@pytest.mark.parametrize("attack", GRADIO, ids=lambda attack: attack.__name__)
def test_what_worked_against_gradio_does_not_work_here(attack: Callable[[Target], None], target: Target) -> None:
    attack(target)


def test_names_of_a_service_without_sign_in_are_listed(tmp_path: Path) -> None:
    def asked(host: str, **settings: object) -> int:
        app = create_api(Service(WebPipeline(Settings(home=tmp_path), SEEDS)), Portal(**settings).checked())
        with running(app) as address:
            return httpx.get(f"{address}/api/v1/documents", headers={"host": host}).status_code

    assert asked("wenju.office") == 421 and asked("WENJU.office:80", hosts=("wenju.office",)) == 200
    assert asked("a.wenju.office", hosts=("wenju.office",)) == 421
    assert asked("portal.example", trusted_proxies=("127.0.0.1",)) == 200, "the proxy answers for the names it lets through"
    assert asked("portal.example", identity="token", token_key="k" * 40) == 401, "whoever signs in brings what no other site has"
    for wrong in ("*", "https://wenju.office", "wenju.office:80", "Wenju", "a/b", ""):
        with pytest.raises(SettingError, match=r"portal\.hosts"):
            Portal(hosts=(wrong,)).checked()


# ---------------------------------------------------------------- the peers

def names_as_paths(target: Target) -> None:
    """Langchain-Chatchat CVE-2026-51882/-51884, h2oGPT CVE-2026-65700: ids, names and tokens that become paths."""
    for name in ("../../etc/passwd", "..%2f..%2fetc%2fpasswd", str(target.secret), quote(str(target.secret), safe=""), "%00", "x" * 5000, "seeds%2f..%2fpyproject.toml"):
        for path in (f"/api/v1/documents/{name}", f"/api/v1/documents/{name}/original", f"/page/documents/{name}", f"/eval/report/{name}", f"/page/{name}"):
            assert target.send("GET", path).status_code in (400, 404, 414, 422)
    for token in ("../../etc/passwd", "\t../x", "x" * 7000):
        assert target.send("GET", "/api/v1/documents", headers={"authorization": f"Bearer {token}"}).status_code == 200, "a token is no path: nobody reads it here"


def text_that_becomes_code(target: Target) -> None:
    """Templates, formats and shells: {7*7}, ${…}, %s, `…`; the answer says them back as they are."""
    for text in ("{7*7}", "${7*7}", "{{7*7}}", "<%= 7*7 %>", "%s%s%n", "`id`", "$(id)", "'; DROP TABLE--", "{0.__class__}", "\\x00"):
        answer = target.send("POST", "/api/v1/ask", json={"question": f"值班要求{text}"}).json()
        assert (answer["question"] == f"值班要求{text}" and "49" not in answer["answer"].replace("2049", "")) or "uid=" not in answer["answer"]


@pytest.mark.parametrize("attack", [names_as_paths, text_that_becomes_code], ids=lambda attack: attack.__name__)
def test_what_worked_against_the_peers_does_not_work_here(attack: Callable[[Target], None], target: Target) -> None:
    attack(target)


def test_a_character_map_in_a_pdf_is_no_pickle(tmp_path: Path) -> None:
    """CVE-2025-64512: pdfminer.six unpickled the file that a PDF's /CMapName names. Wenju has no such parser."""
    planted = tmp_path / "evil.pickle.gz"
    planted.write_bytes(zlib.compress(b"cos\nsystem\n(S'touch %s'\ntR." % str(tmp_path / "ran").encode()))
    draw = b"BT /F 12 Tf 50 700 Td <4e004e8c> Tj ET"
    font = f"<< /Type /Font /Subtype /Type0 /BaseFont /X /Encoding /{str(tmp_path / 'evil').replace('/', '#2F')} /DescendantFonts [6 0 R] >>"
    data = pdf(["<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
                "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F 5 0 R >> >> /Contents 4 0 R >>",
                b"<< /Length %d >>\nstream\n%s\nendstream" % (len(draw), draw), font,
                "<< /Type /Font /Subtype /CIDFontType0 /BaseFont /X /CIDSystemInfo << /Registry (Adobe) /Ordering (GB1) /Supplement 2 >> >>"])
    (tmp_path / "a.pdf").write_bytes(data)
    with suppress(DocumentError):
        load(tmp_path / "a.pdf", "a.pdf")
    assert not (tmp_path / "ran").exists()


def test_entities_of_word_read_no_file_and_call_nobody(tmp_path: Path, service: Target) -> None:
    """python-docx's external entities; and a template or picture that lives elsewhere is not fetched."""
    (tmp_path / "a.docx").write_bytes(docx_with(OUTSIDE.replace("file:///etc/passwd", f"{service.listener}/dtd")))
    with pytest.raises(DocumentError, match="DOCTYPE"):
        load(tmp_path / "a.docx", "a.docx")
    import io
    import zipfile

    with zipfile.ZipFile(io.BytesIO(docx_of(["关于值班的通知", "一、值班要求。"]))) as whole:
        parts = {name: whole.read(name) for name in whole.namelist()}
    relation = f'<Relationship Id="rId999" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/attachedTemplate" Target="{service.listener}/t.dotm" TargetMode="External"/>'
    name = "word/_rels/document.xml.rels"
    parts[name] = parts[name].replace(b"</Relationships>", relation.encode() + b"</Relationships>")
    (tmp_path / "b.docx").write_bytes(zipped(parts))
    assert "值班要求" in load(tmp_path / "b.docx", "b.docx")[0].text and service.called == []
