"""The administrators' doors over a real service: what they do to the index, whom they let in, what they refuse."""

import csv
import errno
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from access_fakes import Remembering
from admin_fakes import NEW, NEWER, QUESTION, Admin, serving
from test_api import _problem
from test_api_clients import fuzz
from test_identity import SECRET, claims, hs256

from rag.files import locked
from rag.index.publish import lock_path
from ui.api.audit import Entry, entries
from ui.api.corrections import Correction, read, written
from ui.api.settings import Portal
from ui.api.usage import percentile, usage


@pytest.fixture(scope="module")
def remembering(embedder) -> Remembering:
    return Remembering(embedder)


@pytest.fixture
def at(tmp_path: Path) -> Path:
    """WENJU_HOME of the service."""
    return tmp_path / "home"


@pytest.fixture
def admin(tmp_path: Path, remembering: Remembering) -> Iterator[Admin]:
    """The person at the machine."""
    with serving(tmp_path, remembering) as address:
        admin = Admin(address)
        yield admin
        admin.http.close()


# ---------------------------------------------------------------- a document's life

def test_a_document_is_added_replaced_withdrawn_and_brought_back(admin: Admin, at: Path) -> None:
    assert admin.ask()["status"] == "no_evidence"
    received = admin.upload("防滑.txt", NEW)
    assert received.status_code == 201 and received.json()["titles"] == ["关于做好白桦谷防滑工作的通知"]
    job = admin.index("防滑.txt")
    assert job["state"] == "done" and [n.rsplit("/", 1)[-1] for n in job["outcome"]["new"]] == ["防滑.txt"]
    answer = admin.ask()
    assert "0531-77120045" in answer["answer"] and answer["citations"][0]["source"].endswith("uploads/防滑.txt")

    old = answer["citations"][0]["document_id"]
    assert _problem(admin.upload("防滑.txt", NEWER), 422)["detail"].startswith("已经有叫")
    assert "一字不差" in _problem(admin.upload("x.txt", NEW, replaces=old), 422)["detail"]
    replaced = admin.upload("防滑.txt", NEWER, replaces=old).json()["name"]
    assert replaced == "防滑（2）.txt"
    assert admin.index(replaced, withdraw=(old,))["state"] == "done"
    answer = admin.ask()
    assert "0531-77129999" in answer["answer"] and "77120045" not in answer["answer"]

    assert admin.work("POST", f"/documents/{answer['citations'][0]['document_id']}/withdraw", {"confirm": True})["state"] == "done"
    assert admin.ask()["status"] == "no_evidence"
    assert admin.work("POST", "/index", {})["outcome"]["withdrawn"], "a run over everything does not bring it back"
    assert admin.ask()["status"] == "no_evidence"
    assert admin.index("防滑.txt")["state"] == "done"
    assert "0531-77120045" in admin.ask()["answer"]
    own = admin.documents()["00.txt"]["id"]  # no upload: it lies in a folder of the machine
    admin.work("POST", f"/documents/{own}/withdraw", {"confirm": True})
    loose = {file["name"]: file["uploaded"] for file in admin.http.get("/api/v1/admin/index").json()["loose"]}
    assert loose == {"防滑（2）.txt": True, "docs/00.txt": False} and "00.txt" not in admin.documents()
    admin.index("docs/00.txt")
    assert admin.documents()["00.txt"]["id"] == own
    _problem(admin.http.post("/api/v1/admin/index", json={"files": ["docs/01.txt"]}), 422)
    _problem(admin.http.post("/api/v1/admin/index", json={"files": ["/etc/hostname"]}), 422)
    said = [e.question for e in entries(at / "audit") if e.kind == "admin"]
    assert any(s.startswith("上传文件 防滑.txt") for s in said) and "编入：新增 1" in said and any(s.startswith("撤下文件 d") for s in said)


