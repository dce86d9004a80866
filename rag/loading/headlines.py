"""Lines at the head of a document: what is a title, a document number, a law's history, an addressee line."""

import re
from itertools import pairwise

from rag.loading.dates import DATE
from rag.loading.ending import ORG_END, is_org
from rag.loading.numbering import mark
from rag.loading.subjects import KINDS

_TITLE_KIND = "(?:" + "|".join(k for k in KINDS if k not in ("法", "令")) + ")"
TITLE_DONE = re.compile(rf"{_TITLE_KIND}(?:[（(][^（）()]{{0,30}}[)）])*$")
_GLUED = re.compile(rf"(?<=[\u4e00-\u9fff）)》”])({_TITLE_KIND}(?:[（(][^（）()]{{0,30}}[)）])?)\s*(?:[-_|｜—–－]|－－).{{0,60}}$")
NUMBER = re.compile(
    r"[\u4e00-\u9fffA-Za-z]{1,15}(?:[（(][\u4e00-\u9fff]{1,6}[)）][\u4e00-\u9fff]{0,6})?\s?"
    r"[〔［\[(（【]\s?(?:19|20)\d{2}\s?年?\s?[〕］\])）】]\s?(?:第\s?)?\d{1,5}\s?号")
DECREE = re.compile(r"(?:[\u4e00-\u9fff]{1,30}(?:令|公告|通告|决定))?\s*[（(]?第\s?[\d一二三四五六七八九十百〇零]{1,6}\s?号[)）]?")
NUMBERED_TITLE = re.compile(r"[\u4e00-\u9fff]{4,40}(?:令|公告|通告)\s?[（(]?(?:\d{4}年)?第\s?[\d一二三四五六七八九十百]{1,6}\s?号[)）]?")
DECREED = re.compile(
    r"\s*[经以由]?(?:中华人民共和国)?([\u4e00-\u9fff、]{2,40}(?:令|公告)\s?(?:[〔［\[(（]?\d{4}年?[〕］\])）]?)?第?\s?[\d一二三四五六七八九十百〇零]{1,6}\s?号)\s?(?:公布|发布|颁布|令)")
"""Behind a date, the number under which a law was published on that day: "国务院令第394号公布"."""
YEAR_NUMBER = re.compile(r"[\u4e00-\u9fff]{0,20}(?:公告|通告)?\s?(?:19|20)\d{2}年第\s?\d{1,4}\s?号")
SECRECY = re.compile(r"(?:密级[:：])?(绝密|机密|秘密)(?:★(?:长期|启用前|\d{1,3}[年个]?月?|[一二三四五六七八九十]{1,3}[年个]?月?)?)?")
URGENCY = re.compile(r"(?:紧急程度[:：])?(特提|特急|加急|平急|紧急)")
_SIGNER = re.compile(r"签发人[:：].{2,40}")
_COPY = re.compile(r"(?:份号[:：]?)?(?:№|No\.?)?\d{6,7}", re.I)
_PARTED = re.compile(r"\s*[_|]+\s*|\s+[-—–－｜]+\s+|(?<![\d—–－-])\s*[-–－—]\s*(?![\d—–－-])|(?<=网站)\s+|(?<=平台)\s+")
_SITE = re.compile(
    r"(?!关于).{0,16}(?:网站?|门户|平台|频道)|.{0,4}(?:公告|公示|文件|动态|要闻|公开|解读|新闻|新闻中心|专栏|资讯|正文|详情|首页)")
_ENACTED = re.compile(r"通过|批准|公布|修正|修订|发布")


def unglued(text: str) -> str:
    """A title line without the site's name or advertising that was glued to it."""
    found = _GLUED.search(text) or re.search(rf"({_TITLE_KIND}){NUMBER.pattern}$", text)
    return text[: found.end(1)] if found else text


def is_site(piece: str) -> bool:
    """Whether a piece of a page's title names the site or a column of it."""
    return bool(_SITE.fullmatch(piece)) or is_org(piece)


