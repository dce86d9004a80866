"""Curves as inline SVG, coloured by the page's own variables."""

from collections.abc import Sequence

from eval.metrics.calibration import Bin

_LEFT, _TOP, _WIDE, _HIGH = 44, 10, 420, 220


def risk_curve(points: Sequence[tuple[float, float]]) -> str:
    """Risk over coverage, both 0-1; the risk axis ends at the next fifth above the curve."""
    top = min(1.0, (int(max(r for _, r in points) * 5) + 1) / 5)
    path = " ".join(f"{_x(c)},{_y(r / top)}" for c, r in points)
    body = f'<polyline class="line" points="{path}"/>' + "".join(
        f'<circle class="dot" cx="{_x(c)}" cy="{_y(r / top)}" r="3">'
        f"<title>覆盖 {c:.1%}，错误率 {r:.1%}</title></circle>"
        for c, r in points
    )
    return _frame("风险—覆盖曲线", "覆盖率（按置信度从高到低作答的比例）", "错误率", top, body)


def reliability(bins: Sequence[Bin]) -> str:
    """Share right over mean confidence, with the diagonal of perfect calibration."""
    body = f'<line class="guide" x1="{_x(0)}" y1="{_y(0)}" x2="{_x(1)}" y2="{_y(1)}"/>'
    most = max((b.count for b in bins), default=1)
    for b in bins:
        size = 3 + 7 * (b.count / most) ** 0.5
        body += (f'<circle class="mark" cx="{_x(b.confidence)}" cy="{_y(b.right)}" r="{size:.1f}">'
                 f"<title>置信度 {b.confidence:.2f}，答对 {b.right:.1%}，{b.count} 题</title></circle>")  # fmt: skip
    return _frame("校准图", "置信度", "答对的比例", 1.0, body)


def _x(share: float) -> str:
    return f"{_LEFT + _WIDE * share:.1f}"


def _y(share: float) -> str:
    return f"{_TOP + _HIGH * (1 - share):.1f}"


def _tick(x: str, y: str, anchor: str, share: float) -> str:
    return f'<text class="tick" x="{x}" y="{y}" text-anchor="{anchor}">{share:.0%}</text>'


def _frame(title: str, across: str, up: str, top: float, body: str) -> str:
    grid = ""
    for i in range(5):
        share = i / 4
        grid += f'<line class="grid" x1="{_x(0)}" y1="{_y(share)}" x2="{_x(1)}" y2="{_y(share)}"/>'
        grid += _tick(str(_LEFT - 6), f"{float(_y(share)) + 4:.1f}", "end", share * top)
        grid += _tick(_x(share), str(_TOP + _HIGH + 16), "middle", share)
    box = f"0 0 {_LEFT + _WIDE + 16} {_TOP + _HIGH + 40}"
    return (
        f'<figure><svg viewBox="{box}" role="img" aria-label="{title}">{grid}{body}'
        f'<text class="axis" x="{_x(0.5)}" y="{_TOP + _HIGH + 34}" text-anchor="middle">{across}</text></svg>'
        f"<figcaption>{title}（纵轴：{up}）</figcaption></figure>"
    )
