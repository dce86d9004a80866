"""A disk that records what is done to it, and a model of what a power failure may leave of that.

The model is as strict as POSIX allows a file system to be: what was written to a file since its last sync may be lost,
torn or zeroed; a name that was made, renamed or removed since its folder's last sync may be as before, each one apart.
Only a rename within a folder is atomic. A third-party writer's files count as unsynced until they are synced.
"""

import errno
import os
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rag.files import Disk

State = dict[str, bytes | None]
"""Paths below the root with their content; None for a folder."""


class Recorder(Disk):
    """Does everything for real and writes it down, with paths relative to `root`.

    `before` is called with each operation's number and kind first: it may raise an OSError, or shorten a write.
    `forget`: kinds and paths of syncs that are to be left out, as a programmer might.
    """

    def __init__(
        self, root: Path, before: Callable[[int, str], int | None] = lambda number, kind: None,
        forget: Callable[[str, str], bool] = lambda kind, path: False,
    ) -> None:
        self.root, self.log, self._before, self._forget = root, [], before, forget
        self._paths: dict[int, str] = {}
        self.operations = 0

    def _next(self, kind: str) -> int | None:
        self.operations += 1
        return self._before(self.operations - 1, kind)

    def _name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def create(self, path):
        self._next("create")
        descriptor = super().create(path)
        self._paths[descriptor] = self._name(path)
        self.log.append(("create", self._name(path)))
        return descriptor

    def write(self, descriptor, data):
        short = self._next("write")
        taken = super().write(descriptor, data[:short] if short else data)
        self.log.append(("write", self._paths[descriptor], data[:taken]))
        return taken

    def sync(self, descriptor, path):
        self._next("sync")
        if not self._forget("sync", self._name(path)):
            self.log.append(("sync", self._name(path)))

    def sync_folder(self, path):
        self._next("sync_folder")
        if path.is_relative_to(self.root) and not self._forget("sync_folder", self._name(path)):
            self.log.append(("sync_folder", self._name(path)))

    def make_folder(self, path):
        self._next("make_folder")
        super().make_folder(path)
        self.log.append(("make_folder", self._name(path)))

    def rename(self, old, new):
        self._next("rename")
        super().rename(old, new)
        assert old.parent == new.parent, "the model knows renames within a folder only"
        self.log.append(("rename", self._name(old), self._name(new)))

    def remove(self, path):
        self._next("remove")
        super().remove(path)
        self.log.append(("remove", self._name(path)))

    def remove_folder(self, path):
        self._next("remove_folder")
        super().remove_folder(path)
        self.log.append(("remove", self._name(path)))

    def foreign(self, folder, write):
        self._next("foreign")
        super().foreign(folder, write)
        self.log.append(("make_folder", self._name(folder)))
        for path in sorted(folder.iterdir()):
            self.log += [("create", self._name(path)), ("write", self._name(path), path.read_bytes())]


def failing(at: int, code: int, sticky: bool) -> Callable[[int, str], None]:
    """A `before` that fails the operation of this number, and with `sticky` all that follow."""
    def before(number: int, kind: str) -> None:
        if number == at or (sticky and number > at):
            raise OSError(code, os.strerror(code))
    return before


CODES = (errno.ENOSPC, errno.EIO, errno.EACCES)


# ---------------------------------------------------------------- the model

@dataclass
class _File:
    safe: bytes = b""
    unsynced: bytes = b""


@dataclass
class _Folder:
    safe: dict[str, "_File | _Folder"] = field(default_factory=dict)
    now: dict[str, "_File | _Folder"] = field(default_factory=dict)
    unsynced: list[list[tuple[str, "_File | _Folder | None"]]] = field(default_factory=list)

    def change(self, *edits: tuple[str, "_File | _Folder | None"]) -> None:
        _apply(self.now, edits)
        self.unsynced.append(list(edits))


def _apply(names: dict, edits: Sequence[tuple[str, object]]) -> None:
    for name, node in edits:
        if node is None:
            names.pop(name, None)
        else:
            names[name] = node


