"""What a file really is, told by its first bytes and, for zip packages, by the parts it names."""

import re

from rag.errors import DocumentError

_SIGNS = (
    (b"%PDF-", "pdf"), (b"{\\rtf", "rtf"), (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "ole"), (b"\x89PNG", "image"), (b"\xff\xd8\xff", "image"),
    (b"GIF8", "image"), (b"II*\0", "image"), (b"MM\0*", "image"), (b"MZ", "program"), (b"\x7fELF", "program"), (b"Rar!", "archive"),
    (b"7z\xbc\xaf", "archive"), (b"\x1f\x8b", "archive"),
)
_PART = re.compile(
    rb"PK\x03\x04.{26}/?(word/|xl/|OFD\.xml|mimetypeapplication/vnd\.oasis\.opendocument\.(?:text|spreadsheet))", re.DOTALL)
"""The header of a part, in a zip package, that only one format has."""
_PARTS = {b"word/": "docx", b"xl/": "xlsx", b"OFD.xml": "ofd", b"mimetypeapplication/vnd.oasis.opendocument.text": "odt",
          b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet": "ods"}
_MEANT = {
    "docx": ("docx",), "xlsx": ("xlsx",), "ofd": ("ofd",), "pdf": ("pdf",), "zip": ("zip",), "odt": ("odt",), "rtf": ("rtf",), "ods": ("ods",),
    "doc": ("ole", "rtf", "docx"), "wps": ("ole", "rtf", "docx"), "xls": ("ole", "xlsx"), "et": ("ole", "xlsx"),
}
_CALLED = {
    "pdf": "PDF", "rtf": "RTF", "ole": "旧版 Office（doc、wps、xls）文件", "image": "图片", "program": "程序", "archive": "压缩包", "zip": "zip 压缩包",
    "docx": "docx", "xlsx": "xlsx", "ofd": "OFD", "odt": "odt", "ods": "ods", "html": "网页",
}
_SUFFIX_OF = {"ole": "doc", "html": "html"} | {kind: kind for kind in ("pdf", "rtf", "docx", "xlsx", "ofd", "odt", "ods", "zip")}
_LOCKED = "EncryptedPackage".encode("utf-16-le")


def kind_of(data: bytes) -> str:
    """"pdf", "docx", "ole", "zip", "image", …; "" for text and for what is unknown."""
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _PARTS[found[1]] if (found := _PART.search(data)) else "zip"
    if data[:1024].lstrip().lower().startswith((b"<html", b"<!doctype html")):
        return "html"
    if b"%PDF-" in data[:1024]:
        return "pdf"
    return next((kind for sign, kind in _SIGNS if data.startswith(sign)), "")


def settled(suffix: str, data: bytes, name: str) -> str:
    """The suffix whose reader reads these bytes: the file's own, but .docx for a docx called .doc or .wps, and
    .xlsx for an xlsx called .xls or .et.

    Raises DocumentError when the bytes are of another kind than the name says, or locked with a password.
    """
    meant = _MEANT.get(suffix[1:])
    if meant is None:
        return suffix
    kind = kind_of(data)
    if kind == "ole" and _LOCKED in data:
        raise DocumentError(f"“{name}”设有密码。", "请去掉密码后再试。")
    if kind in meant or (suffix == ".zip" and kind in ("docx", "xlsx", "ofd", "odt", "ods")):
        return f".{kind}" if kind in ("docx", "xlsx") and suffix != ".zip" else suffix
    if called := _CALLED.get(kind):
        again = _SUFFIX_OF.get(kind)
        raise DocumentError(f"“{name}”的内容其实是{called}，与后缀不符。", f"请把后缀改为 .{again} 后再试。" if again else "请换成文件本身再试。")
    raise DocumentError(f"“{name}”不是{_CALLED.get(suffix[1:], suffix[1:])}文件，或已损坏。", "请检查后缀是否写对，或用办公软件打开后另存。")
