"""What a refresh is going to do, decided from what is on disk and what the last generation holds."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from rag.errors import UsageError
from rag.files import digest_of
from rag.index.entries import DocumentEntry, Duplicate, Failure, FileEntry, Progress, Withdrawn
from rag.index.generation import Index
from rag.index.scan import Anchor, Found, Seen, below, find, label, outermost
from rag.schema import Document

Tell = Callable[[Progress], None]
EMPTIED = "其中的文件都已撤下。要恢复请点名这个压缩包。"
_AGAIN = "again"
"""In place of a recipe: the file is to be read again."""
_Placed = TypeVar("_Placed", Document, DocumentEntry)


@dataclass(slots=True)
class Member:
    """A file of the next generation. `scanned`: it lies below a path that was named now; `sidecar`: what lies beside it."""

    entry: FileEntry
    scanned: bool
    sidecar: bytes = b""


@dataclass(slots=True)
class Group:
    """Files with the same bytes, which are kept once, under the first one's label.

    `known`: their documents in the last generation, which are taken over unless `stale` (the recipe or the corrections
    have changed); `borne`: the label of these files that the documents bear there. `failed_before`: these very bytes could
    not be read last time.
    """

    members: list[Member]
    known: tuple[DocumentEntry, ...] = ()
    stale: bool = False
    failed_before: bool = False
    borne: str = ""
    emptied: bool = False
    """All documents of an archive have been withdrawn one by one."""

    @property
    def corrections(self) -> dict[str, Member]:
        """Digests of the corrections that lie beside the files, each with the first file that has it: at most one, if
        whoever wrote them is of one mind."""
        return {m.entry.sidecar: m for m in reversed(self.members) if m.entry.sidecar}

    @property
    def source(self) -> str:
        """The label under which the bytes are kept."""
        return self.members[0].entry.source

    @property
    def size(self) -> int:
        """Bytes of one of the files."""
        return self.members[0].entry.size

    @property
    def to_read(self) -> bool:
        """Whether the file must be read; its documents are taken over otherwise."""
        return self.stale or not self.known

    def placed(self, document: _Placed, old: str) -> _Placed:
        """A document of a file labelled `old` under the labels of these files; a member of an archive keeps its path below,
        and what bears no such label is the file itself."""
        own = [label.removeprefix(old) for label in (document.source, *document.also_at) if below(label, old)]
        source, *also_at = (m.entry.source + path for m in self.members for path in own or [""])
        return replace(document, source=source, also_at=tuple(also_at))

    def settle(
        self, documents: Sequence[str] = (), error: str | None = None, recipe: str | None = None, refused: Sequence[Failure] = (),
        withheld: int = 0,
    ) -> None:
        """Notes what has become of the files; a recipe means that they were read now, with their corrections.

        refused: members of the archive, below `source`. withheld: how many of its documents stay out.
        """
        for member in self.members:
            used = member.entry.recipe if recipe is None else recipe
            corrected = member.entry.corrected if recipe is None else next(iter(self.corrections), "")
            own = tuple(replace(f, source=member.entry.source + f.source.removeprefix(self.source)) for f in refused)
            member.entry = replace(
                member.entry, documents=tuple(documents), error=error, recipe=used, corrected=corrected, refused=own,
                withheld=withheld)


@dataclass(slots=True)
class Plan:
    """The next generation before it is built: groups in order of their labels, and files that have no documents."""

    roots: tuple[str, ...]
    groups: list[Group] = field(default_factory=list)
    failed: list[Member] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    withdrawn: tuple[Withdrawn, ...] = ()
    kept_out: list[str] = field(default_factory=list)
    """Labels of files that were found and stay out, being withdrawn."""

    @property
    def members(self) -> list[Member]:
        """All files, in order of their labels."""
        return sorted([m for g in self.groups for m in g.members] + self.failed, key=lambda m: m.entry.source)

    @property
    def entries(self) -> tuple[FileEntry, ...]:
        """The table of files."""
        return tuple(m.entry for m in self.members)


class Out:
    """What is withdrawn: by path, and by bytes under whatever name. `met`: what was found and left out."""

    def __init__(self, marks: Iterable[Withdrawn]) -> None:
        withdrawn = list(marks)
        self._paths = {w.path for w in withdrawn if not w.member}
        self._places = {w.path for w in withdrawn}
        self._contents = {w.content for w in withdrawn}
        self.met: list[Found] = []

    def holds(self, path: str, sha256: str) -> bool:
        """Whether a file, or a document in an archive (path ""), stays out."""
        if not self._contents:
            return False
        mark = Withdrawn.of(path, sha256)
        return mark.path in self._paths or mark.content in self._contents

    def matches(self, mark: Withdrawn) -> bool:
        """Whether a mark is, by path or by bytes, one of those withdrawn."""
        return mark.path in self._places or mark.content in self._contents

    def meets(self, file: Found) -> bool:
        """Whether a found file stays out; remembers it."""
        if self.holds(file.key, file.sha256):
            self.met.append(file)
            return True
        return False


class Planner:
    """Compares the named paths with the last generation (`base`)."""

    def __init__(self, base: Index | None, anchor: Anchor, seen: Seen, recipe: str, tell: Tell) -> None:
        self._anchor, self._seen, self._recipe, self._tell = anchor, seen, recipe, tell
        self._before: Mapping[str, FileEntry] = {f.path: f for f in base.files} if base is not None else {}
        self._metas: Mapping[str, DocumentEntry] = base.metas if base is not None else {}
        self._roots = base.roots if base is not None else ()
        self._out = base.withdrawn if base is not None else ()

    def plan(self, named: Mapping[str, Path], remove: Sequence[str], skip: Path) -> Plan:
        """named: stored form of each path that was given, and the path. skip: the index's own folder.

        Raises UsageError for a path or a document that nobody knows.
        """
        files = find(named, self._known, self._anchor, skip)
        withdrawn = self._withdrawn(remove, [f for f in files if f.key in named])
        out = Out(withdrawn)
        self._before = self._reopened(withdrawn)
        found = self._scanned(files, named, out)
        kept = [f for f in self._before.values() if not _within(f.path, named) and not out.holds(f.path, f.sha256)]
        present = {f.key for f in found} | {f.path for f in kept}
        there = [key for key in (*self._roots, *named) if not _within(key, named) or self._anchor.path(key).exists()]
        plan = Plan(outermost(there), withdrawn=withdrawn, kept_out=self._labels(out.met, named))
        plan.removed = sorted(f.source for f in self._before.values() if f.path not in present)
        groups: dict[str, list[Member]] = defaultdict(list)
        for member in [*self._labelled(found, kept, named), *(Member(f, scanned=False) for f in kept)]:
            if member.entry.error is None:
                groups[member.entry.sha256].append(member)
            else:
                plan.failed.append(member)
        whole = sorted((self._group(members, out) for members in groups.values()), key=lambda g: g.source)
        plan.groups = [group for group in whole if not group.emptied]
        plan.failed.extend(member for group in whole if group.emptied for member in group.members)
        return plan

    def report(self, plan: Plan, now: Mapping[str, DocumentEntry]) -> dict[str, tuple]:
        """The lists of `entries.Report` for a plan that has been carried out. now: the documents that the index holds."""
        lists: dict[str, list] = {name: [] for name in ("new", "changed", "unchanged", "duplicate", "failed", "withdrawn")}
        kept = {m.entry.path: where for g in plan.groups for where in [_kept_by(g, now)] for m in g.members if m.entry.source != where}
        for entry in (m.entry for m in plan.members if m.scanned):
            before = self._before.get(entry.path)
            lists["failed"].extend(entry.refused)
            lists["withdrawn"].extend([f"{entry.source}（其中 {entry.withheld} 份）"] * bool(entry.withheld))
            if entry.error is not None:
                lists["failed"].append(Failure(entry.source, entry.error))
            elif entry.path in kept:
                lists["duplicate"].append(Duplicate(entry.source, kept[entry.path]))
            elif before is None or before.error is not None:
                lists["new"].append(entry.source)
            else:
                same = (before.sha256, before.corrected) == (entry.sha256, entry.corrected)
                lists["unchanged" if same else "changed"].append(entry.source)
        lists["withdrawn"] = sorted((*plan.kept_out, *lists["withdrawn"]))
        return {"removed": tuple(plan.removed), **{name: tuple(values) for name, values in lists.items()}}

    # ------------------------------------------------------------ parts of the plan

    def _known(self, key: str) -> bool:
        return any(below(known, key) for known in (*self._before, *self._roots))

    def _withdrawn(self, remove: Sequence[str], explicit: Sequence[Found]) -> tuple[Withdrawn, ...]:
        """The files that stay out: those of before, without those that are named themselves now, and those to remove.

        remove: ids or sources of documents, or labels of files; every file of the same bytes goes with them. Of an archive
        that holds others too, only the member goes.
        """
        back = Out(Withdrawn.of(f.key, digest_of(f.path)) for f in explicit if self._out and f.error is None)
        free = {w.content for w in self._out if back.matches(w)}  # what comes back here is free everywhere
        out = {w for w in self._out if w.content not in free}
        files = [f for f in self._before.values() if f.sha256]
        for wanted in remove:
            gone = {e.id: e.sha256 for e in self._metas.values() if wanted in (e.id, e.source, *e.also_at)}
            whole = {f.sha256 for f in files if wanted == f.source or (f.documents and gone.keys() >= set(f.documents))}
            whole.update(gone.values())
            inside = {Withdrawn.of(f.path, gone[id], member=True) for f in files for id in f.documents
                      if id in gone and gone[id] != f.sha256}
            marks = {Withdrawn.of(f.path, f.sha256) for f in files if f.sha256 in whole} | inside
            if not marks:
                raise UsageError(f"索引中没有 {wanted}。", "请用 wenju docs 查看有哪些文件。")
            out |= marks
        return tuple(sorted(out, key=lambda w: (w.path, w.content)))

    def _reopened(self, withdrawn: Sequence[Withdrawn]) -> Mapping[str, FileEntry]:
        """The files of before. Archives with members that are no longer withdrawn will have to be read again."""
        back = {w.path for w in set(self._out).difference(withdrawn) if w.member}
        return {
            path: replace(file, recipe=_AGAIN) if back and Withdrawn.of(path, "").path in back else file
            for path, file in self._before.items()
        }

    def _scanned(self, found: list[Found], named: Iterable[str], withdrawn: Out) -> list[Found]:
        """The found files with their digests. What was indexed below a folder that cannot be read now has failed too."""
        unreadable = {f.key: f for f in found if f.error}
        keys = {f.key for f in found}
        for key, entry in self._before.items():
            closed = next((f for k, f in unreadable.items() if key != k and below(key, k)), None)
            if closed and key not in keys and _within(key, named) and not withdrawn.holds(key, entry.sha256):
                found.append(Found(self._anchor.path(key), key, error=closed.error))
        out: list[Found] = []
        for number, file in enumerate(found):
            self._tell(Progress("scan", number, len(found), file.path.name))
            if file.error is None:
                try:
                    file = replace(file, sha256=self._seen.digest(file))
                except OSError as error:
                    file = replace(file, error=f"文件读不出来：{error.strerror}。请检查文件权限。")
            if not withdrawn.meets(file):
                out.append(file)
        return out

    def _labels(self, found: list[Found], named: Mapping[str, Path]) -> list[str]:
        """What people call files that are not indexed."""
        roots = [self._anchor.path(key) for key in outermost((*self._roots, *named))]
        return sorted(label(self._anchor.path(file.key), roots, set()) for file in found)

    def _labelled(self, found: list[Found], kept: list[FileEntry], named: Mapping[str, Path]) -> list[Member]:
        """The found files as entries. A file keeps the label it has; one not seen before gets a label of its own."""
        taken = {f.source for f in kept} | {self._before[f.key].source for f in found if f.key in self._before}
        roots = [self._anchor.path(key) for key in outermost((*self._roots, *named))]
        members = []
        for file in found:
            before = self._before.get(file.key)
            source = before.source if before else label(self._anchor.path(file.key), roots, taken)
            taken.add(source)
            recipe = before.recipe if before and before.sha256 == file.sha256 else self._recipe
            sidecar = hashlib.sha256(file.sidecar).hexdigest() if file.sidecar else ""
            corrected = before.corrected if before and before.sha256 == file.sha256 else ""
            entry = FileEntry(file.key, source, file.size, file.sha256, recipe, error=file.error, sidecar=sidecar, corrected=corrected)
            members.append(Member(entry, scanned=True, sidecar=file.sidecar))
        return members

    def _group(self, members: list[Member], out: Out) -> Group:
        """Members with the one that is kept first: the one whose label the documents bear already, else the first label."""
        sha256 = members[0].entry.sha256
        earlier = [f for f in self._before.values() if f.sha256 == sha256]
        ids = next((f.documents for f in earlier if f.documents), ())
        known = tuple(self._metas[id] for id in ids)
        first = earlier[0].source if earlier else ""
        borne = next((f.source for f in earlier if any(below(entry.source, f.source) for entry in known)), first)
        members.sort(key=lambda m: (m.entry.source != borne, m.entry.source))
        read = any(m.scanned for m in members)
        applied = {f.corrected for f in earlier if f.documents} or {""}
        wanted = {m.entry.sidecar for m in members if m.entry.sidecar} or {""}
        stale = read and (applied != wanted or any(f.recipe != self._recipe for f in earlier))
        left = tuple(entry for entry in known if not out.holds("", entry.sha256))
        group = Group(members, left, stale, any(f.error is not None for f in earlier), borne, emptied=bool(known) and not left)
        if group.emptied:
            group.settle(error=EMPTIED)
        elif known and not stale:
            refused = next((f.refused for f in earlier if f.source == borne), ())
            group.settle(
                [e.id for e in left], refused=[replace(f, source=group.source + f.source.removeprefix(borne)) for f in refused],
                withheld=max(f.withheld for f in earlier) + len(known) - len(left))
            for member in members:
                member.entry = replace(member.entry, corrected=earlier[0].corrected)
        return group


def _kept_by(group: Group, now: Mapping[str, DocumentEntry]) -> str:
    """The label under which the documents of a group are kept: its own, or that of the same bytes in (or beside) an archive."""
    sources = [now[id].source for id in group.members[0].entry.documents]
    return group.source if not sources or any(below(source, group.source) for source in sources) else sources[0]


def _within(key: str, named: Iterable[str]) -> bool:
    return any(below(key, root) for root in named)
