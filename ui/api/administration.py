"""What administrators do: let in, written down, carried out. Doors and the page call these methods and nothing beneath."""

import datetime as dt
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from fastapi import HTTPException
from starlette.requests import Request

from eval.review import Candidate, Review
from rag.errors import UsageError
from rag.index import Purged, Report, check, purge
from rag.pipeline import build_index, engine_of
from ui.api.audit import Entry, entries, newest
from ui.api.corrections import Value
from ui.api.identity import asker_of
from ui.api.jobs import Job, Jobs, Outcome, Tell
from ui.api.library import Library, Loose
from ui.api.logs import REQUEST
from ui.api.operators import may_administer
from ui.api.service import Service
from ui.api.settings import Portal
from ui.api.usage import Usage, usage

PAGE = 50
"""Audit entries, or documents, a page."""
PROGRESS = "看进度"
"""Summary of the doors that tell how far the work is."""
CANDIDATES = "feedback"
"""The set that complaints are accepted into, in WENJU_HOME/sets; the evaluation page lists it."""
_ONLY = "只对管理员开放。没有设置身份（portal.identity）时，请在运行服务的机器上打开 http://127.0.0.1 的页面；设置了身份时，请在 portal.admins 里写上姓名或 @组名。"
_WORDS: Mapping[str, str] = {"index": "编入", "withdraw": "撤下", "purge": "彻底清除", "correct": "更正", "check": "检查索引"}


