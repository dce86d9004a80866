"""Automatic numbering of Word files: the numbers that Word shows and does not store as text."""

from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

_CN = "零一二三四五六七八九"
_FORMAL = "零壹贰叁肆伍陆柒捌玖"
_STEMS, _BRANCHES = "甲乙丙丁戊己庚辛壬癸", "子丑寅卯辰巳午未申酉戌亥"
_ROMAN = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"),
          (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))
_CLOSED = "、）)．.，,:：】〕］]"
_LEVELS = 9


@dataclass(slots=True)
class Level:
    """One level of a list: number format, pattern ("第%1条"), first number, and after which level it restarts."""

    format: str = "decimal"
    pattern: str = ""
    start: int = 1
    restart: int | None = None
    legal: bool = False
    spaced: bool = True
    style: str | None = None


@dataclass(slots=True)
class Numbering:
    """The lists of a file and how far each has counted."""

    abstract: dict[str, dict[int, Level]] = field(default_factory=dict)
    lists: dict[str, tuple[str, dict[int, Level], dict[int, int]]] = field(default_factory=dict)
    """List id → abstract id, levels, and the numbers at which its levels start over."""
    _counts: dict[str, list[int | None]] = field(default_factory=dict)
    _begun: set[tuple[str, int]] = field(default_factory=set)

    def number(self, list_id: str, level: int) -> str:
        """The next number of a list, ready to stand before the paragraph; "" for bullets and unknown lists."""
        known = self.lists.get(list_id)
        if known is None or level not in known[1]:
            return ""
        abstract, levels, starts = known
        counts = self._counts.setdefault(abstract, [None] * _LEVELS)
        if level in starts and (list_id, level) not in self._begun:
            counts[level] = None
        self._begun.add((list_id, level))
        before = counts[level]
        counts[level] = starts.get(level, levels[level].start) if before is None else before + 1
        for deeper in range(level + 1, _LEVELS):
            restart = levels[deeper].restart if deeper in levels else None
            if restart is None or level + 1 <= restart:
                counts[deeper] = None
        return _written(levels, counts, level)

    def level_of_style(self, list_id: str, style: str) -> int:
        """The level that a list reserves for a paragraph style; 0 when it has none."""
        levels = self.lists[list_id][1] if list_id in self.lists else {}
        return next((at for at, level in levels.items() if level.style == style), 0)


def read_numbering(root: Element | None) -> Numbering:
    """The lists that numbering.xml defines."""
    found = Numbering()
    if root is None:
        return found
    by_style: dict[str, str] = {}
    for element in root.findall("abstractNum"):
        own = element.get("abstractNumId", "")
        found.abstract[own] = {at: level for at, level in map(_level, element.findall("lvl")) if 0 <= at < _LEVELS}
        if (link := element.find("styleLink")) is not None:
            by_style[link.get("val", "")] = own
    for element in root.findall("abstractNum"):
        link = element.find("numStyleLink")
        if link is not None and (source := by_style.get(link.get("val", ""))):
            found.abstract[element.get("abstractNumId", "")] = found.abstract[source]
    for element in root.findall("num"):
        reference = element.find("abstractNumId")
        abstract = reference.get("val", "") if reference is not None else ""
        levels, starts = dict(found.abstract.get(abstract, {})), {}
        for override in element.findall("lvlOverride"):
            at = _integer(override.get("ilvl"), 0)
            if (own := override.find("lvl")) is not None:
                levels[at] = _level(own)[1]
            if (start := override.find("startOverride")) is not None:
                starts[at] = _integer(start.get("val"), 1)
        found.lists[element.get("numId", "")] = (abstract, levels, starts)
    return found


def _level(element: Element) -> tuple[int, Level]:
    def value(name: str) -> str | None:
        child = element.find(name)
        return None if child is None else child.get("val", "")

    restart = value("lvlRestart")
    return _integer(element.get("ilvl"), 0), Level(
        value("numFmt") or "decimal", value("lvlText") or "", _integer(value("start"), 1),
        None if restart is None else _integer(restart, 0), element.find("isLgl") is not None,
        value("suff") != "nothing", value("pStyle"),
    )


def _integer(value: str | None, default: int) -> int:
    try:
        return max(min(int(value or default), 100_000), -1)
    except ValueError:
        return default


# ---------------------------------------------------------------- writing numbers

def _written(levels: dict[int, Level], counts: list[int | None], level: int) -> str:
    own = levels[level]
    if own.format in ("bullet", "none"):
        return own.pattern if own.format == "none" and "%" not in own.pattern else ""
    out = own.pattern
    for at in range(min(level + 1, _LEVELS)):
        of = levels.get(at, Level())
        count = counts[at] if counts[at] is not None else of.start
        out = out.replace(f"%{at + 1}", formatted(count or 0, "decimal" if own.legal else of.format))
    return f"{out} " if own.spaced and out and out[-1] not in _CLOSED else out


def formatted(number: int, style: str) -> str:
    """A number as Word writes it in one of its formats; an unknown format as Arabic digits."""
    match style:
        case "chineseCounting" | "chineseCountingThousand" | "japaneseCounting" | "taiwaneseCountingThousand" | "taiwaneseCounting" \
                | "ideographDigital" | "japaneseDigitalTenThousand" | "koreanDigital2":
            return chinese(number)
        case "chineseLegalSimplified" | "ideographLegalTraditional":
            return chinese(number).translate(str.maketrans(_CN + "十百千", _FORMAL + "拾佰仟"))
        case "decimalEnclosedCircle" | "decimalEnclosedCircleChinese" if 1 <= number <= 20:
            return chr(0x2460 + number - 1)
        case "ideographEnclosedCircle" if 1 <= number <= 10:
            return chr(0x3280 + number - 1)
        case "decimalEnclosedParen":
            return f"（{number}）"
        case "decimalEnclosedFullstop":
            return f"{number}."
        case "decimalFullWidth" | "decimalFullWidth2":
            return "".join(chr(ord(c) + 0xFEE0) for c in str(number)) if number >= 0 else str(number)
        case "decimalZero":
            return f"{number:02d}"
        case "ideographTraditional" if 1 <= number <= 10:
            return _STEMS[number - 1]
        case "ideographZodiac" if 1 <= number <= 12:
            return _BRANCHES[number - 1]
        case "upperLetter" | "lowerLetter" if 1 <= number <= 780:
            letter = chr(ord("A" if style == "upperLetter" else "a") + (number - 1) % 26)
            return letter * ((number - 1) // 26 + 1)
        case "upperRoman" | "lowerRoman" if 1 <= number < 4000:
            return _roman(number).upper() if style == "upperRoman" else _roman(number)
        case _:
            return str(number)


def chinese(number: int) -> str:
    """一, 十二, 一百零五 …; Arabic digits beyond 9,999."""
    if not 0 <= number <= 9999:
        return str(number)
    out, waiting = "", False
    for unit, sign in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = number // unit % 10
        if digit:
            out += "零" * (waiting and bool(out)) + _CN[digit] + sign
        waiting = not digit if out else False
    return (out.removeprefix("一") if 10 <= number < 20 else out) or "零"


def _roman(number: int) -> str:
    out = ""
    for value, sign in _ROMAN:
        out += sign * (number // value)
        number %= value
    return out
