"""XML from untrusted files: no document type, so no entities; bounded depth; names without their namespaces."""

from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

from rag.errors import DocumentError

_DEEPEST = 400


class _Tree(TreeBuilder):
    """Builds elements whose tags and attributes are local names, as Office's two namespaces mean the same."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = 0

    def start(self, tag: str, attrs: dict[str, str]) -> Element:  # type: ignore[override]
        """An element begins."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise DocumentError("XML 嵌套过深。")
        return super().start(local(tag), {local(name): value for name, value in attrs.items()})

    def end(self, tag: str) -> Element:
        """An element ends."""
        self._depth -= 1
        return super().end(local(tag))

    def doctype(self, name: str, public: str | None, system: str | None) -> None:
        """A document type could define entities: expanding ones, or ones that name other files."""
        raise DocumentError("XML 里有 DOCTYPE 声明，可能用来定义恶意实体，已拒绝读取。")


def local(name: str) -> str:
    """A name without its namespace."""
    return name.rpartition("}")[2]


def parse(data: bytes) -> Element:
    """The root element. Raises DocumentError for XML that is malformed, too deep or has a document type."""
    parser = XMLParser(target=_Tree())
    try:
        parser.feed(data)
        return parser.close()
    except ParseError as error:
        raise DocumentError("XML 不完整或写得不对。") from error