@dataclass(frozen=True, slots=True)
class Health:
    """The index as it stands. bytes: on disk, all generations; free: on the disk. roots, absent, loose: see `Library`."""

    generation: str
    embedder: str
    documents: int
    passages: int
    generations: int
    bytes: int
    free: int
    roots: tuple[str, ...]
    absent: tuple[str, ...]
    failed: tuple[tuple[str, str], ...]
    withdrawn: int
    loose: tuple[Loose, ...]
    checked: Job | None


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Some entries, the newest first. more: whether there are older ones."""

    entries: tuple[Entry, ...]
    page: int
    more: bool


class Administration:
    """All that the 管理 page and its doors do, for one service."""

    def __init__(self, service: Service, portal: Portal) -> None:
        self.service, self._portal = service, portal
        self.library = Library(service)
        self.jobs = Jobs(lambda: service.pipeline.settings, self._ended)
        self._checked: Job | None = None

    def admits(self, request: Request) -> bool:
        """Whether an administrator sent the request."""
        return may_administer(request, self._portal)

    def enter(self, request: Request) -> None:
        """The dependency of every administrators' door: writes down who came for what. Raises 403 for all others.

        Whoever may, and only asks how far the work is, is not written down: the page does so all the time."""
        admitted, what = self.admits(request), request.scope["route"].summary
        target = " ".join([*request.path_params.values(), *request.query_params.getlist("replaces")])
        if what != PROGRESS or not admitted:
            self._note(asker_of(request).name, f"{what} {target}".strip(), "allowed" if admitted else "refused")
        if not admitted:
            raise HTTPException(403, _ONLY)

    # ------------------------------------------------------------ work on the index

    def index(self, who: str, files: Sequence[str] = (), remove: Sequence[str] = ()) -> Job:
        """Indexes these files (see `Library.named`; they come back if they were withdrawn), or, if there are none, all that
        was indexed before.

        remove: documents that go in the same step. Raises UsageError and IndexBusy; as do the others here.
        """
        self._known(remove)
        paths = [self.library.named(name) for name in files] or self.library.roots
        if self.library.folder.is_dir():
            paths.append(self.library.folder)
        return self.jobs.start("index", who, lambda tell: self._build(paths, remove, tell))

    def withdraw(self, who: str, id: str) -> Job:
        """Takes a document out of the index; its file stays where it is, and can be brought back."""
        self._known([id])
        return self.jobs.start("withdraw", who, lambda tell: self._build([], [id], tell))

    def purge(self, who: str, id: str) -> Job:
        """Removes a document from index, uploads, backups and records, and looks for what is left."""
        self._known([id])
        originals, settings = self.library.originals(id), self.service.pipeline.settings
        return self.jobs.start("purge", who, lambda _: purge(
            settings.home, settings.index, id, originals=originals, engine=engine_of(settings)))

    def correct(self, who: str, id: str, values: Mapping[str, Value]) -> Job:
        """Writes corrections beside a document's file and indexes it again."""
        self._known([id])
        at = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")

        def work(tell: Tell) -> Outcome:
            return self._build(self.library.correct(id, values, who or "本机", at), [], tell)

        return self.jobs.start("correct", who, work)

    def check(self, who: str) -> Job:
        """Proves the index byte by byte."""
        settings = self.service.pipeline.settings
        return self.jobs.start("check", who, lambda _: tuple(check(settings.index, engine=engine_of(settings))))

    def health(self) -> Health:
        """The index as it stands."""
        index, folder = self.library.index, self.service.pipeline.settings.index
        return Health(
            index.generation, index.embedder_name, len(index.metas), len(index), sum(1 for _ in (folder / "generations").iterdir()),
            _size(folder), shutil.disk_usage(folder).free, tuple(path.name for path in self.library.roots), tuple(self.library.absent),
            tuple(_failures(index.files)), len({mark.content for mark in index.withdrawn}), tuple(self.library.loose()),
            self._checked,
        )

    # ------------------------------------------------------------ records

    def audit(self, find: str = "", kind: str = "", since: dt.date | None = None, until: dt.date | None = None, page: int = 1) -> AuditPage:
        """Entries of these days (UTC) whose person, question, documents or request id contain `find`."""
        fitting = self._fitting(newest(self._audit, since, until), find, kind)
        found = list(islice(fitting, (page - 1) * PAGE, page * PAGE + 1))
        return AuditPage(tuple(found[:PAGE]), page, len(found) > PAGE)

    def exported(self, find: str = "", kind: str = "", since: dt.date | None = None, until: dt.date | None = None) -> Iterator[Entry]:
        """All of them, oldest first."""
        return self._fitting(entries(self._audit, since, until), find, kind)

    def usage(self, days: int) -> Usage:
        """The figures of so many days, today included."""
        today = dt.datetime.now().astimezone().date()
        since = today - dt.timedelta(days - 1)
        return usage(entries(self._audit, since - dt.timedelta(1)), since, today)

    def complaints(self) -> list[Candidate]:
        """Answers that readers were not content with, the newest first."""
        return self._review.candidates()[::-1]

    def decide(self, id: str, accept: bool, quotes: Sequence[str]) -> None:
        """Takes a complaint into the set of candidate questions, or leaves it. Raises UsageError."""
        if not accept:
            return self._review.reject(id)
        into = self.service.pipeline.settings.home / "sets" / f"{CANDIDATES}.jsonl"
        self._review.accept(id, into, [quote for quote in quotes if quote.strip()])

    # ------------------------------------------------------------ inside

    @property
    def _audit(self) -> Path:
        return self.service.pipeline.settings.home / "audit"

    @property
    def _review(self) -> Review:
        return Review(self.service.pipeline.settings.home / "feedback.jsonl", self.service.pipeline)

    def _known(self, ids: Sequence[str]) -> None:
        missing = [id for id in ids if id not in self.library.index.metas]
        if missing:
            raise UsageError("没有这份文件，它可能已被撤下。", "请刷新页面后从列表里选。")

    def _build(self, paths: Sequence[Path], remove: Sequence[str], tell: Tell) -> Report:
        pipeline = self.service.pipeline
        return build_index(pipeline.settings, paths, remove, tell, pipeline.embedder if paths else None)

    def _ended(self, job: Job) -> None:
        if job.what == "check":
            self._checked = job
        else:
            self.service.follower.look()  # whoever is told that it is done sees what was done
        self._note(job.who, f"{_WORDS[job.what]}：{job.error or _told(job.outcome)}", job.state)

    def _note(self, who: str, what: str, status: str) -> None:
        generation = self.service.pipeline.generation
        self.service.note(Entry(who, "admin", "admin", what, status, generation=generation, request=REQUEST.get()))

    def _fitting(self, found: Iterator[Entry], find: str, kind: str) -> Iterator[Entry]:
        wanted = find.casefold()
        return (e for e in found if (not kind or e.kind == kind)
                and wanted in "\n".join((e.who, e.question, e.request, *e.documents)).casefold())


def _size(folder: Path) -> int:
    """Bytes of the files in a folder; a run may be removing some of them."""
    size = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            size += path.stat().st_size if path.is_file() else 0
    return size


def _failures(files: Sequence[Any]) -> Iterator[tuple[str, str]]:
    """Source and reason of every file, and member of an archive, that is not in the index."""
    for file in files:
        if file.error:
            yield file.source, file.error
        for member in file.refused:
            yield member.source, member.reason


def _told(outcome: Outcome | None) -> str:
    """What came of a piece of work, for the audit log."""
    match outcome:
        case Report():
            counts = (("新增", outcome.new), ("变更", outcome.changed), ("移除", outcome.removed), ("重复", outcome.duplicate), ("失败", outcome.failed))
            return "、".join(f"{word} {len(names)}" for word, names in counts if names) or "没有变动"
        case Purged():
            return f"{outcome.document_id}，残留 {len(outcome.found)} 处"
        case _:
            return f"{len(outcome)} 个问题" if outcome else "完好"
