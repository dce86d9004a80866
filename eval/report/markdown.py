"""A run as Markdown, for a pull request or a note."""

import re

from eval.metrics import BY_NAME
from eval.records import Record
from eval.report.words import BREAKDOWN, STAGE, STATUS, figure, operating_line, plainly, with_interval
from eval.runs import Run

LISTED = 50
"""Wrong questions written out; the page and the table have them all."""
_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~&!])")


def markdown(run: Run) -> str:
    """The report."""
    summary, of = run.summary, run.decides["set"]
    lines = [
        f"# 评测报告：{_safe(of['name'])}",
        "",
        f"{summary.questions} 题，可答 {summary.answerable}，不可答 {summary.questions - summary.answerable}。"
        f"评测集 SHA-256 `{of['sha256'][:16]}`。括号内是 95% 区间。",
        "",
        "| 指标 | 值（95% 区间） | 题数 | 含义 |",
        "|---|---|---|---|",
    ]
    for name, estimate in summary.overall.items():
        metric = BY_NAME[name]
        lines.append(f"| {metric.label} `{name}` | {with_interval(name, estimate)} | {estimate.n} | {metric.meaning} |")
    lines.append("")
    if summary.aurc:
        lines.append(f"- 风险—覆盖曲线下面积 AURC：{plainly(summary.aurc)}。")
    if error := summary.calibration_error:
        lines.append(f"- 校准误差 ECE：{plainly(error)}。")
    lines += [f"- {operating_line(point)}" for point in summary.operating_points]
    lines += ["", "## 按类型", "", *_breakdown(run), "", "## 失于哪一步", "", "| 步骤 | 题数 |", "|---|---|"]
    lines += [f"| {STAGE[s]} | {n} |" for s, n in summary.lost_at.items()]
    wrong = [r for r in run.records if not r.correct]
    lines += ["", f"## 答错的题（{len(wrong)}）", ""]
    for record in wrong[:LISTED]:
        lines += _wrong(record)
    if len(wrong) > LISTED:
        lines.append(f"其余 {len(wrong) - LISTED} 题见 report.html 和 report.csv。")
    return "\n".join(lines) + "\n"


def _breakdown(run: Run) -> list[str]:
    shown = [n for n in BREAKDOWN if n in run.summary.overall]
    lines = ["| 类型 | 题数 | " + " | ".join(BY_NAME[n].label for n in shown) + " |", "|---|---|" + "---|" * len(shown)]
    for kind, figures in run.summary.by_type.items():
        cells = [figure(n, figures[n].value) if n in figures else "" for n in shown]
        lines.append(f"| {_safe(kind)} | {figures['correct'].n} | " + " | ".join(cells) + " |")
    return lines


def _wrong(record: Record) -> list[str]:
    item, answer = record.item, record.answer
    said = answer.answer if record.answered else (answer.reason or "")
    lines = [f"- **{_safe(item.question)}**（{_safe(item.id)}，失于{STAGE[record.lost_at]}，{STATUS[answer.status]}）",
             f"  - 答：{_safe(_line(said)) or '（无）'}"]  # fmt: skip
    lines += [f"  - 应引 {_safe(g.source)}：{_safe(_line(g.quote))}" for g in item.gold]
    return lines + [f"  - 引了 {_safe(c.source)}：{_safe(_line(c.quote))}" for c in answer.citations[:3]]


def _line(text: str) -> str:
    joined = " ".join(text.split())
    return joined if len(joined) <= 200 else joined[:200] + "……"


def _safe(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)
