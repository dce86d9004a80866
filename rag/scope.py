"""Which documents and passages a question's slots allow: the year asked and no other, the office asked and no other.

A slot's verdict on a document is True (the document is of that year, place, office …), False (it is of another)
or None (it does not say). A passage may still speak of a slot its document is not about
("有西安市旅居史的人员" in a notice of another city), so False is revised by the passage's own words.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

from rag.errors import UsageError
from rag.places import compatible, contains, find_places, latin_mentions
from rag.query import FESTIVAL_WORD, FESTIVALS, NUMBER_OF, Query
from rag.schema import Metadata
from rag.text import compact, normalise

_PLACE_SUFFIX = re.compile(r"(?<=[\u4e00-\u9fff]{2})[省市州盟]|壮族自治区|回族自治区|维吾尔自治区|自治区|自治州|特别行政区")
_SUFFIXED = "(?:特别行政区|(?:壮族|回族|维吾尔)?自治区|自治州|省|市|州|盟)?"
_KEEPS_NAMING = 3
_SAME_SHARE = 0.7
_A_LAW = re.compile(r"(?<![办方做])法$|条例$")
_CARRIES_OUT = tuple(f"{verb}{mark}" for verb in ("实施", "执行", "贯彻", "落实", "适用", "修改", "废止", "解释") for mark in ("", "《"))
_FOLLOWS = tuple(f"{mark}{noun}" for mark in ("", "》") for noun in ("实施", "释义", "解释", "细则", "修正案", "若干"))
_LAW = re.compile(r"^(中华人民共和国|关于)")


@dataclass(frozen=True, slots=True)
class Slot:
    """One thing the question fixes. `name` is its kind, `value` what was asked, both as shown to people.

    Slots of one `group` are alternatives: a question about 吉林 and 兰州 is answered by documents of either.
    """

    name: str
    value: str

    @property
    def group(self) -> str:
        """Offices and places both say who speaks."""
        return "单位" if self.name == "地区" else self.name


def slots(query: Query) -> Iterator[Slot]:
    """The slots of the question, the most selective first."""
    if query.within:
        yield Slot("文件", query.within)
    yield from (Slot("文号", n) for n in query.numbers)
    yield from (Slot("标题", t) for t in query.titles)
    yield from (Slot("文种", k) for k in query.kinds)
    if query.in_force_on:
        yield Slot("效力", "现行有效")
    yield from (Slot("单位", o) for o in query.offices)
    yield from (Slot("年份", f"{y}年") for y in query.years)
    yield from (Slot("节日", f) for f in query.festivals)
    yield from (Slot("地区", p) for p in query.places if not any(p in office for office in query.offices))


def mentions(slot: Slot, text: str) -> list[tuple[int, int]]:
    """Where the question says the slot, as (start, end)."""
    match slot.name:
        case "节日":
            return [m.span() for m in FESTIVAL_WORD[slot.value].finditer(text)]
        case "年份":
            return [m.span() for m in re.finditer(rf"{slot.value[:4]}年?", text)]
        case "地区":
            latin = [span for name, span in latin_mentions(text) if name == slot.value]
            return latin + [m.span() for m in re.finditer(re.escape(slot.value) + _SUFFIXED, text)]
        case "文号":
            return [m.span() for m in NUMBER_OF.finditer(text)]
        case _:
            return [m.span() for m in re.finditer(re.escape(slot.value), text)]


def of_document(slot: Slot, query: Query, id: str, meta: Metadata, own_places: tuple[str, ...]) -> bool | None:
    """The slot's verdict on a document, from its metadata. own_places: `places_of(meta)`."""
    match slot.name:
        case "文件":
            return id == slot.value
        case "文号":
            return None if meta.document_number is None else _number(meta.document_number) == _number(slot.value)
        case "标题":
            return None if meta.title is None else same_title(slot.value, meta.title)
        case "文种":
            return meta.kind == slot.value
        case "单位":
            return _office(slot.value, meta, own_places)
        case "年份":
            return _year(int(slot.value[:4]), query, meta)
        case "节日":
            # a notice of many festivals is of none: its passages have to say which
            return slot.value in meta.festivals if 0 < len(meta.festivals) <= 2 else None
        case _:
            return compatible(slot.value, own_places) if own_places else None


def in_words(slot: Slot, text: str) -> bool:
    """Whether a passage's own words (normalised, headings included) speak of the slot."""
    match slot.name:
        case "文种" | "效力":
            return False  # of the document as a whole: what a passage mentions does not make it one
        case "节日":
            return any(normalise(form) in text for form in FESTIVALS[slot.value])
        case "标题" if _A_LAW.search(slot.value):
            return False  # what others say in its name is not its text
        case "单位":
            return _bare(slot.value) in _PLACE_SUFFIX.sub("", text)
        case "年份":
            return slot.value in text
        case _:
            return normalise(slot.value) in text


def names_month(slot: Slot, query: Query, text: str) -> bool:
    """Whether the text (normalised) names a month of the question that lies in the year asked for."""
    return any(month.startswith(slot.value) and month in text for month in query.months)


def may_report(slot: Slot, meta: Metadata, own_places: tuple[str, ...]) -> bool:
    """Whether what the document's passages say of a place or an office counts, though other documents are of it: a report, which
    speaks in nobody's name, tells of all it names, and so does a document of no place; a province's document tells of its cities.
    own_places: `places_of`."""
    if slot.group != "单位":
        return False
    return not meta.issuers or not own_places or (slot.name == "地区" and any(contains(place, slot.value) for place in own_places))


