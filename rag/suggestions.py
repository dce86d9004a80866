"""Questions to begin with, made of what the documents have."""

from collections.abc import Sequence

from rag.index import Index, View


def examples(index: Index | View, most: int) -> Sequence[str]:
    """Questions that the documents answer, made of their headings; the newest documents first, one each."""
    entries = sorted(index.metas.values(), key=lambda e: (e.meta.issued_on or "", e.source), reverse=True)
    out: list[str] = []
    for entry in entries[: 10 * most]:
        headings = (_heading(s.path[-1], s.label) for s in index.document(entry.id).sections if s.kind == "part")
        topic = next((h for h in headings if 6 <= len(h) <= 18 and h.isalnum()), None)
        if topic and len(out) < most:
            who = f"{entry.meta.issuers[0]}" if entry.meta.issuers and len(entry.meta.issuers[0]) <= 12 else ""
            out.append(f"{who}{'关于' if who else ''}{topic}有哪些要求？")
    return out


def _heading(text: str, label: str) -> str:
    return text.removeprefix(label).strip(" ：:。.、")
