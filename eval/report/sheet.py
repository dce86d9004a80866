"""One row a question, for a spreadsheet."""

import csv
import io

from eval.metrics import METRICS
from eval.report.words import STAGE, STATUS
from eval.runs import Run

_HEAD = ("编号", "类型", "标签", "问题", "可答", "状态", "置信度", "答对", "失于", "答案", "原因", "应引", "引了")
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n")


def safe_cell(text: str) -> str:
    """Text that no spreadsheet takes for a formula: what could begin one gets an apostrophe (OWASP, CSV injection)."""
    return "'" + text if text.lstrip(" \u3000").startswith(_FORMULA) else text


def sheet(run: Run) -> str:
    """The table as CSV with a byte order mark, which Excel needs to read Chinese."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    used = [m for m in METRICS if any(m.name in r.scores for r in run.records)]
    writer.writerow([*_HEAD, *(f"{m.label} {m.name}" for m in used)])
    for record in run.records:
        item, answer = record.item, record.answer
        cells = [
            item.id, item.type, " ".join(item.tags), item.question, "是" if item.answerable else "否",
            STATUS[answer.status], f"{answer.confidence:g}", "是" if record.correct else "否",
            STAGE[record.lost_at] if record.lost_at else "", answer.answer, answer.reason or "",
            "\n".join(f"{g.source}：{g.quote}" for g in item.gold),
            "\n".join(f"[{c.id}] {c.source}：{c.quote}" for c in answer.citations),
        ]  # fmt: skip
        scores = [f"{record.scores[m.name]:g}" if m.name in record.scores else "" for m in used]
        writer.writerow([*map(safe_cell, cells), *scores])
    return "\ufeff" + out.getvalue()