def series_of(meta: Metadata) -> str | None:
    """What the same notice of every year has in common: its issuers and its title without the year."""
    title = re.sub(r"[（(][^（）()]*[）)]$", "", meta.title or "")
    for issuer in meta.issuers:
        title = title.removeprefix(issuer).lstrip()
    bare = re.sub(r"(?:19|20)\d{2}年?|[一二][九〇零○][〇零○一二三四五六七八九]{2}年", "", title)
    return "|".join((*meta.issuers, bare)) if meta.years and bare != title else None


def places_of(meta: Metadata) -> tuple[str, ...]:
    """The places a document is of: those of its issuers and title, with them its addressees'.

    None for a national issuer, whoever it writes to, and for a document that names no issuer.
    """
    named = find_places("\n".join((*meta.issuers, meta.title or "")))
    return tuple(dict.fromkeys((*named, *find_places("\n".join(meta.addressees))))) if named else ()


def places_in(text: str) -> tuple[str, ...]:
    """Places a text keeps naming (three times or more): what a document without an issuer is about."""
    return tuple(place for place in find_places(text) if text.count(place) >= _KEEPS_NAMING)


def may_be(slot: Slot, meta: Metadata, own_places: tuple[str, ...], text: str) -> bool:
    """Whether a document that does not say so may still be of the slot. own_places: `places_of`, else `places_in`.

    text: all of it, normalised. A year: when the text names it, or none at all. A place or an office: when the
    document is of no other place.
    """
    match slot.name:
        case "年份":
            return slot.value in text or not re.search(r"(?:19|20)\d{2}年", text)
        case "地区":
            return slot.value in text or not own_places or compatible(slot.value, own_places)
        case "单位":
            places = find_places(slot.value)[-1:]
            return _bare(slot.value) in text or (not meta.issuers and all(
                compatible(p, own_places) if own_places else p in text for p in places))
        case "节日":
            return False  # one notice arranges several festivals: the passage has to say which
        case _:
            return in_words(slot, text)


def same_title(asked: str, title: str) -> bool:
    """Whether 《asked》 names the document: one holds the other, or they share most of their character pairs and the years."""
    asked, title = _bare_title(asked), _bare_title(title)
    if asked in title:
        return not _of_a_law(asked, title)
    if len(title) >= 6 and title in asked:
        return True
    one, other = _pairs_of(asked), _pairs_of(title)
    return len(one & other) >= _SAME_SHARE * len(one | other) > 0 and _years(asked) == _years(title)


@lru_cache(maxsize=20_000)
def _bare_title(title: str) -> str:
    return _LAW.sub("", compact(normalise(title)))


@lru_cache(maxsize=20_000)
def _pairs_of(title: str) -> frozenset[tuple[str, str]]:
    return frozenset(pairwise(title))


def _of_a_law(asked: str, title: str) -> bool:
    """Whether the title is that of a document about the one asked for: 广东省实施《消防法》办法, 公路法实施条例, 收费公路法."""
    before, _, after = title.partition(asked)
    named_more = before and not before.endswith("《")
    return bool(before.endswith(_CARRIES_OUT) or after.startswith(_FOLLOWS)
                or (named_more and asked.endswith("法") and _A_LAW.search(asked)))


def _years(text: str) -> list[str]:
    return re.findall(r"(?:19|20)\d{2}", text)


def _number(document_number: str) -> str:
    return re.sub(r"[^\w]", "", compact(normalise(document_number)))


def _bare(office: str) -> str:
    return _PLACE_SUFFIX.sub("", normalise(office))


def _office(asked: str, meta: Metadata, own_places: tuple[str, ...]) -> bool | None:
    if not meta.issuers:
        return None
    bare = _bare(asked)
    places = find_places(bare)
    if places and own_places and not all(compatible(p, own_places) for p in places[-1:]):
        return False
    kind = _without(places, bare)
    return any(short_for(kind, _without(find_places(issuer), issuer)) for issuer in map(_bare, meta.issuers))


def _without(places: Sequence[str], office: str) -> str:
    for place in places:
        office = office.replace(place, "")
    return office


def short_for(asked: str, office: str) -> bool:
    """Whether an office may be called so: 卫体局 for 卫生健康和体育局, with each character in its order."""
    rest = iter(office)
    return asked in office or all(char in rest for char in asked)


def _year(year: int, query: Query, meta: Metadata) -> bool | None:
    issued = {int(d[:4]) for d in (meta.issued_on, meta.published_on) if d}
    if query.about_issue and issued:
        return year in issued or year in meta.years
    if meta.years:
        return year in meta.years
    return year in issued if issued else None


_FILTERS = {"year": "years", "festival": "festivals", "place": "places", "issuer": "offices",
            "document_number": "numbers", "title": "titles", "kind": "kinds",
            "in_force": "in_force_on"}


def filtered(query: Query, filters: Mapping[str, str], today: str) -> Query:
    """The question narrowed by filters a person set: year, festival, place, issuer, document_number, title, kind, and
    in_force (any value: no document that is known to be out of force on the ISO day `today`).

    An empty value lifts what the question itself was understood to fix.
    Raises UsageError for an unknown filter or a year that is not a number.
    """
    changes: dict[str, tuple | str] = {}
    for name, value in filters.items():
        field = _FILTERS.get(name)
        match name:
            case _ if field and not value.strip():
                changes[field] = "" if name == "in_force" else ()
            case "in_force":
                changes[field] = today
            case "year":
                if not re.fullmatch(r"\d{4}", value.strip()):
                    raise UsageError(f"年份“{value}”不对。", "请写四位数字，例如 year=2023。")
                changes["years"] = (int(value),)
            case _ if field:
                changes[field] = (value.strip(),)
            case _:
                raise UsageError(f"不认识的筛选条件“{name}”。", f"可用：{'、'.join(_FILTERS)}。")
    return replace(query, **changes) if changes else query