def test_clearing_away_leaves_nothing_and_deletes_the_upload(admin: Admin, at: Path) -> None:
    admin.upload("防滑.txt", NEW)
    admin.index("防滑.txt")
    id = admin.ask()["citations"][0]["document_id"]
    assert "还在索引里" in _problem(admin.http.delete("/api/v1/admin/uploads/防滑.txt"), 422)["detail"]
    done = admin.work("POST", f"/documents/{id}/purge", {"confirm": True})
    assert done["state"] == "done" and done["outcome"]["found"] == [] and done["outcome"]["sentences"]
    assert not list((at / "uploads").iterdir()) and admin.ask()["status"] == "no_evidence"
    _problem(admin.http.post(f"/api/v1/admin/documents/{id}/purge", json={"confirm": True}), 422)


def test_a_correction_is_answered_with_survives_and_can_be_taken_back(admin: Admin, tmp_path: Path, at: Path) -> None:
    before = admin.documents()["00.txt"]
    other = (tmp_path / "docs" / "00.txt").read_bytes()
    values = {"document_number": "鹭办发〔2030〕99号", "issuer": ["鹭岛值守办公室"], "issued_on": "2030-05-06"}
    assert admin.work("PUT", f"/documents/{before['id']}/corrections", values)["outcome"]["changed"]
    for _ in range(2):
        answer = admin.ask("鹭岛行动的值班要求是什么？")
        cited = next(c for c in answer["citations"] if c["document_id"] == before["id"])
        assert (cited["document_number"], cited["issuer"], cited["issued_on"]) == ("鹭办发〔2030〕99号", "鹭岛值守办公室", "2030-05-06")
        assert admin.work("POST", "/index", {})["state"] == "done"
    told = admin.http.get(f"/page/admin/file/{before['id']}").text
    assert "鹭办发〔2030〕99号" in told and "本机 于 20" in told and "原文：" in told
    assert (tmp_path / "docs" / "00.txt").read_bytes() == other
    admin.work("PUT", f"/documents/{before['id']}/corrections", {})
    assert admin.documents()["00.txt"]["document_number"] == before["document_number"]
    assert not (tmp_path / "docs" / "00.txt.wenju.toml").exists()


def test_what_cannot_be_corrected_is_said_and_nothing_is_lost(admin: Admin, tmp_path: Path) -> None:
    id = admin.documents()["01.txt"]["id"]
    for values, said in (({"status": "expired"}, "一起写"), ({"issued_on": "昨天"}, "日期")):
        job = admin.work("PUT", f"/documents/{id}/corrections", values)
        assert job["state"] == "failed" and said in job["error"]
    (tmp_path / "docs" / "01.txt").unlink()  # a drive that is away
    job = admin.work("PUT", f"/documents/{id}/corrections", {"title": "别的"})
    assert job["state"] == "failed" and "移走" in job["error"] and "01.txt" in admin.documents()


def test_a_folder_that_is_away_loses_no_document(admin: Admin, tmp_path: Path) -> None:
    (tmp_path / "docs").rename(tmp_path / "away")
    assert admin.work("POST", "/index", {})["state"] == "done"
    assert len(admin.documents()) == 3 and admin.http.get("/api/v1/admin/index").json()["absent"] == ["docs"]


def test_a_new_version_is_seen_by_those_who_saw_the_old_one(admin: Admin, at: Path) -> None:
    admin.upload("密.txt", NEW)
    admin.index("密.txt")
    id = admin.ask()["citations"][0]["document_id"]
    admin.work("PUT", f"/documents/{id}/corrections", {"groups": ["人事"], "title": "旧题目"})
    assert admin.ask()["status"] == "no_evidence"  # nobody signs in here: hidden
    name = admin.upload("密.txt", NEWER, replaces=id).json()["name"]
    admin.index(name, withdraw=(id,))
    assert admin.ask()["status"] == "no_evidence"
    assert read((at / "uploads" / f"{name}.wenju.toml").read_bytes(), "x") == {"groups": Correction(("人事",))}


