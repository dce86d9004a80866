"""Every error Wenju raises on purpose.

    WenjuError
    ├── UsageError            wrong use: unknown setting, impossible question      (exit 2, HTTP 4xx)
    │   ├── SettingError
    │   └── QuestionError
    ├── DocumentError         one file cannot be read; the batch goes on
    │   ├── PartlyRead        some members of an archive cannot
    │   └── Scanned           it has pictures only
    ├── ModelError            weights missing, wrong or unsafe
    ├── GenerationError       a language model failed, was slow or is busy; never leaves the pipeline
    ├── EngineError           the vector server is away, refuses, or holds something else
    └── IndexError_           the index on disk
        ├── IndexMissing      nothing has been indexed yet
        ├── IndexDamaged      a digest, a count or a file is wrong
        ├── IndexBusy         another process is writing
        └── IndexUnwritable   disk full, no permission, device error, no memory

Each carries `message` (what happened and why) and `hint` (what to do next), both in Chinese,
because they are shown to people as they are.
"""

from collections.abc import Sequence
from typing import Any


class WenjuError(Exception):
    """Root of the tree. `str(error)` is one or two Chinese sentences: message, then hint."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class UsageError(WenjuError):
    """The caller asked for something that cannot be done as asked."""


class SettingError(UsageError):
    """A setting is unknown or has an impossible value."""


class QuestionError(UsageError):
    """The question is empty, too short or too long."""


class DocumentError(WenjuError):
    """A file cannot be read as a document."""


class PartlyRead(DocumentError):
    """Some members of an archive cannot be read; the others can."""

    def __init__(self, documents: Sequence[Any], refused: Sequence[tuple[str, DocumentError]]) -> None:
        """documents: the `schema.Document`s of the members that could be read. refused: source of a member, and why."""
        said = "；".join(f"{source}：{error.message}" for source, error in refused[:3])
        super().__init__(f"压缩包里有 {len(refused)} 个文件读不出来：{said}", "其余的文件不受影响。")
        self.documents, self.refused = documents, refused


class Scanned(DocumentError):
    """A file holds pictures of text and no text."""


class ModelError(WenjuError):
    """Model weights are missing, do not match their digest, or are of an unsafe kind."""


class GenerationError(WenjuError):
    """A language model failed to write: the answer is extractive, and `message` says why to its reader."""


class EngineError(WenjuError):
    """The server that searches vectors cannot be reached, refuses, or does not hold this generation as it should."""


class IndexError_(WenjuError):
    """Something is wrong with the index on disk."""


class IndexMissing(IndexError_):
    """No index has been built yet."""


class IndexDamaged(IndexError_):
    """A file of the index is not what the manifest says."""


class IndexBusy(IndexError_):
    """Another process holds the writer's lock."""


class IndexUnwritable(IndexError_):
    """A change could not be made: the disk is full, read-only or broken, or permission or memory is missing."""
