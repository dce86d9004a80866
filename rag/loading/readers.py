"""Which reader reads what. One line for each format."""

from rag.errors import DocumentError
from rag.loading.content import Content


def read(suffix: str, data: bytes, name: str) -> Content:
    """The document in `data`. suffix: of the format, in lower case; ".pdf scanned" where the pictures are to be
    read. Raises DocumentError.

    Readers are imported when they are needed: the process that reads starts light.
    """
    match suffix:
        case ".html" | ".htm":
            from rag.loading.web import read_html

            return read_html(data, name)
        case ".docx":
            from rag.loading.word import read_docx

            return read_docx(data, name)
        case ".pdf":
            from rag.loading.pdf import read_pdf

            return read_pdf(data, name)
        case ".pdf scanned":
            from rag.loading.ocr import read_scanned

            return read_scanned(data, name)
        case ".ofd":
            from rag.loading.ofd import read_ofd

            return read_ofd(data, name)
        case ".xlsx":
            from rag.loading.spreadsheet import read_xlsx

            return read_xlsx(data, name)
        case ".csv":
            from rag.loading.spreadsheet import read_csv

            return read_csv(data, name)
        case _:
            raise DocumentError(f"不支持“{name}”的格式。")
