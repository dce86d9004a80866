"""Page furniture: what a web page or a newspaper prints around a document."""

import re

_TOKEN = re.compile(
    r"打印本?页?|关闭(?:本?窗口|本页)?|分享(?:到|至)?|收藏(?:本页)?|返回(?:顶部|首页|上一页|列表)?|上一[篇页]|下一[篇页]|"
    r"浏览(?:次数|量)?|点击(?:数|率|量)?|阅读(?:次数|量)?|访问(?:次数|量)?|字[号体](?:大小)?|扫一扫.{0,14}|微信|微博|QQ(?:空间)?|"
    r"保存|下载(?:本页)?|纠错|朗读|无障碍|繁体|简体|大|中|小|次|作者|发布(?:日期|时间|人|机构)?|更新(?:日期|时间)|时间|日期|"
    r"(?:信息)?来源|稿件来源|编辑|责任编辑|责编|审核|信息审核|网络编辑|错误类型|清除(?:所有|选中的)标记|无错字|首页|"
    r"\d{2,4}[-年/.]\d{1,2}[-月/.]\d{1,2}日?(?:\s*\d{1,2}:\d{2}(?::\d{2})?)?|\d+"
)
_FILLER = re.compile(r"[\s\W_]+")
_WHOLE = re.compile(
    r"[（(\[【]?\s*(?:下|上|紧)[转接](?:第)?\s*[A-Z]?\s*[\d一二三四五六七八九十]{0,3}\s*版.{0,12}"
    r"|[\[（(【]?\s*(?:责任编辑|责编|网络编辑|信息审核|值班编辑|编辑|审核|校对|监制)\s*[:：]\s*[\u4e00-\u9fff ]{2,12}[\]）)】]?"
    r"|(?:您?(?:当前|现在)?的?位置|您现在的位置|当前位置)(?:是)?\s*[:：].*"
    r"|(?:版权所有|主办(?:单位)?|承办(?:单位)?|技术支持|网站标识码|网站地图).{0,80}"
    r"|.{0,20}(?:ICP备|公网安备).{0,60}"
    r"|=*\s*PAGE \d+\s*=*|第\s?\d+\s?页(?:\s?[,，/]?\s?共\s?\d+\s?页)?|[-—－]{1,2}\s?\d{1,4}\s?[-—－]{1,2}|[-=_*—~·.\s|]{3,}"
    r"|<!--.*-->"
)
_STRONG = re.compile(r"打印|关闭|分享|浏览|点击|阅读|访问|扫一扫|字[号体]|标记|上一篇|下一篇|返回|纠错|发布(?:日期|时间)|编辑|审核")
_LONGEST = 120


def is_furniture(line: str) -> bool:
    """Whether a whole line belongs to the page and not to the document."""
    line = line.strip()
    if len(line) > _LONGEST or not line:
        return False
    if _WHOLE.fullmatch(line):
        return True
    return bool(_STRONG.search(line)) and not _FILLER.sub("", _TOKEN.sub("", line))
