"""What the pages say, in one place, in Chinese and in English.

Both languages go into the markup and the style sheet shows one of them, so that the switch is instant and works while an
answer streams. What stands in attributes carries its English beside it, and the script (static/base.js) exchanges them.
"""

import json
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from markupsafe import Markup

from ui.pages.escape import html


class Word(NamedTuple):
    """One phrase. Both may hold the same `{named}` parts."""

    zh: str
    en: str

    def filled(self, parts: Mapping[str, object]) -> "Word":
        """With its parts put in; without any, braces are themselves (a message may hold what somebody typed)."""
        return Word(self.zh.format(**parts), self.en.format(**parts)) if parts else self


def show(word: Word, **parts: object) -> Markup:
    """The phrase as element content."""
    zh, en = word.filled(parts)
    if zh == en:
        return html("{text}", text=zh)
    return html('<span class="wj-zh">{zh}</span><span class="wj-en" lang="en">{en}</span>', zh=zh, en=en)


def named(word: Word, attribute: str = "aria-label", **parts: object) -> Markup:
    """The phrase as an attribute: aria-label, title or placeholder."""
    assert attribute in ("aria-label", "title", "placeholder")
    zh, en = word.filled(parts)
    return html(attribute + '="{zh}" data-en-' + attribute + '="{en}"', zh=zh, en=en)


# ---------------------------------------------------------------- frame

TITLE = "文据 · 言必有据"
BRAND, MOTTO = Word("文据", "Wenju"), Word("言必有据", "Every word with its evidence")
SKIP = Word("跳到问题框", "Skip to the question")
PAGES = Word("页面", "Pages")
ASK, DOCUMENTS, EVALUATION = Word("问答", "Ask"), Word("文件", "Documents"), Word("评测", "Evaluation")
ADMIN = Word("管理", "Admin")
LANGUAGE, THEME = Word("Switch to English", "切换为中文"), Word("切换深色与浅色", "Switch between dark and light")
LEAVE = Word("退出", "Sign out")
WELCOME = Word("查公文，言必有据", "Answers from official documents, with evidence")
WELCOME_MORE = Word(
    "用平常的话提问。回答的每一句都来自已收录的文件，点句末的编号就能看到原文；没有依据的，文据不会作答。",
    "Ask in your own words. Every sentence comes from a document on file: press its number to read the original. "
    "Without evidence there is no answer.",
)
EXAMPLES = Word("可以这样问", "For example")

# ---------------------------------------------------------------- asking

ASK_LABEL = "问题"
ASK_PLACEHOLDER = "请输入问题，例如：消防安全大检查什么时候做？"
SEND, STOP = "提问", "停止"
NARROW = Word("筛选", "Filters")
ANY = Word("不限", "Any")
IN_FORCE = Word("只看现行有效", "Only in force")
CLEAR = Word("清除筛选", "Clear filters")

WORKING = Word("正在查找依据", "Looking for evidence")
STEPS = (
    (re.compile(r"理解问题"), "Question understood"),
    (re.compile(r"检索到 (\d+) 段"), r"\1 passages found"),
    (re.compile(r"核对 (\d+) 处引文"), r"\1 quotes checked"),
)
TOOK, TOOK_NO_TIME = Word("{seconds} 秒", "{seconds} s"), Word("不到 0.1 秒", "under 0.1 s")
STOPPED = Word("已停止。", "Stopped.")
STOPPED_HINT = Word("可以修改问题后重新提问。", "Change the question and ask again.")
AGAIN = Word("再问一次", "Ask again")
DONE = Word("回答完成，共 {count} 处引文。", "Answered with {count} quotes.")
NO_EVIDENCE = Word("没有找到依据", "No evidence found")
NO_EVIDENCE_HINT = Word(
    "可以换一种说法，写明年份、单位或文号；去掉下面的限定再问；也可以到“文件”里翻看。",
    "Put it another way, name the year, office or document number, lift a condition below, or browse the documents.",
)
LEADS = Word("内容最接近的文件，但没有直接说明所问的事", "The nearest documents, which do not say what was asked")
CLARIFY = Word("需要再问清楚一点", "One thing has to be clear first")
CLARIFY_HINT = Word("点一个，或在下面补充后再问。", "Choose one, or say more below.")
UNDERSTOOD = Word("按此理解", "Understood as")
LIFT = Word("去掉“{value}”再问一次", "Ask again without “{value}”")
LIFTED = Word("不限{zh}", "any {en}")
RESTORE = Word("恢复{kind}的限定再问一次", "Ask again with the {kind} as first understood")
FOLLOW = Word("接着可以问", "You may go on to ask")

