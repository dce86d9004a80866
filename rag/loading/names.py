"""Names of organisations: in lists of addressees, in signatures, in titles."""

import re

from rag.loading.ending import ORG_END, is_org


def split_names(text: str) -> tuple[str, ...]:
    """The names in a list of addressees.

    "，" and "；" always part names, "、" only between two whole names: "各省、自治区、直辖市人民政府" is one.
    """
    out: list[str] = []
    for piece in _outside_brackets(text, "，,；;"):
        names = _outside_brackets(piece, "、")
        current = names[0]
        for name in names[1:]:
            whole = re.search(rf"(?:{ORG_END}|单位|部门|机构|企业|学校|科室|团体|处室)(?:[（(][^）)]*[）)])?$", current)
            together = re.match("各|.*各.{1,2}$", current) and not re.search("[各全]|[省市县区州](?!场)", name)
            if whole and not together and (name.startswith(("各", "全")) or len(name) >= 4 or (len(name) == 3 and name[-1] in "部委局厅院署")):
                out.append(current)
                current = name
            else:
                current += "、" + name
        out.append(current)
    return tuple(n.strip() for n in out if n.strip())


def _outside_brackets(text: str, separators: str) -> list[str]:
    depth, start, out = 0, 0, []
    for at, char in enumerate(text):
        depth += (char in "（(〔《") - (char in "）)〕》")
        if char in separators and depth <= 0:
            out.append(text[start:at])
            start = at + 1
    return [*out, text[start:]]


def split_issuers(text: str) -> tuple[str, ...]:
    """Several organisations in one line, parted by blanks or 、, or run together after a joined line."""
    text = re.sub(r"[（(](?:代章|印章|章|盖章)[）)]", "", text)
    pieces = [p for p in re.split(r"[\s、，,]+", text.strip()) if p]
    out: list[str] = []
    for piece in pieces:
        if out and not re.search(rf"{ORG_END}(?:[（(][^）)]*[）)])?$", out[-1]):
            out[-1] += piece
        else:
            out.append(piece)
    return tuple(out)


def title_issuers(title: str) -> tuple[str, ...]:
    """The organisations before 关于/印发 in a title."""
    found = re.match(r"(.{2,80}?)(?:关于|印发|转发|批转)", title)
    if not found:
        return ()
    names = split_issuers(found[1])
    return names if all(is_org(n) for n in names) else ()


def title_fragment(text: str) -> bool:
    """Whether a line of a signature may be the first half of a broken name."""
    return len(text) <= 30 and not re.search("[，。：:；]", text)


def joined_title(raw: str) -> str:
    """A title in one line; only the blank between two joint issuers stays."""
    pieces = raw.split()
    out = pieces[0]
    for piece in pieces[1:]:
        joint = is_org(out.rsplit(" ", 1)[-1]) and not piece.startswith(("关于", "印发", "转发", "令")) and "关于" in piece + raw.split(piece, 1)[-1]
        latin = out[-1].isascii() and piece[0].isascii()
        out += (" " if joint or latin else "") + piece
    return out
