"""html: the document in a saved page. Navigation, toolbars and footers stay out, the header table comes in."""

import re
from collections.abc import Sequence

from rag.errors import DocumentError
from rag.loading.content import Building, Content
from rag.loading.dates import DATE, iso
from rag.loading.decode import decode
from rag.loading.furniture import is_furniture
from rag.loading.headlines import TITLE_DONE, is_number, is_site, unglued, without_site
from rag.loading.page import Page, PageLine, read_page
from rag.loading.stated import KEYS
from rag.schema import Span
from rag.text import compact

_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?([\w-]{3,20})""", re.I)
_NESTING = re.compile(r"<(/?)(?:div|section|article|main|table|ul|ol|dl|blockquote|center|fieldset|form|header|aside)\b", re.I)
_DEEPEST = 3000
_KEY = re.compile(r"\s*(标\s*题|文\s*号|(?:[\u4e00-\u9fff]\s?){2,8})\s*[:：]\s*(.*)", re.S)
_TABLE_KEYS = re.compile(r"索引号|主题分类|服务对象|主题词|分类|有效性|关键词|文件状态|时效|体裁|来源|失效日期|实施日期|信息时效期|废止")
_MENU = 0.6
_BAR = re.compile(r"\s*[【\[(（]?(?:浏览|点击|阅读|访问|字[号体]|来源|作者|编辑)")
"""Where the next entry of an information bar begins."""
_TAGS = {"published_on": ("发布日期", ("pubdate", "publishdate", "article:published_time")), "source": ("来源", ("contentsource",))}


def read_html(data: bytes, name: str) -> Content:
    """The document in a page, with the metadata that the page states.

    The text is one line for each block: title, header table as "名称：值", body, table rows, files to download.
    """
    declared = _CHARSET.search(data[:4096])
    html = decode(data, name, declared[1].decode("ascii") if declared else None)
    if _depth(html) > _DEEPEST:
        raise DocumentError(f"“{name}”的网页标签嵌套过深，不像正常网页。", "请在浏览器中打开，复制正文另存为文本。")
    page = read_page(html)
    first, last = page.content()
    if not page.lines:
        raise DocumentError(f"“{name}”里没有正文。", "网页内容可能由脚本生成，请在浏览器中打开后另存为完整网页，或复制成文本。")
    built = Building()
    stated = _stated(page, first)
    body = _body(page.lines[first:last], stated)
    title = _title(page, first, stated, body)
    _head(built, page, title, stated, body)
    _add_body(built, body, title)
    return built.content(built.joined(None))


def _depth(html: str) -> int:
    """How deep elements that must be closed are nested; parsing time grows with its square."""
    depth = deepest = 0
    for tag in _NESTING.finditer(html):
        depth = max(depth - 1, 0) if tag[1] else depth + 1
        deepest = max(deepest, depth)
    return deepest


# ---------------------------------------------------------------- header

def _stated(page: Page, first: int) -> dict[str, str]:
    """The header table and information bar: label → value, as the page prints them, from before and within the content."""
    out: dict[str, str] = {}
    for line in page.lines[: first + 12]:
        if len(line.text) > 400:
            continue
        for part in re.split(r"；|　| {1,}(?=(?:[\u4e00-\u9fff]\s?){2,6}[:：])", line.text):
            found = _KEY.fullmatch(part)
            if not found or not (value := found[2].strip()):
                continue
            label = re.sub(r"\s", "", found[1])
            value = _BAR.split(value)[0].strip() if KEYS["published_on"].fullmatch(label) else value
            if _TABLE_KEYS.search(label) or any(rule.fullmatch(label) for rule in KEYS.values()):
                out.setdefault(label, value)
    return out


def _title(page: Page, first: int, stated: dict[str, str], body: Sequence[PageLine]) -> str | None:
    """The title the page states, best source first; None leaves it to the text itself."""
    site = compact(page.named.get("sitename", ""))
    listed = next((v for k, v in stated.items() if KEYS["title"].fullmatch(k)), None)
    tags = [page.named.get("articletitle", ""), unglued(page.title)]
    heads = [line.text for line in page.lines if line.level == 1 and not re.search(r"位置\s*[:：]", line.text)]
    proper = [h for h in heads if any(compact(h) in compact(t) for t in tags if t)]
    lower = [line.text for line in body[:4] if line.level > 1 and TITLE_DONE.search(line.text)][:1]
    for found in (listed, *tags[:1], *proper, *heads[-1:], *lower, page.title):
        found = without_site(re.sub(r"^[（(【\[](?:转载|转发|转)[)）】\]]\s*", "", found or "").strip())
        if found and compact(found) != site and len(found) <= 200 and not is_site(found):
            return found
    return None


def _head(built: Building, page: Page, title: str | None, stated: dict[str, str], body: Sequence[PageLine]) -> None:
    if title:
        start = built.add(title, "heading", 1)
        built.given["title"] = (title, Span(start, start + len(title)))
    for label, value in stated.items():
        name = next((n for n, rule in KEYS.items() if rule.fullmatch(label)), None)
        if name == "title":
            continue
        start = built.add(f"{label}：{value}", "row") + len(label) + 1
        _give(built, name, value, start)
    if "published_on" not in built.given:
        for tag in _TAGS["published_on"][1]:
            if value := page.named.get(tag):
                start = built.add(f"发布日期：{value}", "row") + 5
                _give(built, "published_on", value, start)
                break
    source = page.named.get("contentsource", "")
    if source and not any("来源" in label for label in stated) and not re.fullmatch(r"本[网站]", source):
        built.add(f"来源：{source}", "row")


def _give(built: Building, name: str | None, value: str, start: int) -> None:
    if name is None or name in built.given:
        return
    if name in ("issued_on", "published_on"):
        date = DATE.search(value)
        if not date or not (day := iso(date)):
            return
        built.given[name] = (day, Span(start + date.start(), start + date.end()))
    elif name != "document_number" or is_number(value):
        built.given[name] = (re.sub(r"\s", "", value) if name == "document_number" else value, Span(start, start + len(value)))


# ---------------------------------------------------------------- body

def _body(lines: Sequence[PageLine], stated: dict[str, str]) -> list[PageLine]:
    """The content's lines without toolbars, menus and what the header already says."""
    said = {compact(f"{k}{v}") for k, v in stated.items()}
    out: list[PageLine] = []
    for at, line in enumerate(lines):
        if is_furniture(line.text) or (at < 14 and re.sub(r"[\s:：；　]", "", line.text) in {re.sub("[：:；]", "", s) for s in said}):
            continue
        if at < 14 and _all_stated(line.text, stated):
            continue
        menu = line.linked >= _MENU * len(line.text) and not line.file and not line.row and len(line.text) < 60
        neighbours = [n for n in lines[max(at - 1, 0) : at + 2] if n is not line]
        if menu and any(n.linked >= _MENU * len(n.text) and not n.file for n in neighbours):
            continue
        out.append(line)
    return out


