"""Brings an index up to date with files and folders: what is new is read, cut and embedded; the rest is taken over."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rag.errors import DocumentError, IndexDamaged, IndexMissing, IndexUnwritable, PartlyRead
from rag.files import DISK, Disk, digest_of, locked, make_folders, of_the_machine, remove_tree, typed_errors
from rag.index.builder import Builder, Prepared
from rag.index.engine import Engine
from rag.index.entries import DocumentEntry, Failure, Progress, Report
from rag.index.generation import Index
from rag.index.parts import Filling, Part, PartReport
from rag.index.plan import EMPTIED, Group, Out, Plan, Planner, Tell
from rag.index.publish import Pointer, collect_garbage, lock_path, point, publish, read_pointers, staging, tidy
from rag.index.scan import Anchor, Seen, absolute
from rag.loading.overrides import SUFFIX
from rag.protocols import Embedder
from rag.schema import Document, Passage
from rag.text import compact

Load = Callable[[Path, str], list[Document]]
Cut = Callable[[Document], list[Passage]]
Complete = Callable[[Sequence[Document], bytes, str], Sequence[Document]]


def refresh(
    folder: Path, roots: Sequence[Path], load: Load, cut: Cut, embedder: Embedder, progress: Tell | None = None,
    remove: Sequence[str] = (), recipe: str = "", disk: Disk = DISK,
    complete: Complete = lambda documents, sidecar, name: documents, engine: Engine | None = None,
) -> Report:
    """Indexes what is new or changed below `roots`, drops what is gone, and publishes a generation if anything differs.

    load: a file and its label to its documents; DocumentError puts the file on the list of failures.
    remove: ids or sources of documents to withdraw, with every file of the same bytes; no generation that holds them
    is left. Such a file stays out, under whatever name, until it is itself (not its folder) among `roots`.
    complete: called with the documents of one file after they have been cut, the corrections that lie beside it (b"": none)
    and their name; gives the documents as they are to be known. Raises DocumentError.
    recipe: whatever else decides what `load` and `cut` give; when it changes, every file below `roots` is read again.
    engine: the server that holds a copy of the generation before it becomes current.
    Paths indexed earlier and not named now stay as they are.
    Raises UsageError, IndexBusy, IndexDamaged, IndexUnwritable, EngineError; the current generation is then what it was, or,
    if `message` says so, the new one, and only the tidying up after it has failed.
    """
    with typed_errors("更新索引"):
        make_folders(folder, disk)
        with locked(lock_path(folder)):
            steps = _Steps(load, cut, complete, recipe)
            return _Refresh(folder, steps, embedder, progress or (lambda _: None), disk, engine).run(roots, remove)


def fill_part(
    folder: Path, roots: Sequence[Path], part: Part, load: Load, cut: Cut, embedder: Embedder, engine: Engine,
    progress: Tell | None = None, recipe: str = "", complete: Complete = lambda documents, sidecar, name: documents,
) -> PartReport:
    """Embeds the new and changed files of one part below `roots` for the refresh that will publish them: see `parts`.

    Changes nothing in `folder`. Raises UsageError, IndexDamaged, EngineError.
    """
    with typed_errors("按份编入"):
        steps = _Steps(load, cut, complete, recipe)
        return _Refresh(folder, steps, embedder, progress or (lambda _: None), DISK, engine).part(roots, part)


@dataclass(frozen=True, slots=True)
class _Steps:
    """How a file becomes documents and passages."""

    load: Load
    cut: Cut
    complete: Complete
    recipe: str


class _Refresh:
    """One refresh, under the writer's lock."""

    def __init__(
        self, folder: Path, steps: _Steps, embedder: Embedder, tell: Tell, disk: Disk, engine: Engine | None = None,
        thorough: bool = False,
    ) -> None:
        self._folder, self._steps, self._embedder, self._engine = folder, steps, embedder, engine
        self._tell, self._recipe, self._disk = tell, steps.recipe, disk
        self._ready: dict[str, list[Prepared]] = {}
        self._filled: Filling | None = None
        self._out = Out(())
        self._seen = Seen(folder / "seen", disk)
        try:
            self._base: Index | None = Index.open(folder, thorough)
        except IndexMissing:
            self._base = None

    def run(self, roots: Sequence[Path], remove: Sequence[str]) -> Report:
        """See `refresh`."""
        began, base, anchor = time.monotonic(), self._base, Anchor(absolute(self._folder).parent.parent)
        tidy(self._folder, base.folder.name if base is not None else None, self._disk)
        planner = Planner(base, anchor, self._seen, self._recipe, self._tell)
        named = {anchor.key(absolute(r)): absolute(r) for r in roots}
        plan = planner.plan(named, remove, absolute(self._folder))
        self._out = Out(plan.withdrawn)
        self._retry(plan, anchor)
        if base is None or self._differs(plan, base):
            try:
                for _ in base.proving() if base is not None else ():
                    pass
            except IndexDamaged:  # what has rotted must not be copied under a new digest: begin again from what is good
                again = _Refresh(self._folder, self._steps, self._embedder, self._tell, self._disk, self._engine, True)
                return again.run(roots, remove)
            now, embedded, reused = self._build(plan, anchor, purge=bool(remove))
        else:
            now, embedded, reused = base, 0, 0
            if self._engine:
                self._engine.fill(base)
            if base.fallback:  # the files are as the earlier generation has them: make it the current one
                point(self._folder, [Pointer(base.folder.name, base.digest)], self._disk)
                self._clean([base.folder.name], purge=False)
        if self._engine:
            self._engine.settle(now.generation, [p.digest[:16] for p in read_pointers(self._folder) or []])
        self._seen.save(m.entry.path for m in plan.members)
        return Report(
            **planner.report(plan, now.metas), documents=len(now.metas), passages=len(now), embedded=embedded, reused=reused,
            generation=now.generation, seconds=round(time.monotonic() - began, 3), warning=base.fallback if base is not None else None,
        )

    def part(self, roots: Sequence[Path], part: Part) -> PartReport:
        """See `fill_part`."""
        began, base, anchor = time.monotonic(), self._base, Anchor(absolute(self._folder).parent.parent)
        planner = Planner(base, anchor, self._seen, self._recipe, self._tell)
        plan = planner.plan({anchor.key(absolute(r)): absolute(r) for r in roots}, (), absolute(self._folder))
        self._out = Out(plan.withdrawn)
        own = [group for group in plan.groups if group.to_read and part.has(group.members[0].entry.sha256)]
        done, read = 0, 0

        def documents() -> Iterator[Prepared]:
            nonlocal done, read
            for group in own:
                yield from self._read(group, anchor)
                done, read = done + 1, read + group.size

        def told(passages: int, embedded: int) -> None:
            self._tell(Progress("build", done, len(own), "", embedded, passages, read, sum(group.size for group in own)))

        assert self._engine
        indexed = {key.tobytes() for key in base.keys} if base is not None else set()
        passages, embedded = self._engine.filling(self._embedder).fill(documents(), indexed, told)
        entries = [group.members[0].entry for group in own]
        failed = [Failure(entry.source, entry.error) for entry in entries if entry.error is not None]
        return PartReport(f"{part.number}/{part.of}", len(own), tuple(failed), passages, embedded, passages - embedded,
                          round(time.monotonic() - began, 3))

    # ------------------------------------------------------------ reading

    def _retry(self, plan: Plan, anchor: Anchor) -> None:
        """Tries again what failed last time, before anything is written: if all is as it was, nothing will be."""
        for group in plan.groups:
            if group.to_read and group.failed_before:
                self._ready[group.source] = self._read(group, anchor)

    def _read(self, group: Group, anchor: Anchor) -> list[Prepared]:
        """The documents of a file that must be read; none if it cannot be, and then its entries say why."""
        entry = next(m.entry for m in group.members if m.scanned)
        path = anchor.path(entry.path)
        try:
            sidecar, name = _corrections(group)
            documents, refused = self._loaded(path, group)
            if digest_of(path.resolve()) != entry.sha256:
                raise DocumentError("文件在读取时有变动。", "请等它写完后再试。")
            if not documents:
                raise DocumentError("文件里没有可用的内容。")
            found, documents = len(documents), [document for document in documents if not self._out.holds("", document.sha256)]
            if not documents:
                raise DocumentError(EMPTIED)
            passages = [self._passages(document) for document in documents]
            known = self._steps.complete(documents, sidecar, name)
            prepared = [Prepared(group.placed(document, group.source), own)
                        for document, own in zip(known, passages, strict=True)]
        except DocumentError as error:
            group.settle(error=str(error), recipe=self._recipe)
            return []
        except OSError as error:
            if of_the_machine(error):  # the next file would fare no better, and documents that are served would be lost
                raise
            group.settle(error=f"文件读不出来：{error.strerror}。请检查文件权限。", recipe=self._recipe)
            return []
        group.settle([item.document.id for item in prepared], recipe=self._recipe, refused=refused, withheld=found - len(documents))
        return prepared

    def _loaded(self, path: Path, group: Group) -> tuple[Sequence[Document], list[Failure]]:
        """A file's documents, and of an archive the members that cannot be read."""
        try:
            return self._steps.load(path, group.source), []
        except PartlyRead as error:
            if not error.documents:
                raise
            return error.documents, [Failure(member, str(why)) for member, why in error.refused]

    def _passages(self, document: Document) -> list[Passage]:
        passages = self._steps.cut(document)
        for passage in passages:  # an index whose quotes do not hold must never come to be
            if compact(document.text[passage.start : passage.end]) != compact(passage.text):
                raise DocumentError("切分出的段落与原文不符。", "请把这个文件反馈给开发者。")
        return passages

    def _taken_over(self, group: Group) -> list[Prepared]:
        """The documents of a file that has not changed, to be embedded by another model."""
        base, out = self._base, []
        assert base is not None
        for entry in group.known:
            document = group.placed(base.document(entry.id), group.borne)
            terms = [base.lexical.terms(row) for row in entry.rows]
            passages = [base.passage(row) for row in entry.rows]
            out.append(Prepared(document, passages, terms, base.document_lexical.terms(base.number_of(entry.id))))
        return out

    # ------------------------------------------------------------ writing

    def _differs(self, plan: Plan, base: Index) -> bool:
        unread = any(g.to_read and g.source not in self._ready for g in plan.groups)
        model = (self._embedder.name, self._embedder.digest, self._embedder.dimension)
        same_model = model == (base.embedder_name, base.embedder_digest, base.dimension)
        return unread or not same_model or (plan.roots, plan.entries, plan.withdrawn) != (base.roots, base.files, base.withdrawn)

    def _build(self, plan: Plan, anchor: Anchor, purge: bool) -> tuple[Index, int, int]:
        """The new generation, published; how many passages were embedded and how many taken over."""
        built = staging(self._folder, self._disk)
        self._filled = self._engine.filled(self._embedder) if self._engine else None
        try:
            digest, embedded, reused = self._written(plan, anchor, built)
            new = Index(built, digest)  # what could not be opened again must not become current
            if self._base is not None and new.digest == self._base.digest and not self._base.fallback:
                remove_tree(built, self._disk)
                return self._base, 0, 0
            self._tell(Progress("publish", len(plan.groups), len(plan.groups), embedded=embedded))
            if self._engine:
                self._engine.fill(new)
            keep = None if purge or self._base is None else Pointer(self._base.folder.name, self._base.digest)
            current = publish(self._folder, built, digest, keep, self._disk)
        except BaseException:
            with suppress(OSError):
                remove_tree(built, self._disk)
            raise
        self._clean([p.name for p in (current, keep) if p], purge)
        if self._filled:
            self._filled.drop()
        with suppress(OSError):  # it will be read whole once more
            new.remember(self._folder / "generations" / current.name, self._disk)
        return new, embedded, reused

    def _clean(self, keep: Sequence[str], purge: bool) -> None:
        """Removes other generations. What cannot be removed now is tried again by the next refresh."""
        try:
            collect_garbage(self._folder, keep, self._disk)
        except OSError as error:
            if purge:
                raise IndexUnwritable(
                    f"文件已从索引中撤下，但旧版本没有删干净（{error.strerror}）。", "请检查磁盘后再运行一次 wenju index。"
                ) from error

    def _written(self, plan: Plan, anchor: Anchor, built: Path) -> tuple[str, int, int]:
        """All files of the generation; its digest, and how many passages were embedded and taken over."""
        done, total, source, read = 0, len(plan.groups), "", 0
        to_read = sum(g.size for g in plan.groups if g.to_read)

        def told(embedded: int) -> None:
            self._tell(Progress("build", done, total, source, embedded, builder.passages, read, to_read))

        taken = self._filled.taken if self._filled else lambda keys: {}
        builder = Builder(built, self._embedder, self._base, self._disk, told, taken)
        try:
            added: dict[str, _Added] = {}
            for number, group in enumerate(plan.groups):
                done, source = number, group.source
                told(builder.embedded)
                size = group.size if group.to_read else 0
                kept = [group.placed(e, group.borne) for e in group.known] if builder.keeps and not group.to_read else []
                items = [] if kept else self._documents(group, anchor)
                own = [*kept, *(item.document for item in items)]
                if problem := _clash(own, added, group):
                    group.settle(error=problem, recipe=self._recipe)
                    continue
                for document in (document for document in own if document.id in added):
                    builder.label(document.id, (document.source, *document.also_at))
                for entry in (entry for entry in kept if entry.id not in added):
                    builder.keep(entry)
                for item in (item for item in items if item.document.id not in added):
                    builder.add(item)
                corrected = next(iter(group.corrections), "")
                for document in own:
                    added.setdefault(document.id, _Added(document.sha256, document.source, corrected))
                read += size
            done, source = total, ""
            return builder.finish(plan.roots, plan.entries, plan.withdrawn), builder.embedded, builder.reused
        finally:
            builder.close()

    def _documents(self, group: Group, anchor: Anchor) -> list[Prepared]:
        if not group.to_read:
            return self._taken_over(group)
        return self._ready.pop(group.source) if group.source in self._ready else self._read(group, anchor)


