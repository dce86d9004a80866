"""Understanding a question: its comparison form, its slots, and the kind of answer it wants. Rules only.

A *slot* is something the question fixes and an answer must respect: a year, a festival, a place,
an office, a 文号, a title in 《》, a section number. What is recognised here is shown to the user
(`Interpreted`), so rules stay few and explainable.
"""

import datetime as dt
import re
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal

from rag.errors import QuestionError
from rag.glossary import offices as offices_in_english
from rag.places import contains, find_places, latin_mentions
from rag.schema import Interpreted
from rag.text import HAN, NUMERAL, compact, number, readable, simplified
from rag.vocabulary import ABBREVIATIONS, SYNONYMS

Form = Literal["general", "list", "yesno", "number", "who", "when", "where", "phone", "definition",
               "metadata", "collection", "compare"]

# One entry for each festival: the name Wenju uses, then what people write.
FESTIVALS: dict[str, tuple[str, ...]] = {
    "元旦": ("元旦", "阳历新年", "New Year's Day"),
    "春节": ("春节", "过年", "新春", "大年", "农历新年", "年关", "Spring Festival", "Chinese New Year", "Lunar New Year"),
    "元宵节": ("元宵", "Lantern Festival"),
    "清明节": ("清明", "Qingming", "Tomb-Sweeping", "Tomb Sweeping"),
    "劳动节": ("劳动节", "五一", "5.1", "“五一”", "Labour Day", "Labor Day", "May Day"),
    "端午节": ("端午", "Dragon Boat"),
    "中秋节": ("中秋", "Mid-Autumn"),
    "国庆节": ("国庆", "十一", "“十一”", "National Day"),
    "重阳节": ("重阳", "Double Ninth"),
}
# 五一/十一 are also parts of other numbers and names (五一路, 十一条, 第十一).
_BY_ITS_DAY = {name: rf"(?<![{NUMERAL}第])“?{day}”?(?![{NUMERAL}条项章个点届号路广场月])" for name, day in (("劳动节", "五一"), ("国庆节", "十一"))}
FESTIVAL_WORD = {
    name: re.compile("|".join(_BY_ITS_DAY[name] if w in ("五一", "十一") else re.escape(w) for w in forms), re.I)
    for name, forms in FESTIVALS.items()
}

_YEAR = re.compile(r"(?<!\d)((?:19|20)\d{2})(?=\s*(?:年(?!代)|元旦|春节|-|—|至|到|、|和|与|以?[前后]|\b))")
_MONTH = re.compile(r"(?<!\d)(?:19|20)\d{2}年\d{1,2}月")
_TARGET = re.compile(r"(?<=[到至止于])(?:19|20)\d{2}年|(?:19|20)\d{2}年(?=底|末|[之以]?前)")
_HAN_YEAR = re.compile(r"([一二]\s?[九〇零○][〇零○一二三四五六七八九]{2})年")
_SHORT_YEAR = re.compile(r"(?<!\d)(\d{2})年(?=元旦|春节|的|端午|国庆|中秋|清明|劳动)")
_RELATIVE = (("大前年", -3), ("前年", -2), ("去年", -1), ("上一年", -1), ("今年", 0), ("本年度", 0), ("本年", 0),
             ("明年", 1), ("后年", 2), ("last year", -1), ("this year", 0), ("next year", 1))
_TITLE = re.compile(r"《([^《》]{2,80}?)(?<!证)(?<!证明)(?<!执照)(?<![卡码表])(?<![^清名]单)(?<![诺请意]书)》")
"""Not what people carry or fill in (《通行证》, 《登记表》): documents speak of those."""
# A law named without its brackets at the head of a question: 公路法第三十一条, 食品安全法规定的….
_LAW_NAMED = re.compile(
    rf"^(?:请问|根据|依据|依照|按照|[，,\s])*((?![这那该本此])[{HAN}]{{1,18}}?(?:法典|(?<![依违合办方做说看想执司立守用书手语无没设非算疗普])法|(?<=[{HAN}]{{3}})条例))"
    rf"(?=第\s*[{NUMERAL}\d]+\s*条|的?规定|里|中|对|关于|怎么|如何)")
