"""Years, places and offices in a question, as evaluation sees them.

Kept apart from how the product reads a question: a metric must not share the mistakes of what it measures.
"""

import re

from rag.text import normalise, number


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


PROVINCES = _words("""
    北京 天津 上海 重庆 河北 山西 内蒙古 辽宁 吉林 黑龙江 江苏 浙江 安徽 福建 江西 山东 河南 湖北 湖南 广东 广西
    海南 四川 贵州 云南 西藏 陕西 甘肃 青海 宁夏 新疆
""")
CAPITALS = _words("""
    石家庄 太原 呼和浩特 沈阳 长春 哈尔滨 南京 杭州 合肥 福州 南昌 济南 郑州 武汉 长沙 广州 南宁 海口 成都 贵阳
    昆明 拉萨 西安 兰州 西宁 银川 乌鲁木齐
""")
OFFICES = _words("""
    民政 教育 财政 公安 司法 审计 统计 卫生健康 应急管理 市场监督管理 人力资源和社会保障 住房和城乡建设 交通运输
    农业农村 文化和旅游 生态环境 自然资源 医疗保障
""")
"""Departments that exist at every level, without the 局, 厅, 委 behind."""
PLACE = re.compile("|".join(PROVINCES + CAPITALS))
OFFICE = re.compile("|".join(f"{o}(?=[局厅委])" for o in OFFICES))
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)|[一二][〇○零一二三四五六七八九]{3}(?=年)")


def years(text: str) -> set[int]:
    """The years a text names (2023年, 二〇二三年, 2023)."""
    return {y for found in _YEAR.findall(normalise(text)) if (y := number(found)) is not None}


def names(text: str) -> set[str]:
    """The provinces, capitals and offices a text names, short."""
    plain = normalise(text)
    return {m.group() for pattern in (PLACE, OFFICE) for m in pattern.finditer(plain)}
