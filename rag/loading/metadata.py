"""What a document says of itself, each field with the span that says so."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from rag.loading.blocks import Block, running
from rag.loading.dates import DATE, is_date_line, iso, years
from rag.loading.ending import ORG_END, is_org
from rag.loading.numbering import mark
from rag.loading.subjects import KINDS, festivals, kind_of, places
from rag.schema import Metadata, Section, Span
from rag.text import readable, sentences

_TITLE_KIND = "(?:" + "|".join(k for k in KINDS if k not in ("法", "令")) + ")"
_TITLE_DONE = re.compile(rf"{_TITLE_KIND}(?:[（(][^（）()]{{0,30}}[)）])*$")
_GLUED = re.compile(rf"(?<=[\u4e00-\u9fff）)》”])({_TITLE_KIND}(?:[（(][^（）()]{{0,30}}[)）])?)\s*(?:[-_|｜—–－]|－－).{{0,60}}$")
_NUMBER = re.compile(
    r"[\u4e00-\u9fffA-Za-z]{1,15}(?:[（(][\u4e00-\u9fff]{1,6}[)）][\u4e00-\u9fff]{0,6})?\s?"
    r"[〔［\[(（【]\s?(?:19|20)\d{2}\s?年?\s?[〕］\])）】]\s?(?:第\s?)?\d{1,5}\s?号")
_DECREE = re.compile(r"(?:[\u4e00-\u9fff]{1,30}(?:令|公告|通告|决定))?\s*[（(]?第\s?[\d一二三四五六七八九十百〇零]{1,6}\s?号[)）]?")
_NUMBERED_TITLE = re.compile(r"[\u4e00-\u9fff]{4,40}(?:令|公告|通告)\s?[（(]?(?:\d{4}年)?第\s?[\d一二三四五六七八九十百]{1,6}\s?号[)）]?")
_YEAR_NUMBER = re.compile(r"[\u4e00-\u9fff]{0,20}(?:公告|通告)?\s?(?:19|20)\d{2}年第\s?\d{1,4}\s?号")
_PUBLISHED = re.compile(rf"(?:发布(?:日期|时间)?|发文日期|公开日期)\s*[:：]?\s*(?P<date>{DATE.pattern})")
_ENACTED = re.compile(r"通过|批准|公布|修正|修订|发布")
_ENACTOR = re.compile(
    r"[\s经由]*([\u4e00-\u9fff]{2,40}?(?:人民代表大会(?:常务委员会)?|委员会|人民法院|人民检察院|国务院|人民政府|总局|部|局|署)(?:办公厅)?)")
_PURPOSE = re.compile(r"现[就将]|通知如下|公告如下|通告如下|为(?:做好|切实|进一步|全面|认真|深入|贯彻|便于|加强)|期间")
_HEAD_BLOCKS = 20
_LONGEST_TITLE = 160


@dataclass(slots=True)
class Given:
    """Fields that a format states outside the running text (meta tags, a page's header table), as block indices.

    Keys are field names of `Metadata`; values are (value, span).
    """

    fields: dict[str, tuple[str, Span]] = field(default_factory=dict)


def metadata(text: str, blocks: Sequence[Block], found: Sequence[Section], given: Mapping[str, tuple[str, Span]] | None = None) -> Metadata:
    """Metadata of a document.

    found: its sections (the signature is read from them). given: values the format itself states, which win.
    """
    reader = _Reader(text, [b for b in blocks if b.content], found, dict(given or {}))
    return reader.read([b for b in blocks if not b.content])


class _Reader:
    """Reads the head and the signature; collects proofs."""

    def __init__(self, text: str, blocks: list[Block], found: Sequence[Section], given: dict[str, tuple[str, Span]]) -> None:
        self.text, self.blocks, self.sections, self.given = text, blocks, found, given
        self.proof: dict[str, Span] = {name: span for name, (_, span) in given.items()}
        page = any(s.kind == "article" for s in found)
        self.head = [] if page else self._head()
        signature = next((s for s in found if s.kind == "signature"), None)
        self.signature = [b for b in blocks if signature and signature.start <= b.start < signature.end]

    def _head(self) -> list[Block]:
        """The blocks before the first running text or numbered part."""
        out: list[Block] = []
        for found in self.blocks[:_HEAD_BLOCKS]:
            if found.kind == "row":
                continue
            if (mark(found.text) and out) or (running(found.text) and not self._head_line(found)):
                break
            out.append(found)
        return out

    def _head_line(self, found: Block) -> bool:
        """Long lines that still belong to the head: title, addressees, a law's history in brackets."""
        if found.level == 1 or _addressee_line(found.text):
            return True
        if found is self.blocks[0] and len(found.text) <= 70 and not re.search("[。；:：]$", found.text):
            return not re.search("[。；]", found.text)
        if "。" in found.text:
            return False
        return bool(_TITLE_DONE.search(unglued(found.text)) or (_ENACTED.search(found.text) and DATE.search(found.text)))

    def read(self, furniture: Sequence[Block]) -> Metadata:
        title = self._title()
        meta = Metadata(title=title, document_number=self._number(), addressees=self._addressees())
        issuers = self._issuers(title)
        meta = replace(meta, issuers=issuers, issued_on=self._issued(), published_on=self._published(furniture))
        return self._subjects(meta)

    def _prove(self, name: str, start: int, end: int) -> None:
        self.proof.setdefault(name, Span(start, end))

    # ------------------------------------------------------------ title

    def _title(self) -> str | None:
        if "title" in self.given:
            return self.given["title"][0]
        lines = self._title_lines()
        if not lines:
            return None
        start, end = _proper(self.text, lines[0].start, lines[-1].end)
        self._prove("title", start, end)
        return _joined_title(self.text[start:end])

    def _title_lines(self) -> list[Block]:
        for at, found in enumerate(self.head):
            if found.kind == "heading" and found.level == 1:
                return [found]
            if not self._may_be_title(found):
                continue
            bare = unglued(found.text)
            if _TITLE_DONE.search(bare) and not bare.endswith("文件"):
                return self.head[self._title_begin(at) : at + 1]
        return self._plain_title() or [b for b in self.head[:3] if _NUMBERED_TITLE.fullmatch(b.text)][:1]

    def _title_begin(self, at: int) -> int:
        begin = at
        joined = self.head[at].text
        while begin > 0 and at - begin < 12 and self._may_be_title(self.head[begin - 1]):
            before = self.head[begin - 1].text
            if before.endswith("文件") or _TITLE_DONE.search(unglued(before)) or joined.startswith(before) or (is_org(before) and before in joined):
                break
            joined = before + joined
            begin -= 1
        return begin

    def _may_be_title(self, found: Block) -> bool:
        text = found.text
        return (len(text) <= _LONGEST_TITLE and not text.endswith(("：", ":", "。", "；")) and not is_date_line(text)
                and not is_number(text) and not _history(text) and not re.match(r"[（(].*[)）]$", text))

    def _plain_title(self) -> list[Block]:
        """The first line, when running text follows and it is no name, number, date or addressee."""
        if not self.head:
            return []
        first, following = self.head[0], self.blocks[1:2]
        followed = len(self.head) < len(self.blocks)
        name = is_org(first.text) and not (following and running(following[0].text) and not _addressee_line(following[0].text))
        plain = self._may_be_title(first) and first.text[-1] not in "；;" and len(first.text) <= 70
        if first.kind == "heading" or (followed and plain and not name and not mark(first.text)):
            return [first]
        return []

    # ------------------------------------------------------------ number, addressees

    def _number(self) -> str | None:
        if "document_number" in self.given:
            return self.given["document_number"][0]
        for found in self.head:
            raw = self.text[found.start : found.end]
            inside = _NUMBER.search(raw)
            own = is_number(found.text) or (inside and re.search(r"[（(]\s?$", raw[: inside.start()]) and inside.end() >= len(raw) - 2)
            match = inside or _YEAR_NUMBER.search(raw) or _DECREE.search(raw)
            if own and match:
                self._prove("document_number", found.start + match.start(), found.start + match.end())
                return re.sub(r"\s", "", match[0]).strip("（()）")
        return None

    def _addressees(self) -> tuple[str, ...]:
        for found in self.head:
            if _addressee_line(found.text):
                self._prove("addressees", found.start, found.end)
                return split_names(found.text.rstrip("：: "))
        return ()

    # ------------------------------------------------------------ issuers, dates

    def _issuers(self, title: str | None) -> tuple[str, ...]:
        signed = self._signed()
        titled = _title_issuers(title or "")
        if signed and not (titled and sum(map(len, titled)) > sum(len(n) for n, _ in signed)):
            self.proof["issuers"] = Span(signed[0][1].start, signed[-1][1].end)
            return tuple(dict.fromkeys(n for n, _ in signed))
        if titled:
            self.proof["issuers"] = self.proof["title"]
            return titled
        if "issuers" in self.given:
            return split_issuers(self.given["issuers"][0])
        for found in self.head[:4]:
            name = found.text.removesuffix("文件")
            if is_org(name) and len(name) >= 4:
                self._prove("issuers", found.start, found.end)
                return split_issuers(self.text[found.start : found.end].removesuffix("文件"))
        return self._enactor()

    def _signed(self) -> list[tuple[str, Block]]:
        out: list[tuple[str, Block]] = []
        pending = ""
        for found in self.signature:
            text = DATE.sub("", self.text[found.start : found.end]).strip()
            if not text or text[0] in "（(":
                continue
            if is_org(readable(pending + text)):
                out.extend((name, found) for name in split_issuers(pending + text))
                pending = ""
            elif title_fragment(text):
                pending += text
        return out

    def _enactor(self) -> tuple[str, ...]:
        """The congress that passed a law: its name without the number of its term and session."""
        for found in self.head:
            date = DATE.search(found.text)
            if date and _history(found.text) and (name := _ENACTOR.match(found.text, date.end())):
                self._prove("issuers", found.start, found.end)
                return (re.sub("第[一二三四五六七八九十]+[届次]|^中华人民共和国(?=国务院)", "", name[1]),)
        return ()

    def _issued(self) -> str | None:
        if "issued_on" in self.given:
            return self.given["issued_on"][0]
        candidates = self.signature or [b for b in self.head if is_date_line(b.text)]
        for found in candidates:
            if date := DATE.search(self.text, found.start, found.end):
                self._prove("issued_on", date.start(), date.end())
                return iso(date)
        dated = [(iso(d), d) for b in self.head if _history(b.text) and not b.text.endswith("施行")
                 for d in DATE.finditer(self.text, b.start, b.end)]
        dated = [(value, d) for value, d in dated if value]
        if not dated:
            return None
        value, date = max(dated, key=lambda pair: pair[0])
        self._prove("issued_on", date.start(), date.end())
        return value

    def _published(self, furniture: Sequence[Block]) -> str | None:
        if "published_on" in self.given:
            return self.given["published_on"][0]
        for found in (*self.head, *furniture):
            if match := _PUBLISHED.search(self.text, found.start, min(found.end, found.start + 200)):
                self._prove("published_on", found.start, found.end)
                date = DATE.search(match["date"])
                return iso(date) if date else None
        return None

    # ------------------------------------------------------------ subjects

    def _subjects(self, meta: Metadata) -> Metadata:
        opening = self._opening()
        named = years(meta.title or "") or years(opening) or tuple(int(d[:4]) for d in [meta.issued_on or meta.published_on] if d)
        feasts = festivals(meta.title or "") or festivals("；".join(s.path[-1] for s in self.sections if s.path)) or festivals(opening)
        where = "，".join([*meta.issuers, meta.title or "", *meta.addressees])
        byline = next((b.text[-24:] for b in self.blocks if "记者" in b.text[-24:]), "") if any(s.kind == "article" for s in self.sections) else ""
        kind = kind_of(meta.title) if meta.title else "报道" if byline else None
        if kind is None and re.search(r"通知如下|公告如下|通告如下", opening):
            kind = re.search(r"(通知|公告|通告)如下", opening)[1]  # type: ignore[index]
        where = places(where + "，" + byline)
        return replace(meta, kind=kind, years=named, festivals=feasts, places=where, proof=self.proof)

    def _opening(self) -> str:
        """The sentence of the introduction that says what the document is for, else its first sentence."""
        after = [b for b in self.blocks if not self.head or b.start > self.head[-1].start][:3]
        if any(s.kind == "article" for s in self.sections):
            return ""
        intro = [re.sub(r"[〔［\[(（]\s?\d{4}\s?[〕］\])）]", "", s) for b in after if not mark(b.text)
                 for s in (b.text[x.start : x.end] for x in sentences(b.text[:1500]))]
        purpose = [s for s in intro if _PURPOSE.search(s) and years(s)]
        named = [s for s in intro if years(s)]
        return (purpose or named or intro or [""])[0] + ("" if not intro else intro[-1])


# ---------------------------------------------------------------- lines of the head

def unglued(text: str) -> str:
    """A title line without the site's name or advertising that was glued to it."""
    found = _GLUED.search(text) or re.search(rf"({_TITLE_KIND}){_NUMBER.pattern}$", text)
    return text[: found.end(1)] if found else text


def _proper(text: str, start: int, end: int) -> tuple[int, int]:
    """The title within its lines: without a document number before or after it, the site's name or advertising."""
    raw = text[start:end]
    if lead := re.match(rf"{_NUMBER.pattern}\s*[-—:：]?\s*(?=\S{{6}})", raw):
        start += lead.end()
        raw = raw[lead.end() :]
    if found := _GLUED.search(raw):
        raw = raw[: found.end(1)]
    if found := re.search(rf"\s*[（(]?\s?{_NUMBER.pattern}\s?[)）]?$", raw):
        kept = raw[: found.start()]
        tail = re.search(rf"{_TITLE_KIND}$", re.sub(r"\s", "", raw[: found.end()]).partition("〔")[0])
        ends = [m.end() for m in re.finditer(_TITLE_KIND, raw) if m.end() <= found.end()]
        raw = kept if found[0].strip()[0] in "（(" or tail else raw[: max(ends, default=len(raw))]
    return start, start + len(raw.rstrip())


def is_number(text: str) -> bool:
    """Whether a line is a document number and nothing else."""
    bare = re.sub(r"\s", "", text)
    return any(p.fullmatch(bare) for p in (_NUMBER, _DECREE, _YEAR_NUMBER)) and len(bare) <= 45


def _history(text: str) -> bool:
    """Whether a line tells when a law was passed, published or amended."""
    return bool(_ENACTED.search(text) or text.endswith("施行") or re.search("会议|修改", text)) and bool(DATE.search(text[:40]))


def _addressee_line(text: str) -> bool:
    """Whether a line names those a document is sent to."""
    if not text.endswith(("：", ":")) or len(text) > 600 or re.search(r"[。！？]|如下[：:]$|^附", text) or mark(text):
        return False
    return bool(re.search(rf"各|有关|全体|全市|全省|(?:{ORG_END}|单位|部门|企业|同志|公民|居民)[)）]?[:：]$", text))


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
            together = current.startswith("各") and not re.search("[各全]|[省市县区州](?!场)", name)
            if whole and not together and (name.startswith(("各", "全")) or len(name) >= 4):
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
    pieces = [p for p in re.split(r"[\s、，,]+", text.strip()) if p]
    out: list[str] = []
    for piece in pieces:
        if out and not re.search(rf"{ORG_END}(?:[（(][^）)]*[）)])?$", out[-1]):
            out[-1] += piece
        else:
            out.append(piece)
    return tuple(out)


def _title_issuers(title: str) -> tuple[str, ...]:
    """The organisations before 关于/印发 in a title."""
    found = re.match(r"(.{2,80}?)(?:关于|印发|转发|批转)", title)
    if not found:
        return ()
    names = split_issuers(found[1])
    return names if all(is_org(n) for n in names) else ()


def title_fragment(text: str) -> bool:
    """Whether a line of a signature may be the first half of a broken name."""
    return len(text) <= 30 and not re.search("[，。：:；]", text)


def _joined_title(raw: str) -> str:
    """A title in one line; only the blank between two joint issuers stays."""
    pieces = raw.split()
    out = pieces[0]
    for piece in pieces[1:]:
        joint = is_org(out.rsplit(" ", 1)[-1]) and not piece.startswith(("关于", "印发", "转发", "令")) and "关于" in piece + raw.split(piece, 1)[-1]
        latin = out[-1].isascii() and piece[0].isascii()
        out += (" " if joint or latin else "") + piece
    return out
