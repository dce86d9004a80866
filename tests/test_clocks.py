"""Clocks that leap, years back or years on, at any moment: nothing is lost, missed, mixed or opened by it."""

import datetime as dt
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import jwt
import pytest
from index_fakes import generations, index_of, memory_folder, notices, sources, whole
from power_loss import Recorder
from test_api import SEEDS, _problem, running
from test_identity import SECRET, claims, hs256
from web_fakes import EXAMPLE, WebPipeline

from rag.config import Settings
from rag.errors import IndexBusy
from rag.files import locked
from rag.index import Index, check
from rag.index.publish import lock_path
from ui.api.audit import AuditLog, Entry, entries
from ui.api.identity import Tokens, Unknown
from ui.api.service import Service
from ui.api.sessions import Sessions
from ui.api.settings import Portal
from ui.server import create_api

YEARS = 10 * 365 * 86_400
LEAPS = (YEARS, -YEARS, 3601, -3601, 0)
Leap = Callable[[float], None]


@pytest.fixture
def leap(monkeypatch: pytest.MonkeyPatch) -> Leap:
    """Sets the wall clock so many seconds off; the monotonic clock goes on as it does on a real machine."""
    off, real, real_ns, day = [0.0], time.time, time.time_ns, dt.datetime

    class Leaping(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:
            return day.now(tz) + dt.timedelta(seconds=off[0])

    monkeypatch.setattr(time, "time", lambda: real() + off[0])
    monkeypatch.setattr(time, "time_ns", lambda: real_ns() + int(off[0] * 1e9))
    monkeypatch.setattr("jwt.api_jwt.datetime", Leaping)
    return lambda seconds: off.__setitem__(0, seconds)


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    tmp_path_factory.getbasetemp()
    with memory_folder() as folder:
        yield folder


# ---------------------------------------------------------------- the index

def test_generations_follow_one_another_whatever_the_clock_says(place: Path, leap: Leap) -> None:
    docs, folder = notices(place / "docs"), place / "home" / "index"
    index_of(folder, docs)
    for number, seconds in enumerate(LEAPS * 2):
        (docs / "a.txt").write_text(f"第 {number} 次通知", encoding="utf-8")
        disk = Recorder(place, before=lambda n, kind, at_each=number % 2: leap(LEAPS[n % len(LEAPS)]) if at_each else None)
        leap(seconds)
        report = index_of(folder, docs, disk=disk)
        assert report.changed == ("docs/a.txt",) and report.generation == Index.open(folder).generation
        assert [int(path.name[:6]) for path in generations(folder)] == [number + 1, number + 2]
    leap(0)
    index_of(place / "fresh" / "index", docs)
    assert whole(Index.open(folder)) == whole(Index.open(place / "fresh" / "index")) and check(folder) == []


def test_a_change_that_no_time_stamp_tells_is_seen(place: Path, leap: Leap) -> None:
    """While the clock is ahead every file seems old enough to be known by its stamp; one may be written again in that moment."""
    docs, folder = notices(place / "docs"), place / "home" / "index"
    leap(YEARS)
    index_of(folder, docs)
    stamp = (docs / "a.txt").stat().st_mtime_ns
    (docs / "a.txt").write_text((docs / "a.txt").read_text().replace("报送", "上报"))
    os.utime(docs / "a.txt", ns=(stamp, stamp))
    leap(0)
    assert index_of(folder, docs).changed == ("docs/a.txt",)


@pytest.mark.parametrize("year", [1970, 2099])
def test_files_of_another_time_are_files(place: Path, year: int) -> None:
    docs, folder = notices(place / "docs"), place / "home" / "index"
    stamp = int(dt.datetime(year, 1, 2, tzinfo=dt.UTC).timestamp())
    os.utime(docs / "a.txt", (stamp, stamp))
    index_of(folder, docs)
    (docs / "a.txt").write_text("又一份通知", encoding="utf-8")
    os.utime(docs / "a.txt", (stamp, stamp))
    assert index_of(folder, docs).changed == ("docs/a.txt",) and len(sources(folder)) == 3


def test_a_lock_does_not_run_out(place: Path, leap: Leap) -> None:
    docs, folder = notices(place / "docs"), place / "home" / "index"
    index_of(folder, docs)
    with locked(lock_path(folder)):
        for seconds in LEAPS:
            leap(seconds)
            with pytest.raises(IndexBusy):
                index_of(folder, docs)
    assert index_of(folder, docs).unchanged


# ---------------------------------------------------------------- the service

def test_sessions_end_when_the_clock_says_so_and_not_with_an_error(leap: Leap) -> None:
    sessions = Sessions(Portal())
    sealed = sessions.sealed("session", {"name": "王芳"}, 3600)
    found = []
    for seconds in (0, -YEARS, 3500, 3700, YEARS, 0):
        leap(seconds)
        found.append(sessions.opened("session", sealed) is not None)
    assert found == [True, True, True, False, False, True]


def test_tokens_of_another_time_open_nothing(leap: Leap) -> None:
    tokens = Tokens(Portal(identity="token", token_key=SECRET))
    token = hs256(claims(sub="王芳", iat=int(time.time()), nbf=int(time.time())))
    assert tokens.asker(token).name == "王芳"
    for seconds, said in ((YEARS, "过期"), (-YEARS, "无效")):
        leap(seconds)
        with pytest.raises(Unknown, match=said):
            tokens.asker(token)
    leap(0)
    assert tokens.asker(token).name == "王芳" and jwt.decode(token, SECRET, ["HS256"], audience=Portal().token_audience)


def test_a_rate_is_not_mended_by_a_clock(tmp_path: Path, leap: Leap) -> None:
    with running(create_api(Service(WebPipeline(Settings(home=tmp_path), SEEDS)), Portal(rate=3))) as address:
        def ask() -> httpx.Response:
            return httpx.post(f"{address}/api/v1/search", json={"query": EXAMPLE})

        assert [ask().status_code for _ in range(3)] == [200] * 3
        for seconds in LEAPS:
            leap(seconds)
            _problem(refused := ask(), 429)
            assert 0 < int(refused.headers["retry-after"]) <= 21


def test_a_leap_deletes_no_audit_log(tmp_path: Path) -> None:
    today = dt.datetime(2026, 3, 1, 8, tzinfo=dt.UTC)
    now = [today]
    log = AuditLog(tmp_path, days=30, now=lambda: now[0])
    entry = Entry("王芳", "rest", "ask", "值班", "answered")

    def at(*days: int) -> list[str]:
        for day in days:
            now[0] = today + dt.timedelta(days=day)
            log.add(entry)
        return [(dt.date.fromisoformat(found.at[:10]) - today.date()).days for found in entries(tmp_path)]

    assert at(-2, -1, 0) == [-2, -1, 0]
    assert at(36_500, 0, 36_500) == [-2, -1, 0, 0, 36_500, 36_500]  # a clock that was wrong for a while
    assert at(1, 29) == [-2, -1, 0, 0, 1, 29, 36_500, 36_500]
    assert at(30) == [-1, 0, 0, 1, 29, 30, 36_500, 36_500], "age counts as ever"
    assert replace(next(iter(entries(tmp_path))), at="") == entry
