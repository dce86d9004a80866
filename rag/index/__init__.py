"""The index on disk: generations that are built, published, opened, checked, saved and restored."""

from rag.index.backup import backup, restore
from rag.index.builder import passage_context
from rag.index.check import check
from rag.index.engine import Engine
from rag.index.entries import DocumentEntry, Duplicate, Failure, FileEntry, Progress, Report
from rag.index.generation import Index
from rag.index.parts import Part, PartReport
from rag.index.purge import Purged, purge, withdraw
from rag.index.refresh import fill_part, refresh
from rag.index.view import View
from rag.index.watch import Watcher

__all__ = [
    "DocumentEntry", "Duplicate", "Engine", "Failure", "FileEntry", "Index", "Part", "PartReport", "Progress", "Purged", "Report", "View",
    "Watcher", "backup", "check", "fill_part", "passage_context", "purge", "refresh", "restore", "withdraw",
]