NUMBER_OF = re.compile(rf"[{HAN}]{{1,12}}[〔\[［(（【](\d{{4}})[〕\]］)）】]\s*(?:第\s*)?\d{{1,5}}\s*号")
_LABEL = re.compile(rf"第\s*([{NUMERAL}\d]{{1,7}})\s*(编|章|节|条|款|项|部分|点|个方面)")
_OFFICE = re.compile(r"(?:人民政府办公厅|人民政府办公室|市委办公厅|省委办公厅|委员会|办公厅|办公室|人民政府|检察院|法院|总工会|团委|妇联|[^\W\d_和与及在的对从到向把让是有中上]{2,8}?(?:委员会|局|厅|委(?!员|托|派)|(?<!指挥)部(?!门|分|署|队)|署))")
_APART = 3
"""Characters between a place and its office in English: "Lanzhou's Civil Affairs Bureau"."""
_ISSUED = re.compile(r"印发|发布|发的|发出|发文|出台|下发|成文|签发|落款|issued|published", re.I)

# Markup, addresses and code say nothing about a document; what is left is the question.
_CODE = re.compile(r"""
    !?\[[^\]\n]*\]\([^)\n]*\) | <[^<>\n]{1,200}> | https?://[^\s，。？]+ | \{[^{}\n]*\}
    | \b[A-Za-z_][\w.]*\(["'][^()\n]*\)[\w.()]* | \b\w+=(?:"[^"\n]*"|'[^'\n]*')
    | \b[A-Za-z0-9+/]{16,}={0,2}(?![A-Za-z ]) | [{}<>|\\`;] | --+ | //+""", re.X)
_ORDERS = re.compile(r"请|你|直接|只|照|输出|打印|显示|执行|运行|解码|编码|脚本|代码|图片|图|一张|一段|一个|链接|表格|html|base64|json|print|output|drop|table|select|(?:ignore|forget|disregard)[^.?]*(?:instruction|rule|prompt)s?|(?:reveal|show|repeat)[^.?]*prompt|answer only with|(?:please|only|just|answer|reply|respond|with|your|and|the|in|me|say|hello|you are now|status|hacked)(?![a-z])|回答|回复|用|并|每格|加上|答案|所有")
_OLD = re.compile(r"废止|失效|过期|作废|到期|有效期|还有效|旧的?(?:办法|规定|政策|版|文件)|原(?:来|先)?的?(?:办法|规定|政策|文件)|以前|曾经|当时")

_FORMS: tuple[tuple[Form, re.Pattern[str]], ...] = tuple((form, re.compile(rule, re.I)) for form, rule in (
    ("collection", r"(哪些|哪几[份个]|几[份个篇]|多少[份个篇]|有没有|所有|列出|which)[^，。？]{0,8}(文件|通知|公文|文章|材料|单位发|地方发|documents?|notices?)"
                   r"|(共|总共|一共)[^，。]{0,6}几[份篇]|(how many|list) (documents|notices)"),
    ("compare", r"(有什么|有何|有哪些|有啥)?(不同|区别|差异|异同|对比|比较)|分别(是|有|怎么|如何|要求)|各自|compare|difference"),
    ("metadata", r"(根据|依据|按照)(的是|了)?(哪|什么)[^，。？]{0,6}(文件|通知|发|印|制)|(发文|制定|制发|印发)(的)?依据|文号|发文(字号|机关|单位)|(谁|哪(?:个|些|[两三几]个?)?(单位|部门|机关)|什么(单位|部门|机关))[^，。]{0,6}(发|印发|下发|出台|发布|制定)的?"
                 r"|(什么时候|何时|哪天|哪一天|几月几[日号]|日期|时间)[^，。]{0,4}(发|印发|下发|出台|发布|成文)的|(什么时候|何时|哪天|哪一天)[^，。]{0,2}(批复|答复)|成文日期|发布日期|落款"
                 r"|主送|发给(谁|哪些)|(这份|该|此)?(文件|通知)的?(标题|题目|全称)|\d号是(什么|哪个|哪份|一份什么)(文件|通知|文)?[？?]?$|(几|多少)号(文|令)|(文件|通知|办法|规定|规划|方案|意见|条例|公告)是(哪一?年|什么时候|何时)的|(who|when|what date)[^.?]*\bissue|document number"),
    ("phone", r"(电话|号码|热线|手机|专线)[^，。？]{0,4}?(是|为)?(多少|(?<!为)什么|几号?|哪个|呢|吗|[？?。]|$)|打(哪个|什么|几|多少)|怎么联系|如何联系|联系谁|phone|telephone|hotline"),
    ("definition", r"(是指|指的?是?)(什么|哪)|什么(是|叫)|(是|指)什么意思|含义|是哪[几些两三四五六七八九十]|指哪|what does .* mean|what (are|is) the [\"“']"),
    ("yesno", r"吗[？?]?\s*$|能不能|可不可以|可否|是否|能否|要不要|需不需要|有无|允不允许|^(is|are|can|may|must|should|do|does|did)\b"),
    ("number", r"多少|(?!(?<=哪)几[天日])(?<![\d十百千万好])几(个|名|(?<!哪几)位|人|次|天|日|家|场|万|项|桌|条|所|小时|公里|部|张|户|套|年|岁|成|元|度|级|档|层)|多[大长久高远快](?!家)|比例|how (many|much|long|often)"),
    ("when", r"什么时候|何时|哪几?天|哪些天|哪几?日|哪一天|几[号点月]|哪[年月日]|时间|期限|截止|多久|^(?:by |from |until |since )?when\b|\bwhen (?:is|are|was|were|do|does|did|will|should|must|can)\b|what (time|date|day)"),
    ("who", r"谁|哪些人|什么人|哪位|何人|由哪|哪个(部门|单位|科室)|\bwho(m|se)?\b"),
    ("where", r"哪里|在哪|哪儿|何处|什么地方|地址|\bwhere\b"),
    ("list", r"哪些|哪几|什么(要求|措施|规定|内容|任务|安排|举措|工作|政策|办法|原则|方面|事项|重点|条件|材料|资料|证件|手续|流程|程序|步骤|情形)"
             r"|(条件|材料|资料|手续|流程|程序|步骤|渠道|对象|范围|情形|职责)(都|分别)?(是|有|包括)?(什么|啥|怎样|怎么样)|有何|如何|怎么|怎样|要求是|措施|内容|列出|what .*(measures|requirements|rules)|\blist\b"),
))


