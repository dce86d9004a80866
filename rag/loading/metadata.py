"""What a document says of itself, each field with the span that says so."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from rag.loading.blocks import Block
from rag.loading.dates import DATE, is_date_line, iso, years
from rag.loading.ending import is_org, is_person, signed_in_one
from rag.loading.headlines import (
    DECREE,
    DECREED,
    NUMBER,
    SECRECY,
    URGENCY,
    YEAR_NUMBER,
    is_addressees,
    is_history,
    is_letterhead,
    is_number,
    proper,
)
from rag.loading.names import joined_title, split_issuers, split_names, title_fragment, title_issuers
from rag.loading.numbering import mark
from rag.loading.subjects import festivals, kind_of, places
from rag.loading.titles import head_of, title_lines
from rag.schema import Metadata, Section, Span
from rag.text import readable, sentences

_PUBLISHED = re.compile(rf"(?:发[布表](?:日期|时间)?|发文日期|公开日期)\s*[:：]?[\s*]*(?P<date>{DATE.pattern})")
_ENACTOR = re.compile(
    r"[\s经由]*([\u4e00-\u9fff]{2,40}?(?:人民代表大会(?:常务委员会)?|委员会|人民法院|人民检察院|国务院|人民政府|总局|部|局|署)(?:办公厅)?)")
_SENT, _COPIED = (re.compile(rf"{way}\s?送(?:单位|机关)?[:：]\s*") for way in "主抄")
_MINISTRY = re.compile(r"(?:中华人民共和国)?([\u4e00-\u9fff、]{2,30}(?:[部委局署院会]|政府|总局))令第?")
_SAYS = re.compile("(通知|公告|通告|批复|答复|函复|通报|决定)如下")
_THUS = re.compile("特此(通知|公告|通告|通报|批复|函复|复函|公示|预告|证明)[。！]?$")
_REPLY = {"函复": "复函"}
_OLD = re.compile("同时废止|停止执行|不再执行")
_BAR = re.compile("来源|浏览|点击|阅读|字[号体]|打印|时间|日期")
_FAR_INSIDE = 15_000
"""Characters before and behind a signature that make it one document's of a collection."""
_NEAR_TOP, _BAR_WITHIN, _BACK = 15, 2000, 2
_LED = re.compile(r"[\u4e00-\u9fff]{2,30}令\s?第\s?\d{1,4}\s?号(?=\s*[-—–:：]+\s*\S{6})")
"""The number of a decree before the name of what it publishes, in one line."""
_DECREEING = re.compile("(?:令|公告|通告|决定)$")
_EFFECT = re.compile(r"\s*[起后]?\s*(?:正式)?(?:施行|实施|执行|生效)")
_PURPOSE = re.compile(r"现[就将]|通知如下|公告如下|通告如下|为(?:做好|切实|进一步|全面|认真|深入|贯彻|便于|加强)|期间")


def metadata(text: str, blocks: Sequence[Block], found: Sequence[Section], given: Mapping[str, tuple[str, Span]] | None = None) -> Metadata:
    """Metadata of a document.

    found: its sections (the signature is read from them). given: values the format itself states, which win.
    """
    reader = _Reader(text, [b for b in blocks if b.content], found, dict(given or {}))
    return reader.read([b for b in blocks if not b.content])


def _of_now(named: tuple[int, ...], issued: str | None) -> tuple[int, ...]:
    """The years that a document issued then may be about: not the one in which a building was built."""
    return tuple(year for year in named if not issued or year >= int(issued[:4]) - _BACK)