COPY, COPY_MARKDOWN, WORD, PRINT = (
    Word("复制", "Copy"), Word("复制 Markdown", "Copy Markdown"), Word("下载 Word", "Download Word"), Word("打印", "Print"))
COPY_ABOUT = Word("复制回答与引文", "Copy the answer with its quotes")
GOOD, BAD, WRONG = Word("有帮助", "Helpful"), Word("没帮助", "Not helpful"), Word("引文有误", "Wrong quote")
TABLE = Word("对照表", "Comparison")

FILTERS = {
    "year": Word("年份", "year"), "festival": Word("节日", "festival"), "place": Word("地区", "place"),
    "issuer": Word("单位", "office"), "document_number": Word("文号", "number"), "title": Word("标题", "title"),
    "kind": Word("文种", "type"), "in_force": Word("效力", "validity"), "section": Word("章节", "section"),
}
LIFTABLE = frozenset(FILTERS) - {"section"}

# ---------------------------------------------------------------- history

HISTORY, NEW_TALK = Word("历史", "History"), Word("新对话", "New conversation")
FIND_TALK = Word("搜索历史", "Search history")
FORGET_ALL = Word("清空历史", "Delete all")
HISTORY_NOTE = Word("只保存在这台电脑的浏览器里。", "Kept in this browser only.")

# ---------------------------------------------------------------- sources and documents

SOURCE = Word("依据", "Evidence")
SOURCE_NONE = Word("点回答里的编号，原文会显示在这里。", "Press a number in the answer to read the original here.")
BACK_QUOTE, ON_QUOTE = Word("上一处", "Previous"), Word("下一处", "Next")
BACK_QUOTE_ABOUT, ON_QUOTE_ABOUT = Word("上一处依据", "Previous quote"), Word("下一处依据", "Next quote")
CLOSE = Word("关闭依据", "Close the evidence")
BACK_PART, ON_PART = Word("上一段", "Section before"), Word("下一段", "Section after")
TO_QUOTE = Word("回到引文", "Back to the quote")
WHOLE, ORIGINAL = Word("查看全文", "Full text"), Word("下载原文件", "Original file")
OPEN, OPEN_AT = Word("打开原文件", "Open the original"), Word("打开原文件（第 {page} 页）", "Open the original at page {page}")
PAGE = Word("第 {page} 页", "page {page}")
CITE = Word("依据{n}，打开原文", "Evidence {n}: open the original")
TEXT = Word("原文", "Original text")
GONE = Word("这份文件已被撤下，只能显示引文。", "This document has been withdrawn; only the quote is left.")
CHANGED = Word("这份文件已有变动，只能显示当时的引文。", "This document has changed since; the quote is shown as it was.")