class Model:
    """A file tree that begins as `state`, all of it safe, and goes through recorded operations."""

    def __init__(self, state: State) -> None:
        self._root = _Folder()
        for path, data in sorted(state.items()):
            folder, name = self._parent(path)
            node = _Folder() if data is None else _File(data)
            folder.safe[name] = folder.now[name] = node

    def _find(self, path: str) -> "_File | _Folder":
        node: _File | _Folder = self._root
        for part in path.split("/") if path != "." else ():
            assert isinstance(node, _Folder)
            node = node.now[part]
        return node

    def _parent(self, path: str) -> tuple[_Folder, str]:
        head, _, name = path.rpartition("/")
        folder = self._find(head or ".")
        assert isinstance(folder, _Folder)
        return folder, name

    def do(self, operation: tuple) -> None:
        kind, path = operation[:2]
        if kind == "write":
            self._find(path).unsynced += operation[2]
        elif kind == "sync":
            file = self._find(path)
            file.safe, file.unsynced = file.safe + file.unsynced, b""
        elif kind == "sync_folder":
            folder = self._find(path)
            folder.safe, folder.unsynced = dict(folder.now), []
        elif kind in ("create", "make_folder"):
            folder, name = self._parent(path)
            folder.change((name, _File() if kind == "create" else _Folder()))
        elif kind == "rename":
            folder, old = self._parent(path)
            new = operation[2].rpartition("/")[2]
            folder.change((old, None), (new, folder.now[old]))
        else:
            folder, name = self._parent(path)
            folder.change((name, None))

    def after_power_loss(self, names: Callable[[], bool], data: Callable[[bytes], bytes]) -> State:
        """One state that may be found. names: whether a change of a name is kept; data: what is left of unsynced bytes."""
        state: State = {}

        def visit(folder: _Folder, at: str) -> None:
            left = dict(folder.safe)
            for edits in folder.unsynced:
                if names():
                    _apply(left, edits)
            for name, node in left.items():
                if isinstance(node, _Folder):
                    state[at + name] = None
                    visit(node, at + name + "/")
                else:
                    state[at + name] = node.safe + data(node.unsynced)

        visit(self._root, "")
        return state


def states(begin: State, log: Sequence[tuple], draws: int, seed: int = 0) -> Iterator[tuple[int, State]]:
    """States after each prefix of the log (its length first): the four extremes, and `draws` drawn ones."""
    draw, model = random.Random(seed), Model(begin)

    def torn(data: bytes) -> bytes:
        kind = draw.randrange(4)
        return (b"", data, data[: draw.randint(0, len(data))], bytes(len(data)))[kind]

    for length in range(len(log) + 1):
        if length:
            model.do(log[length - 1])
        for kept in (True, False):
            yield length, model.after_power_loss(lambda kept=kept: kept, lambda data: data)
            yield length, model.after_power_loss(lambda kept=kept: kept, lambda data: b"")
        for _ in range(draws):
            likely = draw.random()
            yield length, model.after_power_loss(lambda likely=likely: draw.random() < likely, torn)


# ---------------------------------------------------------------- on a real disk

def read_state(root: Path) -> State:
    """A folder's content as a state."""
    return {p.relative_to(root).as_posix(): None if p.is_dir() else p.read_bytes() for p in sorted(root.rglob("*"))}


class Stage:
    """Puts states on a real disk, one after another, writing only what differs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._now: State = {}
        root.mkdir()

    def show(self, state: State) -> None:
        for path in sorted(self._now.keys() - state.keys(), reverse=True):
            (self.root / path).rmdir() if self._now[path] is None else (self.root / path).unlink()
        for path, data in sorted(state.items()):
            if path in self._now and (self._now[path] is None) != (data is None):
                raise AssertionError("a file does not become a folder")
            if path not in self._now and data is None:
                (self.root / path).mkdir()
            elif data is not None and self._now.get(path) != data:
                (self.root / path).write_bytes(data)
        self._now = dict(state)

    def clear(self) -> None:
        """Forget what is there; somebody else has changed it."""
        self._now = read_state(self.root)