@dataclass(frozen=True, slots=True)
class Query:
    """A question, understood. `text` is the standalone question in simplified characters."""

    text: str
    form: Form = "general"
    language: Literal["zh", "other"] = "zh"
    years: tuple[int, ...] = ()
    months: tuple[str, ...] = ()
    """Months of the question with their year ("1996年2月") and years to be reached ("到2025年"): a text that names one speaks
    of it, whatever it is about."""
    about_issue: bool = False
    """The year is that of issue ("2022年印发的"), not that of the matter."""
    festivals: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    offices: tuple[str, ...] = ()
    """Offices named with their place, or by a bare name such as 教育局."""
    numbers: tuple[str, ...] = ()
    """文号, white space removed, brackets as 〔〕."""
    titles: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    """Kinds of document (通知, 办法); only a person's filter sets them."""
    in_force_on: str = ""
    """ISO day on which the documents must not be known to be out of force; only a person's filter sets it."""
    labels: tuple[tuple[int, str], ...] = ()
    """Sections asked for: (7, "条"), (3, "部分")."""
    assumptions: tuple[str, ...] = ()
    completed: tuple[str, ...] = ()
    """The question with the topic of the one before it, in more than one way, where it says so little (要收费吗？) that it may
    lean on it."""
    within: str = ""
    """Id of the one document that is asked, because the question leans on the answer before it."""
    listed: tuple[str, ...] | None = None
    """Path of the section whose items the answer before it listed: "第二条" is the second of them."""

    def written_out(self) -> "Query | None":
        """The question with its abbreviations as documents write them out, or the other way round, and festivals called by their
        day (五一) by their names; None without any."""
        text = self.text
        for short, full in ABBREVIATIONS:
            text = text.replace(full, short) if full in text else text.replace(short, full)
        for festival in self.festivals:
            text = re.sub(_BY_ITS_DAY.get(festival, "$^"), festival, text)
        return replace(self, text=text) if text != self.text else None

    @property
    def orders(self) -> bool:
        """Whether nothing is asked: what is left besides code are words that tell a program what to do."""
        return not any(c.isalnum() for c in _ORDERS.sub("", self.text.lower()))

    @property
    def asks_for_old(self) -> bool:
        """Whether documents no longer in force may answer: one is named, or a year, or the question says so."""
        named = self.numbers or self.titles or self.within or self.years
        return bool(named) or self.form in ("metadata", "collection") or bool(_OLD.search(self.text))

    @property
    def asks_for_edition(self) -> bool:
        """Whether an earlier edition of a document may be meant: a number, a year or a word of the past says so."""
        return bool(self.numbers or self.within or self.years or _OLD.search(self.text))

    def interpreted(self) -> Interpreted:
        """What is shown to the user."""
        shown = {
            "year": "、".join(map(str, self.years)), "festival": "、".join(self.festivals), "place": "、".join(self.places),
            "issuer": "、".join(self.offices), "document_number": "、".join(self.numbers), "title": "、".join(self.titles),
            "kind": "、".join(self.kinds), "in_force": "现行有效" if self.in_force_on else "",
            "section": "、".join(f"第{n}{unit}" for n, unit in self.labels),
        }
        return Interpreted(self.text, {k: v for k, v in shown.items() if v}, self.assumptions)