# ---------------------------------------------------------------- hostile uploads

@pytest.mark.parametrize("name", [
    "..%2F..%2Fetc%2Fx.txt", "%2Fetc%2Fx.txt", "a%2Fb.txt", "a%5Cb.txt", ".hidden.txt", "通知%E2%80%AEtxt.exe", "a%00.txt", "a%0Ab.txt", "x.txt.wenju.toml",
    "x.exe", "x", "%20x.txt", "a:b.txt", "%F0%9F%92%A9" * 60 + ".txt", "CURRENT", "x.txt.new", "..", "%2e%2e%2fx.txt",
])
def test_names_that_are_none_are_refused(admin: Admin, at: Path, name: str) -> None:
    before = {path for path in at.parent.rglob("*") if "audit" not in path.parts}
    answer = admin.http.put(f"/api/v1/admin/uploads/{name}", content=NEW.encode())
    assert answer.status_code in (404, 405, 422), answer.text
    _problem(answer, answer.status_code)
    assert {path for path in at.parent.rglob("*") if "audit" not in path.parts} <= before | {at / "uploads"}


def _zipped(members: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return out.getvalue()


def test_hostile_documents_are_refused_and_the_others_stay(admin: Admin, at: Path) -> None:
    for name, data in (("出去.zip", _zipped({"../../出去.txt": NEW})), ("炸弹.docx", _zipped({"word/document.xml": "a" * 300_000_000})), ("不是.pdf", b"MZ\x90\x00" * 100), ("空.txt", b"  \n"), ("坏.docx", b"PK\x03\x04" + b"\0" * 500)):
        _problem(admin.upload(name, data), 422)
    taken = admin.upload("一包.zip", _zipped({"好的.txt": NEW, "另一份.txt": NEW.replace("白桦谷", "青松岭"), "坏的.exe": "MZ"})).json()
    assert len(taken["titles"]) == 2 and "坏的.exe" in taken["refused"][0]
    admin.index("一包.zip")
    assert "0531-77120045" in admin.ask()["answer"]
    assert "压缩包" in _problem(admin.http.post(f"/api/v1/admin/documents/{admin.ask()['citations'][0]['document_id']}/purge", json={"confirm": True}), 422)["detail"]
    script = NEW.replace("关于做好白桦谷防滑工作的通知", "关于<script>alert(1)</script>的通知")
    admin.upload("<img src=x onerror=alert(1)>.txt", script)
    admin.index("<img src=x onerror=alert(1)>.txt")
    page = admin.http.get("/page/admin/files").text
    assert "<script>alert" not in page and "<img" not in page and "&lt;img src=x" in page
    assert not any(path.name == "出去.txt" for path in at.parent.rglob("*"))


def test_bodies_have_a_limit(admin: Admin) -> None:
    _problem(admin.upload("大.txt", b"x" * (2 * 2**20 + 1)), 413)
    _problem(admin.http.post("/api/v1/admin/index", content=b" " * 1_100_000, headers={"content-type": "application/json"}), 413)


def test_a_machine_short_of_something_is_told_of_an_upload(admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    for error, said in ((OSError(errno.ENOSPC, ""), "空间不足"), (OSError(errno.EMFILE, ""), "打开的文件过多"), (MemoryError(), "内存不足")):
        def broken(*_: object, error: BaseException = error) -> None:
            raise error

        with monkeypatch.context() as patch:
            patch.setattr("ui.api.library.load", broken)
            assert said in _problem(admin.upload("防滑.txt", NEW), 507)["detail"]
    assert admin.upload("防滑.txt", NEW).status_code == 201


def test_one_writer_at_a_time(admin: Admin, at: Path) -> None:
    with locked(lock_path(at / "index")):
        for path in ("/index", "/check"):
            refused = admin.http.post(f"/api/v1/admin{path}", json={} if path == "/index" else {"confirm": True})
            assert "正在被另一个进程更新" in _problem(refused, 409)["detail"]
    assert admin.work("POST", "/check", {"confirm": True})["outcome"] == []


def test_damage_is_found(admin: Admin, at: Path) -> None:
    stored = next((at / "index" / "generations").glob("*/texts.jsonl"))
    stored.write_bytes(stored.read_bytes().replace("值班".encode(), "值守".encode(), 1))
    done = admin.work("POST", "/check", {"confirm": True})
    assert done["state"] == "done" and "texts.jsonl" in done["outcome"][0]
    assert "texts.jsonl" in admin.http.get("/page/admin/index").text


# ---------------------------------------------------------------- who may

def _doors(client: httpx.Client) -> Iterator[tuple[str, str]]:
    """Every operation of every administrators' address, and the page with its parts."""
    for path, operations in client.get("/openapi.json").json()["paths"].items():
        if path.startswith("/api/v1/admin"):
            yield from ((method.upper(), path.replace("{id}", "d0").replace("{name}", "a.txt")) for method in operations)
    yield from (("GET", path) for path in ("/admin", "/page/admin/job", "/page/admin/files", "/page/admin/file/d0", "/page/admin/index",
                                           "/page/admin/feedback", "/page/admin/audit", "/page/admin/usage"))


BODIES = {"withdraw": {"confirm": True}, "purge": {"confirm": True}, "check": {"confirm": True}, "corrections": {}, "index": {}, "feedback": {"decision": "dismiss"}}


def _call(client: httpx.Client, method: str, path: str, **more) -> httpx.Response:
    if method == "PUT" and "uploads" in path:
        return client.put(path, content=NEW.encode(), **more)
    last = next((part for part in reversed(path.split("/")) if part in BODIES), "")
    return client.request(method, path, json=BODIES[last] if last and method in ("POST", "PUT") else None, **more)


def test_every_door_refuses_whoever_is_no_administrator(tmp_path: Path, remembering: Remembering, at: Path) -> None:
    portal = {"identity": "token", "token_key": SECRET, "admins": ("王芳", "@信息中心")}
    with serving(tmp_path, remembering, **portal) as address, httpx.Client(base_url=address, timeout=60) as client:
        doors = list(_doors(client))
        assert len(doors) == 14 + 8
        for groups, sub in ((("人事",), "li.na"), ((), "信息中心"), ((), "@信息中心"), (("王芳",), "x")):
            bearer = {"authorization": f"Bearer {hs256(claims(sub=sub, groups=groups))}"}
            for method, path in doors:
                assert "管理员" in _problem(_call(client, method, path, headers=bearer), 403)["detail"], (method, path)
        for method, path in doors:
            _problem(_call(client, method, path), 401)
        refused = [e for e in entries(at / "audit") if e.kind == "admin"]
        assert len(refused) == 4 * len(doors) and {e.status for e in refused} == {"refused"} and not (at / "uploads").exists()
        for sub, groups in (("王芳", ()), ("zhao", ("信息中心",))):
            bearer = {"authorization": f"Bearer {hs256(claims(sub=sub, groups=groups))}"}
            for method, path in doors:
                assert _call(client, method, path, headers=bearer).status_code in (200, 201, 202, 204, 404, 409, 422), (method, path)
            evil = bearer | {"origin": "http://evil.example"}
            assert all(_call(client, method, path, headers=evil).status_code == 403 for method, path in doors if method != "GET")


def test_pages_that_may_ask_may_not_administer(tmp_path: Path, remembering: Remembering) -> None:
    portal = {"identity": "token", "token_key": SECRET, "admins": ("王芳",), "origins": ("https://portal.example",)}
    bearer = {"authorization": f"Bearer {hs256(claims(sub='王芳'))}", "origin": "https://portal.example"}
    with serving(tmp_path, remembering, **portal) as address, httpx.Client(base_url=address, headers=bearer, timeout=60) as client:
        assert client.post("/api/v1/ask", json={"question": QUESTION}).status_code == 200
        for method, path in _doors(client):
            if method != "GET":
                _problem(_call(client, method, path), 403)


def test_requests_made_from_the_description_get_described_answers(tmp_path: Path, remembering: Remembering) -> None:
    portal = {"identity": "token", "token_key": SECRET, "admins": (claims()["sub"],), "audit_sync": False}
    with serving(tmp_path, remembering, **portal) as address:
        sent, wrong = fuzz(address, 160, seed=3, only="/admin/")
    assert sent >= 100 and not wrong, "\n".join(wrong[:20])


@pytest.mark.parametrize("headers", [{"x-forwarded-for": "10.0.0.8"}, {"host": "evil.example"}])
def test_without_identity_only_a_person_at_this_machine(admin: Admin, headers: dict[str, str]) -> None:
    for method, path in _doors(admin.http):
        assert _call(admin.http, method, path, headers=headers).status_code == (421 if "host" in headers else 403), (method, path)


@pytest.mark.parametrize("headers", [{"origin": "http://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}])
def test_another_sites_page_does_nothing(admin: Admin, headers: dict[str, str]) -> None:
    for method, path in _doors(admin.http):
        if method != "GET":
            assert _call(admin.http, method, path, headers=headers).status_code == (421 if "host" in headers else 403), (method, path)
    form = admin.http.post("/api/v1/admin/index", content="{}", headers={"content-type": "text/plain"})
    _problem(form, 422)


def test_administrators_without_identity_are_a_mistake(tmp_path: Path) -> None:
    from rag.errors import SettingError

    with pytest.raises(SettingError):
        Portal(admins=("王芳",)).checked()


# ---------------------------------------------------------------- records and figures

def prepared(folder: Path) -> None:
    """An audit log of two days."""
    folder.mkdir(parents=True)
    by_day = {"2024-03-01": [("answered", "值班电话？", 10), ("answered", "值班电话", 20), ("no_evidence", "食堂几点开", 30)],
              "2024-03-03": [("answered", "值班电话？", 40), ("no_evidence", "食堂几点开？", 50), ("clarify", "这份通知呢", 60), ("stopped", "消防", 0)]}
    for day, asked in by_day.items():
        rows = [Entry(f"u{n % 2}", "rest", "ask", question, status, at=f"{day}T08:0{n}:00.000+00:00", ms=ms) for n, (status, question, ms) in enumerate(asked)]
        rows.append(Entry("u9", "rest", "search", "不是提问", "found", at=f"{day}T09:00:00.000+00:00"))
        from rag.schema import to_json

        (folder / f"{day}.jsonl").write_text("".join(json.dumps(to_json(row), ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def test_usage_counts_what_was_asked(tmp_path: Path) -> None:
    import datetime as dt

    prepared(tmp_path / "audit")
    found = usage(entries(tmp_path / "audit"), dt.date(2024, 3, 1), dt.date(2024, 3, 4))
    assert [day.questions for day in found.days] == [3, 0, 4, 0] and found.people == 2
    assert found.days[0].counts == {"answered": 2, "no_evidence": 1, "clarify": 0, "stopped": 0} and found.days[1].refused is None
    assert found.days[0].refused == pytest.approx(1 / 3) and found.whole.refused == pytest.approx(2 / 7)
    assert (found.days[0].latency.p50, found.days[0].latency.p95, found.whole.latency.p50) == (20, 30, 30)
    assert [(a.question, a.count) for a in found.most_asked][:2] == [("值班电话？", 3), ("食堂几点开？", 2)]
    assert [(a.question, a.count) for a in found.unanswered] == [("食堂几点开？", 2)]


def test_percentile_agrees_with_numpy() -> None:
    import numpy as np

    values = [7.0, 1.0, 3.0, 9.0, 4.0, 4.0, 2.0]
    for share in (0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 1.0):
        assert percentile(values, share) == np.percentile(values, share * 100, method="inverted_cdf")
    assert percentile([], 0.5) is None


def test_the_audit_log_is_searched_paged_and_exported(admin: Admin, at: Path) -> None:
    for number in range(60):
        admin.http.post("/api/v1/search", json={"query": f"鹭岛行动{number}"})
    first = admin.http.get("/api/v1/admin/audit", params={"kind": "search", "find": "鹭岛"}).json()
    assert len(first["entries"]) == 50 and first["more"] and first["entries"][0]["question"] == "鹭岛行动59"
    second = admin.http.get("/api/v1/admin/audit", params={"kind": "search", "page": 2}).json()
    assert [e["question"] for e in second["entries"]] == [f"鹭岛行动{n}" for n in range(9, -1, -1)] and not second["more"]
    out = admin.http.get("/api/v1/admin/audit.csv", params={"find": "行动7"})
    rows = list(csv.reader(io.StringIO(out.content.decode("utf-8-sig"))))
    assert next(row[4] for row in rows[1:]) == "鹭岛行动7" and "attachment" in out.headers["content-disposition"]
    assert admin.http.get("/api/v1/admin/audit", params={"until": "2001-01-01"}).json()["entries"] == []
    _problem(admin.http.get("/api/v1/admin/audit", params={"page": 0}), 422)


def test_feedback_becomes_a_candidate_question_or_is_dismissed(admin: Admin, at: Path) -> None:
    ids = [admin.http.post("/api/v1/feedback", json={"rating": rating, "question": "鹭岛行动每天检查几次？", "answer": "三次", "generation": "g1"}).json()["id"]
           for rating in ("down", "wrong_citation", "up")]
    waiting = admin.http.get("/api/v1/admin/feedback").json()["candidates"]
    assert [c["id"] for c in waiting] == ids[1::-1] and waiting[0]["generation"] == "g1"
    bad = admin.http.post(f"/api/v1/admin/feedback/{ids[0]}", json={"decision": "accept", "quotes": ["从没写过的话"]})
    assert "不在任何文件里" in _problem(bad, 422)["detail"]
    quote = "鹭岛行动期间每天检查2次，发现问题立即整改。"
    assert admin.http.post(f"/api/v1/admin/feedback/{ids[0]}", json={"decision": "accept", "quotes": [quote]}).status_code == 204
    assert admin.http.post(f"/api/v1/admin/feedback/{ids[1]}", json={"decision": "dismiss"}).status_code == 204
    assert admin.http.get("/api/v1/admin/feedback").json()["candidates"] == []
    (line,) = (at / "sets" / "feedback.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["gold"][0]["quote"] == quote
    _problem(admin.http.post(f"/api/v1/admin/feedback/{ids[1]}", json={"decision": "dismiss"}), 422)


# ---------------------------------------------------------------- corrections as they are written

def test_corrections_keep_the_name_of_whoever_made_them() -> None:
    hostile = '他说"x"  # 2020 假的\\ \x7f\n\ttab ＃'
    first = written({"title": hostile, "groups": ("甲", "乙")}, {}, "王\n芳", "2024-01-01T00:00:00+00:00")
    found = read(first, "x")
    assert found["title"].value == " ".join(hostile.split()) and found["title"].who == "王芳" and found["groups"].value == ("甲", "乙")
    second = read(written({"title": found["title"].value, "groups": ("甲",)}, found, "李娜", "2024-02-02T00:00:00+00:00"), "x")
    assert (second["title"].who, second["groups"].who, second["groups"].at) == ("王芳", "李娜", "2024-02-02T00:00:00+00:00")
    assert written({}, found, "x", "y") == b"" and read(b"", "x") == {}
    by_hand = read('title = "甲"  # 我写的\nissuer = "乙"\n'.encode(), "x")
    assert by_hand["issuer"] == Correction(("乙",))