FIND_DOCUMENT = Word("标题、单位、文号", "Title, office, number")
COUNT = Word("{count} 份文件", "{count} documents")
LOADING = Word("正在读取……", "Loading…")
LIST, READER = Word("文件列表", "List of documents"), Word("文件全文", "Document")
PICK = Word("从列表里选一份文件。", "Choose a document from the list.")
NO_DOCUMENTS = Word("还没有文件", "No documents yet")
NO_DOCUMENTS_HINT = Word("请管理员用 wenju index 加入文件。", "An administrator adds them with wenju index.")
BACK_TO_LIST = Word("返回列表", "Back to the list")
SECTIONS, ABOUT = Word("章节", "Sections"), Word("文件信息", "About this document")
PROVE = Word("看原文怎么写", "See where it says so")
FIELDS = {
    "title": Word("标题", "Title"), "document_number": Word("文号", "Number"), "issuers": Word("发文机关", "Issued by"),
    "issued_on": Word("成文日期", "Dated"), "published_on": Word("发布日期", "Published"),
    "addressees": Word("主送机关", "Addressed to"), "kind": Word("文种", "Type"),
    "period": Word("适用时间", "Concerns"), "secrecy": Word("密级", "Secrecy"), "urgency": Word("紧急程度", "Urgency"),
    "copied_to": Word("抄送", "Copied to"),
}
RELATIVES = Word("相关文件", "Related documents")
STATES = {
    "repeals": Word("它废止", "It repeals"), "amends": Word("它修改", "It amends"),
    "replies_to": Word("它答复", "It replies to"), "forwards": Word("它转发", "It forwards"),
}
STATED = {
    "repeals": Word("废止它的", "Repealed by"), "amends": Word("修改它的", "Amended by"),
    "replies_to": Word("答复它的", "Answered by"), "forwards": Word("转发它的", "Forwarded by"),
}
NAMESAKES, SERIES = Word("同文号或同标题", "Same number or title"), Word("历年的同一通知", "The same notice by year")
THIS = Word("本文件", "this one")
NOT_HERE = Word("未收录", "not on file")
MORE = Word("另有 {count} 份", "{count} more")
VALIDITY = Word("效力", "Validity")
STATUS = {
    "in_force": Word("现行有效", "In force"), "not_yet": Word("尚未施行", "Not yet in force"),
    "expired": Word("已过有效期", "Expired"), "superseded": Word("已被废止", "Repealed"),
}

# ---------------------------------------------------------------- what the script says

_SCRIPT = {
    "ask_label": Word(ASK_LABEL, "Question"),
    "ask_placeholder": Word(ASK_PLACEHOLDER, "Ask a question, in Chinese or English"),
    "ask_placeholder_short": Word("请输入问题", "Ask a question"),
    "send": Word(SEND, "Ask"), "stop": Word(STOP, "Stop"),
    "copied": Word("已复制", "Copied"), "copy_failed": Word("复制没有成功", "Copying failed"),
    "saved": Word("已下载", "Downloaded"),
    "offline": Word("连不上服务。请检查网络后重试。", "The service cannot be reached. Check the network and try again."),
    "feedback_offline": Word("连不上服务，反馈没有送出。", "The service cannot be reached; nothing was sent."),
    "thanks": Word("已收到，谢谢。", "Received, thank you."),
    "why": Word("哪里不对", "What is wrong"), "why_hint": Word("哪里不对？可以不填", "What is wrong? Optional"),
    "which": Word("有误的引文", "Wrong quotes"), "submit": Word("提交", "Send"), "cancel": Word("取消", "Cancel"),
    "today": Word("今天", "Today"), "yesterday": Word("昨天", "Yesterday"), "week": Word("最近七天", "Last 7 days"),
    "earlier": Word("更早", "Earlier"), "no_history": Word("还没有对话", "Nothing yet"),
    "not_found": Word("没有找到", "Nothing found"), "forget": Word("删除这段对话", "Delete this conversation"),
    "sure": Word("确定删除全部历史？", "Delete all conversations?"), "count": Word("{n} 份文件", "{n} documents"),
    "none_match": Word("没有符合的文件，请放宽筛选。", "No document fits. Widen the filters."),
    "source_at": Word("依据", "Evidence"), "busy": Word("请等这个回答完成，或先停止。", "Wait for this answer, or stop it first."),
}


def for_script(more: Mapping[str, Word] = MappingProxyType({})) -> str:
    """The script's phrases, and more of another page, as JSON: key → [Chinese, English]."""
    return json.dumps({key: list(word) for key, word in {**_SCRIPT, **more}.items()}, ensure_ascii=False)


def step(text: str) -> Word:
    """A step as the pipeline tells it, with its English."""
    for pattern, english in STEPS:
        if found := pattern.fullmatch(text):
            return Word(text, found.expand(english))
    return Word(text, text)