def _all_stated(text: str, stated: dict[str, str]) -> bool:
    """Whether a line only repeats entries of the header table."""
    rest, labels = text, 0
    for label, value in stated.items():
        rest = rest.replace(value, "", 1)
        rest, found = re.subn(r"\s?".join(map(re.escape, label)) + r"\s*[:：]", "", rest, count=1)
        labels += found
    return labels > 0 and (not re.sub(r"[\s；;　]", "", rest) or is_furniture(rest))


def _add_body(built: Building, body: Sequence[PageLine], title: str | None) -> None:
    again = _repeats(body, title) if title else range(0)
    for at, line in enumerate(body):
        if at in again:
            continue
        if line.row or (line.file and not line.text.startswith("附")):
            built.add(line.text, "row")
        else:
            built.add(line.text, "heading" if line.level else "text", line.level + 1 if line.level else 0)


def _repeats(body: Sequence[PageLine], title: str) -> range:
    """The lines at the top that only repeat the title (over several lines perhaps)."""
    wanted = re.sub(r"\W", "", title)
    for begin in range(min(4, len(body))):
        got = ""
        for at in range(begin, min(begin + 6, len(body))):
            got += re.sub(r"\W", "", body[at].text)
            if got == wanted:
                return range(begin, at + 1)
            if not wanted.startswith(got):
                break
    return range(0)