def without_site(title: str) -> str:
    """A page's title without the names of site and column before or behind it ("题目_部门文件_某市人民政府网")."""
    bounds = [(0, 0), *(m.span() for m in _PARTED.finditer(title)), (len(title), len(title))]
    pieces = [(a[1], b[0]) for a, b in pairwise(bounds) if b[0] > a[1]]
    while len(pieces) > 1 and is_site(title[slice(*pieces[-1])]):
        pieces.pop()
    while len(pieces) > 1 and is_site(title[slice(*pieces[0])]):
        pieces.pop(0)
    return title[pieces[0][0] : pieces[-1][1]] if pieces else ""


def proper(text: str, start: int, end: int) -> tuple[int, int]:
    """The title within its lines: without a document number before or after it, the site's name or advertising."""
    raw = text[start:end]
    if lead := re.match(r"[-—–~\s]+(?=[\u4e00-\u9fff《【])", raw):
        start += lead.end()
        raw = raw[lead.end() :]
    if lead := re.match(r"[\u4e00-\u9fff]{2,30}令\s?第\s?\d{1,4}\s?号\s*[-—–:：]+\s*(?=\S{6})", raw):
        start += lead.end()
        raw = raw[lead.end() :]
    if re.fullmatch(r"【[^【】]+】\s*", raw):
        start, raw = start + 1, raw.rstrip()[1:-1]
    if lead := re.match(rf"{NUMBER.pattern}\s*[-—:：]?\s*(?=\S{{6}})", raw):
        start += lead.end()
        raw = raw[lead.end() :]
    if found := _GLUED.search(raw):
        raw = raw[: found.end(1)]
    if found := re.search(rf"\s*[（(]?\s?{NUMBER.pattern}\s?[)）]?$", raw):
        kept = raw[: found.start()]
        tail = re.search(rf"{_TITLE_KIND}$", re.sub(r"\s", "", raw[: found.end()]).partition("〔")[0])
        ends = [m.end() for m in re.finditer(_TITLE_KIND, raw) if m.end() <= found.end()]
        raw = kept if found[0].strip()[0] in "（(" or tail else raw[: max(ends, default=len(raw))]
    return start, start + len(raw.rstrip())


def is_number(text: str) -> bool:
    """Whether a line is a document number and nothing else but the name of who signed the document."""
    bare = _SIGNER.sub("", re.sub(r"\s", "", text))
    return any(p.fullmatch(bare) for p in (NUMBER, DECREE, YEAR_NUMBER)) and len(bare) <= 45


def is_letterhead(text: str) -> bool:
    """Whether a line holds only what stands above a document's head: number of the copy, secrecy, urgency, signer."""
    bare = re.sub(r"\s", "", text)
    if not bare or len(bare) > 60:
        return False
    for pattern in (_SIGNER, _COPY, SECRECY, URGENCY):
        bare = pattern.sub("", bare, count=1)
    return not bare


def is_history(text: str) -> bool:
    """Whether a line tells when a law was passed, published or amended."""
    if not DATE.search(text[:40]):
        return False
    enacted = bool(_ENACTED.search(text)) or text.endswith("施行")
    return enacted or (bool(DATE.match(text)) and bool(re.search("会议|修改", text)) and not TITLE_DONE.search(text))


def is_addressees(text: str) -> bool:
    """Whether a line names those a document is sent to."""
    if not text.endswith(("：", ":")) or len(text) > 600 or re.search(r"[。！？]|如下[：:]$|^附", text) or mark(text):
        return False
    return bool(re.search(rf"各|有关|全体|全市|全省|(?:{ORG_END}|单位|部门|企业|同志|公民|居民|用户|市民|旅客|职工|员工|师生|家长|考生|业主|会员)[)）]?[:：]$"
                          r"|等\s?\d*[名位]?(?:同志)?(?:代表|委员)[:：]$|^[\u4e00-\u9fff]{2,4}(?:代表|委员|同志)[:：]$", text))
