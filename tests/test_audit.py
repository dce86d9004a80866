"""The audit log: everything is in it, nothing but it, and nobody gets an answer that it could not take."""

import csv
import datetime as dt
import io
import json
import threading
from pathlib import Path

import httpx
import pytest
from test_api import SEEDS, _problem, running
from web_fakes import EXAMPLE, WebPipeline

from rag.config import Settings
from ui.api.audit import AuditError, AuditLog, Entry, entries, export
from ui.api.identity import NOBODY, Asker
from ui.api.service import Service
from ui.cli import main
from ui.server import create_api

DAY = dt.datetime(2026, 3, 1, 8, tzinfo=dt.UTC)


def log_at(folder: Path, now: dt.datetime, **more: object) -> AuditLog:
    return AuditLog(folder, now=lambda: now, **({"days": 30} | more))


def test_entries_come_back_in_order_and_old_days_go(tmp_path: Path) -> None:
    first = Entry("王芳", "rest", "ask", "值班\n要求", "answered", ("d1", "d2"), "g1", "r1")
    for age in (40, 30, 1, 0):
        log_at(tmp_path, DAY - dt.timedelta(days=age)).add(first)
    (tmp_path / "notes.txt").write_text("不是我们的")
    log_at(tmp_path, DAY).add(first)
    found = list(entries(tmp_path))
    assert [e.at[:10] for e in found] == ["2026-01-30", "2026-02-28", "2026-03-01", "2026-03-01"]
    assert {(e.who, e.question, e.documents, e.request) for e in found} == {("王芳", "值班\n要求", ("d1", "d2"), "r1")}
    assert [e.at[:10] for e in entries(tmp_path, dt.date(2026, 2, 1), dt.date(2026, 2, 28))] == ["2026-02-28"]
    assert (tmp_path / "notes.txt").exists() and (tmp_path / "2026-03-01.jsonl").stat().st_mode & 0o077 == 0


def test_a_torn_line_costs_no_other(tmp_path: Path) -> None:
    log_at(tmp_path, DAY).add(Entry("a", "rest", "ask", "一"))
    path = tmp_path / "2026-03-01.jsonl"
    path.write_bytes(path.read_bytes() + b'{"who": "b", "do')
    log_at(tmp_path, DAY).add(Entry("c", "rest", "ask", "三"))
    assert [e.who for e in entries(tmp_path)] == ["a", "c"]


