"""What a page prints above and below a document, when all of it was copied as text: menus, paths, links, the site's owner."""

import re
from collections.abc import Sequence
from dataclasses import replace

from rag.loading.furniture import is_furniture
from rag.loading.headlines import TITLE_DONE
from rag.loading.layout import Line

_PATH = re.compile(r"位置(?:是)?\s*[:：]|首页\s*[>＞»]")
_MENU = re.compile(r"(?:网站|返回)?首页|网站(?:地图|导航)|设为首页|加入收藏|无障碍(?:阅读|浏览)?|长者(?:版|模式)|繁體(?:版|中文)?|登录|注册|(?:站内)?搜索|English|信息公开|政务公开|政务服务"
                   r"|办事服务|互动交流|政民互动|通知公告|新闻中心|机构(?:设置|概况)|学校概况|走进.{1,6}|联系我们|关于我们")
_FOOT = re.compile(r"打印|关闭|[上下]一[篇条页]|分享|版权所有|ICP备|网站标识码|扫一扫|相关(?:链接|阅读|文章|新闻)")
_FILE = re.compile(r"^附\s?件|\.(?:docx?|xlsx?|pdf|wps|et|ofd|zip|rar)\b", re.I)
_TOP, _SHORT, _LEAST = 60, 24, 4


def without_menus(found: Sequence[Line]) -> list[Line]:
    """The lines, with those of a menu above the document and of a page's foot below it as furniture."""
    above, below = _above(found), _below(found)
    return [replace(line, kind="furniture") if at < above or (at >= below and not _FILE.search(line.text)) else line for at, line in enumerate(found)]


def _above(found: Sequence[Line]) -> int:
    """How many lines at the top belong to the page: up to the path to the document, else a run of menu entries."""
    top = found[:_TOP]
    path = next((at for at, line in enumerate(top) if line.kind == "furniture" and _PATH.search(line.text)), -1)
    if path >= 0 and all(line.kind == "furniture" or _is_entry(line.text) for line in top[:path]):
        return path + 1
    run = next((at for at, line in enumerate(top) if line.kind != "furniture" and not _is_entry(line.text, 10)), len(top))
    menu = [at for at, line in enumerate(top[:run]) if _MENU.fullmatch(line.text)]
    return menu[-1] + 1 if run >= _LEAST and len(menu) >= _LEAST // 2 else 0


def _is_entry(text: str, longest: int = _SHORT) -> bool:
    return len(text) <= longest and not re.search("[。；：:]", text) and not TITLE_DONE.search(text)


def _below(found: Sequence[Line]) -> int:
    """Where the foot of the page begins: at a toolbar or a link behind the last sentence; the number of lines for none."""
    last = max((at for at, line in enumerate(found) if line.kind == "text" and re.search("[。；]", line.text)), default=-1)
    return next((at for at in range(last + 1, len(found)) if is_furniture(found[at].text) and _FOOT.search(found[at].text)), len(found)) if last >= 0 else len(found)
