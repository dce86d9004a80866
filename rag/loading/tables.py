"""Tables as sentences: each row one line that keeps its column heads ("标准：740元；范围：全市")."""

import re
from collections.abc import Sequence
from itertools import pairwise

Grid = Sequence[Sequence[str]]
"""Cells of a table, row by row; a merged cell's text stands in each place it covers."""

_VALUE = re.compile(r"^[\d,.%％\-+/()（）年月日:：~～至 元人户平米]*$")
_LABEL = re.compile(r"[^：:]{1,12}[：:]")
_LONGEST_HEAD = 30
_FORM = re.compile(
    r"会议(?:主题|名称|时间|日期|地点|内容|议题|总结|概述)|时\s*间|地\s*点|主\s*题|主持人?|记录人?|(?:参会|参加|出席|列席|缺席|与会)人员?|讨论内容|"
    r"姓\s*名|性\s*别|民\s*族|籍\s*贯|出生(?:年月|日期)|政治面貌|学\s*[历位号院校]|职\s*[称务]|(?:工作|所在)?单\s*位|所在学校|[年班]\s*级|专\s*业|"
    r"(?:联系|固定|移动)?电\s*话|联系(?:人|方式)|手\s*机(?:号码?)?|(?:电子)?邮\s*箱|(?:通[讯信]|联系|家庭|办公)?地\s*址|邮\s*编|身份证号码?|项目(?:名称|编号)|"
    r"申请(?:人|单位|类型|日期)|填表(?:人|日期)|备\s*注|法定代表人|统一社会信用代码|(?:经营|注册)(?:范围|地址|资本)|企业名称")
"""What stands before the values of a form or a record of a meeting, row by row."""
_SERIES = re.compile(r"\d+|(?<=第)[一二三四五六七八九十]+")


def row_lines(grid: Grid, heads: int = 0) -> list[str]:
    """A table's rows as lines.

    heads: how many rows at the top are column heads, when the format says so; 0 lets the words decide. A row that is
    one merged cell stays a plain line (a caption); a row of labels and values ("文号：", "…") becomes pairs.
    """
    out: list[str] = []
    rows = [[cell.strip() for cell in row] for row in grid]
    if not heads and _is_form(rows):
        return [line for row in rows if (line := _filled(row))]
    at = _captions(rows)
    out.extend(row[0] for row in rows[:at] if row[0])
    heads = heads or _guessed(rows, at)
    names = _names(rows[at : at + heads])
    for row in rows[at + heads :]:
        if line := _line(row, names):
            out.append(line)
    return out


def _is_form(rows: Sequence[Sequence[str]]) -> bool:
    """Whether labels stand before values in row after row ("会议时间 | 3月2日"), and not above them."""
    labelled = [row for row in rows if len(set(row)) > 1 and _FORM.fullmatch(row[0])]
    words = {row[0] for row in labelled}
    above = labelled and sum(bool(_FORM.fullmatch(cell)) for cell in labelled[0] if cell) > (len(labelled[0]) + 1) // 2
    return len(words) >= 2 and 2 * len(labelled) >= len(rows) and not above


def _filled(row: Sequence[str]) -> str:
    """A row of a form: each label with the value behind it; labels that wait for one stay as they are."""
    out: list[str] = []
    label = ""
    for cell in dict.fromkeys(cell for cell in row if cell):
        if _FORM.fullmatch(cell):
            out, label = [*out, cell], cell
        elif label and out and out[-1] == label:
            out[-1] = f"{label}：{cell}"
        else:
            out.append(cell)
    return "；".join(out) if any("：" in piece for piece in out) else "　".join(out)


def heads_of(grid: Grid) -> list[list[str]]:
    """The rows that are column heads, as their words tell."""
    rows = [[cell.strip() for cell in row] for row in grid]
    if _is_form(rows):
        return []
    at = _captions(rows)
    return rows[at : at + _guessed(rows, at)]


def _captions(rows: Sequence[Sequence[str]]) -> int:
    """How many rows at the top are one merged cell."""
    return next((at for at, row in enumerate(rows) if len(set(row)) != 1 or len(row) < 2), len(rows))


def _guessed(rows: Sequence[Sequence[str]], at: int) -> int:
    """How many rows from `at` on are column heads."""
    if at >= len(rows) or not _looks_like_heads(rows, at):
        return 0
    heads = 1
    while at + heads < len(rows) - 1 and _merged(rows[at]) and heads < 3 and _continues_heads(rows, at + heads):
        heads += 1
    return heads


def _looks_like_heads(rows: Sequence[Sequence[str]], at: int) -> bool:
    row = rows[at]
    if len(row) < 2 or at + 1 >= len(rows) or any(_LABEL.fullmatch(cell) or re.search("[，。；]", cell) for cell in row):
        return False
    if _SERIES.search(row[0]) and _SERIES.sub("#", row[0]) == _SERIES.sub("#", rows[at + 1][0]):
        return False  # "第1天" above "第2天"
    filled = [cell for cell in row if cell]
    return len(filled) >= max(2, len(row) - 1) and all(len(c) <= _LONGEST_HEAD and not _VALUE.match(c) for c in filled)


def _merged(row: Sequence[str]) -> bool:
    return any(a == b for a, b in pairwise(row))


def _continues_heads(rows: Sequence[Sequence[str]], at: int) -> bool:
    """Whether a second row of heads stands below merged ones: the places not merged across are merged down."""
    above, row = rows[at - 1], rows[at]
    return any(a == b for a, b in zip(above, row, strict=False)) and not any(_VALUE.match(c) for c in row if c)


def _names(heads: Sequence[Sequence[str]]) -> list[str]:
    if not heads:
        return []
    out = []
    for column in zip(*heads, strict=False):
        out.append("-".join(dict.fromkeys(c for c in column if c)))
    return out


def _line(row: Sequence[str], names: Sequence[str]) -> str:
    if names and len(set(row)) > 1:
        pairs = [(names[i] if i < len(names) else "", cell) for i, cell in enumerate(row) if cell]
        return "；".join(f"{name}：{cell}" if name else cell for name, cell in dict.fromkeys(pairs))
    cells = list(dict.fromkeys(cell for cell in row if cell))
    if any(_LABEL.fullmatch(cell) for cell in cells):
        return "；".join(_paired(cells))
    return "　".join(cells)


def _paired(cells: Sequence[str]) -> list[str]:
    out: list[str] = []
    for cell in cells:
        if out and _LABEL.fullmatch(out[-1]) and not _LABEL.fullmatch(cell):
            out[-1] += cell
        else:
            out.append(cell)
    return out