def understand(question: str, today: dt.date | None = None, longest: int = 2000) -> Query:
    """The question with its slots, as it stands by itself: see `rag.conversation` for one that does not.

    today: what relative years count from. Raises QuestionError when the question is empty, a single character or longer than `longest` characters.
    """
    text = _checked(question, longest)
    bare = _CODE.sub(" ", text).strip()
    text, assumptions = _grounded(bare if sum(map(str.isalnum, bare)) > 1 else "？", today or dt.date.today())
    return _slots(text, tuple(assumptions))


def _checked(question: str, longest: int) -> str:
    bare = compact(question)
    if not bare:
        raise QuestionError("问题是空的。", "请输入想问的事，例如：春节期间值班要求是什么？")
    if len(question) > longest:
        raise QuestionError(f"问题太长（{len(question)} 字，最多 {longest} 字）。", "请把问题缩短到一两句话；要检索的材料请放进文件里。")
    if sum(c.isalnum() for c in bare) < 2:
        raise QuestionError("问题太短，看不出想问什么。", "请写成一句完整的话，例如：值班室电话是多少？")
    text = "".join(c for c in question if c.isprintable() or c.isspace())
    return simplified(readable(text.strip()))


def _grounded(text: str, today: dt.date) -> tuple[str, list[str]]:
    """Relative years written out, each with the assumption made."""
    notes = []
    for word, shift in _RELATIVE:
        if word in text.lower():
            year = today.year + shift
            text = re.sub(re.escape(word), f"{year}年" if word[0] > "z" else str(year), text, flags=re.I)
            notes.append(f"“{word}”按{year}年理解")
            break
    return text, notes


def _slots(text: str, assumptions: tuple[str, ...]) -> Query:
    plain = text
    for said, official in SYNONYMS:
        plain = plain.replace(said, official)
    titles = tuple(_TITLE.findall(plain) or _LAW_NAMED.findall(plain))
    numbers = tuple(_bracketed(compact(m.group())) for m in NUMBER_OF.finditer(plain))
    outside = NUMBER_OF.sub("", _TITLE.sub("", plain))
    years = [int(y) for y in _YEAR.findall(outside)]
    years += [n for y in _HAN_YEAR.findall(outside) if (n := number(compact(y)))]
    years += [2000 + int(y) for y in _SHORT_YEAR.findall(outside)]
    places = _specific(find_places(outside))
    return Query(
        text=plain,
        form=next((form for form, rule in _FORMS if rule.search(plain)), "general"),
        language="zh" if len(re.findall(f"[{HAN}]", plain)) * 4 >= len(compact(plain)) else "other",
        years=tuple(dict.fromkeys(years)),
        months=tuple(dict.fromkeys((*_MONTH.findall(compact(outside)), *_TARGET.findall(compact(outside))))),
        about_issue=bool(_ISSUED.search(plain)),
        festivals=tuple(name for name, rule in FESTIVAL_WORD.items() if rule.search(outside)),
        places=tuple(places),
        offices=tuple(_offices(outside)),
        numbers=numbers,
        titles=titles,
        labels=tuple((n, unit) for numeral, unit in _LABEL.findall(plain) if (n := number(numeral)) is not None),
        assumptions=assumptions,
    )


def _bracketed(document_number: str) -> str:
    """A 文号 with the brackets of the standard."""
    return re.sub(r"[\[［(（【](\d{4})[\]］)）】]", r"〔\1〕", document_number)


def _specific(places: list[str]) -> list[str]:
    """Without those that merely say where another named place lies."""
    return [p for p in places if not any(p != other and contains(p, other) for other in places)]


def _offices(text: str) -> list[str]:
    """Offices named in the question: a place followed by an office ("兰州市教育局")."""
    found: dict[str, None] = {}
    for place in find_places(text):
        if place not in text:  # named in Latin letters
            continue
        at = text.find(place) + len(place)
        tail = text[at : at + 24]
        lead = re.match(rf"(?:省|市|州|盟|自治州|地区|自治区|特别行政区)?(?:[{HAN}]{{1,4}}?(?:区|县|旗))?", tail)
        office = _OFFICE.match(tail, lead.end() if lead else 0)
        if office:
            found[place + tail[: office.end()]] = None
    if named := latin_mentions(text):
        found |= {name + office: None for (name, (_, end)), (start, office) in product(named, offices_in_english(text))
                  if 0 < start - end <= _APART}
    return [name for name in found if not any(other != name and other.endswith(name) for other in found)]
