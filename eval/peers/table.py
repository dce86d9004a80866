"""The figures as one Markdown table."""

from collections.abc import Iterator, Sequence

from eval.bootstrap import Estimate
from eval.peers.measure import METRICS, Row


def markdown(rows: Sequence[Row], notes: Sequence[str] = ()) -> str:
    """A table with a row a peer, and what has to be known to read it. Notes go below."""
    return "\n".join([*_lines(rows), "", *(f"- {note}" for note in (*_reading(rows), *notes))]) + "\n"


def _lines(rows: Sequence[Row]) -> Iterator[str]:
    head = ("系统", *METRICS, "编入（段/秒）", "提问（毫秒，中位 / 95%）", "段数 × 均长")
    yield _cells(head)
    yield _cells(["---"] + ["---:"] * (len(head) - 1))
    for row in rows:
        leads = row.ahead or (None,) * len(METRICS)
        quality = [_quality(q, lead) for q, lead in zip(row.quality, leads, strict=True)]
        speed = f"{row.median:.1f} / {row.slow:.1f}"
        yield _cells((row.name.replace("|", "\\|"), *quality, f"{row.pace:.1f}", speed, f"{row.passages} × {row.length:.0f}"))


def _cells(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _quality(value: Estimate, lead: Estimate | None) -> str:
    text = f"{100 * value.value:.1f}（{100 * value.low:.1f}–{100 * value.high:.1f}）"
    if lead is None:
        return text
    mark = "\\*" if lead.low > 0 or lead.high < 0 else ""
    return f"{text}<br>{100 * lead.value:+.1f}（{100 * lead.low:+.1f} 到 {100 * lead.high:+.1f}）{mark}"


def _reading(rows: Sequence[Row]) -> Iterator[str]:
    if not rows:
        return
    n, first = rows[0].quality[0].n, rows[0].name
    yield f"{n} 题；百分比，括号内是按题重抽样的 95% 区间。第二行是{first}领先的百分点（成对区间），\\* 为区间不含零。"
    yield "同一次运行：依次编入，逐题轮流提问；段由各家自己切，均长按字符计（含空白）。"