@dataclass(frozen=True, slots=True)
class _Added:
    """What is kept of a document that has been written: digest and label, and the digest of its file's corrections."""

    sha256: str
    source: str
    corrected: str


def _clash(own: Sequence[Document | DocumentEntry], added: Mapping[str, _Added], group: Group) -> str | None:
    """Why the documents of a file cannot stand beside those written before; the same bytes in an archive can."""
    earlier = [(document, added[document.id]) for document in own if document.id in added]
    if len({document.id for document in own}) < len(own) or any(d.sha256 != before.sha256 for d, before in earlier):
        return "文件编号与另一个文件相同。"
    corrected = next(iter(group.corrections), "")
    differing = next((before.source for _, before in earlier if before.corrected != corrected), None)
    return f"与 {differing} 内容相同而更正不同。请让它们的更正文件一致，或只留一份。" if differing else None


def _corrections(group: Group) -> tuple[bytes, str]:
    """The corrections that lie beside a file or one of its copies, and their name; b"" when there are none.

    Raises DocumentError when two copies are corrected differently: nobody could tell who may see the document.
    """
    found = list(group.corrections.values())
    if len(found) > 1:
        names = "、".join(sorted(m.entry.source for m in found))
        raise DocumentError(f"内容相同的文件有不一样的更正：{names}。", "请让它们的更正文件一致，或只留一份。")
    return (found[0].sidecar, found[0].entry.source + SUFFIX) if found else (b"", "")