def test_threads_and_processes_may_write_at_once(tmp_path: Path) -> None:
    logs = [log_at(tmp_path, DAY, sync=False) for _ in range(2)]
    threads = [threading.Thread(target=lambda n=n: [logs[n % 2].add(Entry(f"{n}", "rest", "ask", "问" * 500)) for _ in range(50)]) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = [e.who for e in entries(tmp_path)]
    assert len(found) == 400 and all(found.count(str(n)) == 50 for n in range(8))


def test_every_door_writes_and_none_reads(tmp_path: Path) -> None:
    service = Service(WebPipeline(Settings(home=tmp_path), SEEDS), audit=AuditLog(tmp_path / "audit", 30))
    with running(create_api(service)) as address, httpx.Client(base_url=address, timeout=30) as client:
        number = client.post("/api/v1/ask", json={"question": EXAMPLE}).headers["x-request-id"]
        client.post("/api/v1/ask/stream", json={"question": EXAMPLE})
        client.post("/api/v1/search", json={"query": EXAMPLE})
        id = client.get("/api/v1/documents").json()["documents"][0]["id"]
        client.get(f"/api/v1/documents/{id}")
        client.get("/api/v1/documents/nothing")
        client.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": EXAMPLE}]})
        client.post("/v1/chat/completions", json={"stream": True, "messages": [{"role": "user", "content": EXAMPLE}]})
        client.post("/api/v1/ask", json={"question": "x"})  # refused: nothing was answered
        for path in ("/audit", "/api/v1/audit", "/page/audit"):
            _problem(client.get(path), 404)
    found = list(entries(tmp_path / "audit"))
    assert [(e.door, e.kind, e.status) for e in found] == [
        ("rest", "ask", "answered"), ("rest", "ask", "answered"), ("rest", "search", "found"), ("rest", "read", "shown"),
        ("openai", "ask", "answered"), ("openai", "ask", "answered")]
    assert found[0].request == number and all(e.documents and e.generation == "fake-1" for e in found)


def test_whoever_leaves_a_stream_early_is_in_it_too(tmp_path: Path) -> None:
    import asyncio

    service = Service(WebPipeline(Settings(home=tmp_path), SEEDS, delay=0.02), audit=AuditLog(tmp_path / "audit", 30))

    async def leave_after(kind: str) -> None:
        events = service.stream(Asker("li.na"), "rest", EXAMPLE, (), {})
        async for event in events:
            if event.kind == kind:
                break
        await events.aclose()
        while service.workers.taken:
            await asyncio.sleep(0.01)

    asyncio.run(leave_after("status"))
    assert not list(entries(tmp_path / "audit"))  # has seen nothing of any document
    asyncio.run(leave_after("delta"))
    assert [(e.who, e.status) for e in entries(tmp_path / "audit")] == [("li.na", "stopped")]


def test_what_cannot_be_written_down_is_not_answered(tmp_path: Path) -> None:
    (tmp_path / "audit").write_text("a file where the folder should be")
    service = Service(WebPipeline(Settings(home=tmp_path), SEEDS), audit=AuditLog(tmp_path / "audit", 30))
    with pytest.raises(AuditError):
        log_at(tmp_path / "audit", DAY).add(Entry("a", "rest", "ask", "一"))
    with running(create_api(service)) as address, httpx.Client(base_url=address, timeout=30) as client:
        for path, body in (("/api/v1/ask", {"question": EXAMPLE}), ("/api/v1/search", {"query": EXAMPLE})):
            assert "审计" in _problem(client.post(path, json=body), 503)["detail"]
        id = client.get("/api/v1/documents").json()["documents"][0]["id"]
        _problem(client.get(f"/api/v1/documents/{id}"), 503)
        assert client.post("/api/v1/ask/stream", json={"question": EXAMPLE}).text.rstrip().splitlines()[-2] == "event: error"
    assert NOBODY.name == ""


HOSTILE = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =cmd|' /C calc'!A0", "|x", "＝1", '"quoted", and\nlines', "值班要求")


def test_the_export_is_text_to_a_spreadsheet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setenv("WENJU_HOME", str(tmp_path))
    log = AuditLog(tmp_path / "audit", 30)
    for text in HOSTILE:
        log.add(Entry(text, "rest", "ask", text, documents=("d1", "d2")))
    assert main(["audit", "export", str(tmp_path / "a.csv")]) == 0
    rows = list(csv.reader(io.StringIO((tmp_path / "a.csv").read_text(encoding="utf-8-sig"))))
    assert len(rows) == len(HOSTILE) + 1 and {len(row) for row in rows} == {10}
    for text, row in zip(HOSTILE, rows[1:], strict=True):
        assert row[1] == row[4] and row[4].lstrip("'").strip() == text.strip()
        assert row[4].lstrip()[0] not in "=+-@|" and row[6] == "d1 d2"
    assert rows[-1][4] == "值班要求"
    assert main(["audit", "export", str(tmp_path / "a.csv")]) == 1  # never over an existing file
    assert main(["audit", "export", "--since", "yesterday"]) == 2
    capsys.readouterr()
    assert main(["audit", "export", "--since", "2999-01-01"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1
    out = io.StringIO()
    assert export(entries(tmp_path / "nowhere"), out) == 0


def test_lines_are_plain_json(tmp_path: Path) -> None:
    log_at(tmp_path, DAY).add(Entry("a", "rest", "ask", "一"))
    assert json.loads((tmp_path / "2026-03-01.jsonl").read_text(encoding="utf-8"))["at"].startswith("2026-03-01T08:00:00")
