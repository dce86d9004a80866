"""Formats that are a zip file of XML parts: docx, xlsx, ofd."""

import io
import lzma
import zipfile
import zlib
from xml.etree.ElementTree import Element

from rag.errors import DocumentError
from rag.loading import markup

_MOST_PARTS = 20_000
_LARGEST_PART = 100 << 20
_LARGEST = 1 << 30
"""No honest package unpacks to more, in bytes."""

ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError, ValueError, OSError)
"""What the standard library raises for damaged, encrypted or exotic archives."""


class Package:
    """The parts of one file, read one at a time."""

    def __init__(self, data: bytes, name: str) -> None:
        """name: of the file, for errors. Raises DocumentError for a damaged, encrypted or overlarge package."""
        self.name = name
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except ZIP_ERRORS as error:
            raise self.broken() from error
        parts = self._zip.infolist()
        if len(parts) > _MOST_PARTS or sum(p.file_size for p in parts) > _LARGEST:
            raise DocumentError(f"“{name}”解压后过大，像是压缩炸弹，已拒绝读取。", "请确认文件来源；必要时用办公软件打开后另存。")
        if any(p.flag_bits & 1 for p in parts):
            raise DocumentError(f"“{name}”设有密码。", "请去掉密码后再试。")
        self._parts = {p.filename.lower().lstrip("/"): p for p in parts}

    def __contains__(self, part: str) -> bool:
        return part.lower().lstrip("/") in self._parts

    def read(self, part: str) -> bytes:
        """The bytes of a part. Raises DocumentError when it is missing, damaged or too large."""
        info = self._parts.get(part.lower().lstrip("/"))
        if info is None:
            raise self.broken()
        try:
            with self._zip.open(info) as file:
                data = file.read(_LARGEST_PART + 1)
        except ZIP_ERRORS as error:
            raise self.broken() from error
        if len(data) > _LARGEST_PART:
            raise DocumentError(f"“{self.name}”的内容解压后过大，已拒绝读取。", "请拆分文件后再试。")
        return data

    def xml(self, part: str) -> Element:
        """The root element of a part. Raises DocumentError."""
        try:
            return markup.parse(self.read(part))
        except DocumentError as error:
            hint = error.hint or "请用办公软件打开它，确认无误后另存再试。"
            raise DocumentError(f"“{self.name}”读不出来：{error.message}" if not error.hint else error.message, hint) from error

    def broken(self) -> DocumentError:
        """The error for a package that is not what it should be."""
        return DocumentError(f"“{self.name}”已损坏，或不是它的后缀所说的格式。", "请用办公软件打开它，确认无误后另存再试。")