class _Reader:
    """Reads the head and the signature; collects proofs."""

    def __init__(self, text: str, blocks: list[Block], found: Sequence[Section], given: dict[str, tuple[str, Span]]) -> None:
        self.text, self.blocks, self.sections, self.given = text, blocks, found, given
        self.proof: dict[str, Span] = {name: span for name, (_, span) in given.items()}
        page = any(s.kind == "article" for s in found)
        self.byline = next((b.text[-24:] for b in blocks if "记者" in b.text[-24:]), "") if page else ""
        self.head = [] if page else head_of(self.blocks)
        signed = [s for s in found if s.kind == "signature"]
        inside = signed and min(signed[0].start, len(text) - signed[0].end) > _FAR_INSIDE
        signature = signed[0] if signed and not inside else None
        self.signature = [b for b in blocks if signature and signature.start <= b.start < signature.end]
        imprint = next((s for s in found if s.kind == "imprint"), None)
        self.imprint = [b for b in blocks if imprint and imprint.start <= b.start < imprint.end]

    def read(self, furniture: Sequence[Block]) -> Metadata:
        title = self._title()
        meta = Metadata(title=title, document_number=self._number(), addressees=self._addressees())
        issuers = self._issuers(title)
        meta = replace(
            meta, issuers=issuers, issued_on=self._issued(), published_on=self._published(furniture),
            secrecy=self._graded("secrecy", SECRECY), urgency=self._graded("urgency", URGENCY), copied_to=self._sent(_COPIED, "copied_to"),
        )
        return self._subjects(meta)

    def _prove(self, name: str, start: int, end: int) -> None:
        self.proof.setdefault(name, Span(start, end))

    # ------------------------------------------------------------ title

    def _title(self) -> str | None:
        if "title" in self.given:
            return self.given["title"][0]
        lines = title_lines(self.head, self.blocks)
        if not lines:
            return self._issued_text()
        start, end = self._decree(lines) or proper(self.text, lines[0].start, lines[-1].end)
        self._prove("title", start, end)
        return joined_title(self.text[start:end])

    def _issued_text(self) -> str | None:
        """The name of the one document that an untitled letter only issues, where it stands above that document."""
        attached = [s for s in self.sections if s.kind == "attachment" and s.parent < 0]
        first = next((b for b in self.blocks if attached and b.start == attached[0].start), None)
        if len(attached) != 1 or first is None or f"《{readable(first.text)}》" not in readable(self.text[: first.start]):
            return None
        self._prove("title", first.start, first.end)
        return joined_title(first.text)

    def _decree(self, lines: Sequence[Block]) -> tuple[int, int] | None:
        """Of a decree ("某某令 第3号") that only publishes another document, where that one's title stands."""
        if not lines[-1].text.endswith("令"):
            return None
        issued = next((b for s in self.sections if s.kind == "attachment" for b in self.blocks if b.start == s.start), None)
        return (issued.start, issued.end) if issued and f"《{issued.text}》" in readable(self.text[lines[-1].end : issued.start]) else None

    # ------------------------------------------------------------ number, addressees

    def _number(self) -> str | None:
        if "document_number" in self.given:
            return self.given["document_number"][0]
        for at, found in enumerate(self.head):
            raw = self.text[found.start : found.end]
            inside = NUMBER.search(raw)
            own = is_number(found.text) or _LED.match(raw) or (inside and re.search(r"[（(]\s?$", raw[: inside.start()]) and inside.end() >= len(raw) - 2)
            match = _LED.match(raw) or inside or YEAR_NUMBER.search(raw) or DECREE.search(raw)
            if own and match:
                start, end = found.start + match.start(), found.start + match.end()
                if match[0].lstrip("（( ").startswith("第") and at and _DECREEING.search(self.head[at - 1].text):
                    start = self.head[at - 1].start + len("中华人民共和国") * self.head[at - 1].text.startswith("中华人民共和国国务院")
                self._prove("document_number", start, end)
                written = re.sub(r"\s", "", self.text[start:end]).strip("（()）")
                return re.sub(r"[（(](?=第.{1,8}号$)", "", written)
        return self._decreed()

    def _decreed(self) -> str | None:
        """The number of the decree that first published a law, from the law's history."""
        for found in (b for b in self.head if is_history(b.text)):
            for date in DATE.finditer(self.text, found.start, found.end):
                if match := DECREED.match(self.text, date.end(), found.end):
                    self._prove("document_number", match.start(1), match.end(1))
                    return re.sub(r"\s", "", match[1])
        return None

    def _addressees(self) -> tuple[str, ...]:
        for found in self.head:
            if is_addressees(found.text):
                self._prove("addressees", found.start, found.end)
                return split_names(found.text.rstrip("：: ").removeprefix("尊敬的"))
        return self._sent(_SENT, "addressees")

    def _graded(self, name: str, grade: re.Pattern[str]) -> str | None:
        """The degree of secrecy or urgency, from the lines above the title."""
        for found in self.head:
            if is_letterhead(found.text) and (word := grade.search(self.text, found.start, found.end)):
                self._prove(name, word.start(), word.end())
                return re.sub(r"\s|^.*[:：]", "", word[0])
        return None

    def _sent(self, label: re.Pattern[str], name: str) -> tuple[str, ...]:
        """Those who are named behind a label at the end of the document."""
        for found in (*self.imprint, *self.signature):
            if label.match(found.text):
                self._prove(name, found.start, found.end)
                return split_names(label.sub("", found.text, count=1).rstrip("。 "))
        return ()

    # ------------------------------------------------------------ issuers, dates

    def _issuers(self, title: str | None) -> tuple[str, ...]:
        signed = self._signed()
        titled = title_issuers(title or "")
        if signed and not (titled and sum(map(len, titled)) > sum(len(n) for n, _ in signed)):
            self.proof["issuers"] = Span(signed[0][1].start, signed[-1][1].end)
            return tuple(dict.fromkeys(n for n, _ in signed))
        if titled:
            self.proof["issuers"] = self.proof["title"]
            return titled
        if "issuers" in self.given:
            return split_issuers(self.given["issuers"][0])
        for found in self.head[:6]:
            if signed_in_one(found.text) and (date := DATE.search(self.text, found.start, found.end)):
                self._prove("issuers", found.start, date.start())
                return split_issuers(self.text[found.start : date.start()])
        for found in self.head[:4]:
            name = re.sub("文件$|令$|^中华人民共和国(?=国务院)", "", found.text)
            if is_org(name) and (len(name) >= 4 or name == "国务院"):
                self._prove("issuers", found.start, found.end)
                return split_issuers(name if found.text.endswith("令") else self.text[found.start : found.end].removesuffix("文件"))
        return self._decreeing() or self._enactor()

    def _decreeing(self) -> tuple[str, ...]:
        """The ministry whose decree a document is, from the decree's number."""
        number = self.proof.get("document_number")
        found = _MINISTRY.match(re.sub(r"\s", "", self.text[number.start : number.end])) if number else None
        if not found or number is None:
            return ()
        self._prove("issuers", number.start, number.end)
        return (found[1],)

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
            if date and is_history(found.text) and (name := _ENACTOR.match(found.text, date.end())):
                self._prove("issuers", found.start, found.end)
                return (re.sub("第[一二三四五六七八九十]+[届次]|^中华人民共和国(?=国务院)", "", name[1]),)
        return ()

    def _issued(self) -> str | None:
        if "issued_on" in self.given:
            return self.given["issued_on"][0]
        candidates = self.signature or [b for b in self.head if is_date_line(b.text) or signed_in_one(b.text)]
        for found in candidates:
            if date := DATE.search(self.text, found.start, found.end):
                self._prove("issued_on", date.start(), date.end())
                return iso(date)
        if signed := self._signed_above():
            return signed
        dated = [(iso(d), d) for b in self.head if is_history(b.text) and not b.text.endswith("施行")
                 for d in DATE.finditer(self.text, b.start, b.end) if not _EFFECT.match(self.text, d.end())]
        dated = [(value, d) for value, d in dated if value]
        if not dated:
            return None
        value, date = max(dated, key=lambda pair: pair[0])
        self._prove("issued_on", date.start(), date.end())
        return value

    def _signed_above(self) -> str | None:
        """The day below the name of who signs a decree above the text it publishes."""
        for signer, found in pairwise(self.blocks[:_NEAR_TOP]):
            if is_date_line(found.text) and (is_person(signer.text) or is_org(signer.text)) and (date := DATE.search(self.text, found.start, found.end)):
                self._prove("issued_on", date.start(), date.end())
                return iso(date)
        return None

    def _published(self, furniture: Sequence[Block]) -> str | None:
        if "published_on" in self.given:
            return self.given["published_on"][0]
        for found in (*self.head, *furniture):
            if match := _PUBLISHED.search(self.text, found.start, min(found.end, found.start + 200)):
                self._prove("published_on", found.start, found.end)
                date = DATE.search(match["date"])
                return iso(date) if date else None
        bar = next((b for b in furniture if b.start < _BAR_WITHIN and _BAR.search(b.text) and DATE.search(b.text)), None)
        if bar is None or (date := DATE.search(self.text, bar.start, bar.end)) is None:
            return None
        self._prove("published_on", bar.start, bar.end)
        return iso(date)

    # ------------------------------------------------------------ subjects

    def _subjects(self, meta: Metadata) -> Metadata:
        title, issued = meta.title or "", meta.issued_on or meta.published_on
        opening = self._opening(official=bool(issued or meta.issuers or meta.document_number or meta.addressees))
        headings = "；".join(s.path[-1] for s in self.sections if s.path)
        return replace(
            meta,
            kind=kind_of(title) if title else self._untitled_kind(opening),
            years=years(title) or _of_now(years(opening), issued) or ((int(issued[:4]),) if issued else ()),
            festivals=festivals(title) or festivals(headings) or festivals(opening),
            places=places("，".join([*meta.issuers, title, *meta.addressees, re.sub("日报|晚报", "，", self.byline)])),
            proof=self.proof,
        )

    def _untitled_kind(self, opening: str) -> str | None:
        if self.byline:
            return "报道"
        top = "\n".join(b.text for b in self.blocks[:6])
        found = _SAYS.search(opening) or _SAYS.search(top) or next((m for b in self.blocks[-12:] if (m := _THUS.match(b.text))), None)
        return _REPLY.get(found[1], found[1]) if found else None

    def _opening(self, official: bool) -> str:
        """The sentence of the introduction that says what the document is for, else, in a document of an office,
        the first that names a year: an article's first year is that of a birth or a founding."""
        after = [b for b in self.blocks if not self.head or b.start > self.head[-1].start][:3]
        if any(s.kind == "article" for s in self.sections):
            return ""
        intro = [re.sub(r"[〔［\[(（]\s?\d{4}\s?[〕］\])）]", "", s) for b in after if not mark(b.text)
                 for s in (b.text[x.start : x.end] for x in sentences(b.text[:1500])) if not _OLD.search(s)]
        purpose = [s for s in intro if _PURPOSE.search(s) and years(s)]
        named = [s for s in intro if years(s)]
        if not official:
            return (purpose or [""])[0]
        return (purpose or named or intro or [""])[0] + ("" if not intro else intro[-1])
