"""A run as one self-contained page: no request to anywhere, everything that came from outside escaped."""

import html
import re
from collections.abc import Mapping
from pathlib import Path
from string import Template

from eval.bootstrap import Estimate
from eval.metrics import BY_NAME
from eval.metrics.inclusion import must_exclude, must_include
from eval.records import SHOWN, STAGES, HitRecord, Record
from eval.report.charts import reliability, risk_curve
from eval.report.words import BREAKDOWN, HEADLINES, STAGE, STATUS, figure, operating_line, plainly
from eval.runs import Run
from eval.scoring import plain

_PAGE = Path(__file__).with_name("page.html")


def page(run: Run) -> str:
    """The page."""
    summary = run.summary
    wrong = [r for r in run.records if not r.correct]
    shown = sorted({r.lost_at for r in wrong}, key=list(STAGES).index)
    return Template(_PAGE.read_text(encoding="utf-8")).substitute(
        title=_e(run.decides["set"]["name"]),
        lead=f"{summary.questions} 题：可答 {summary.answerable}，不可答 {summary.questions - summary.answerable}；"
        f"答对 {summary.questions - len(wrong)}，答错 {len(wrong)}。",
        cards="".join(_card(n, summary.overall[n]) for n in HEADLINES if n in summary.overall),
        metrics="".join(_metric_row(n, e) for n, e in summary.overall.items()),
        curves=_curves(run),
        risk=_risk(run),
        types=_breakdown(run, "类型", summary.by_type),
        tags=_breakdown(run, "标签", summary.by_tag) if summary.by_tag else "<p>本评测集没有标签。</p>",
        lost=_lost(summary.lost_at),
        choices="".join(f'<option value="{s}">{STAGE[s]}（{summary.lost_at[s]}）</option>' for s in shown),
        count=len(wrong),
        wrong="".join(map(_wrong, wrong)) or "<p>没有答错的题。</p>",
        conditions="".join(f"<tr><th>{_e(k)}</th><td><code>{_e(v)}</code></td></tr>" for k, v in _flat(run.decides)),
    )


def _e(text: object) -> str:
    return html.escape(str(text), quote=True)


def _flat(value: Mapping[str, object], before: str = "") -> list[tuple[str, object]]:
    out: list[tuple[str, object]] = []
    for key, content in value.items():
        out += _flat(content, f"{before}{key}.") if isinstance(content, Mapping) else [(before + key, content)]
    return out


# ---------------------------------------------------------------- figures

def _card(name: str, estimate: Estimate) -> str:
    metric = BY_NAME[name]
    return (f'<div class="card" title="{_e(metric.meaning)}"><div class="what">{metric.label}</div>'
            f'<div class="big">{figure(name, estimate.value)}</div>{_bar(estimate)}'
            f'<div class="small">{_between(name, estimate)}<br>{estimate.n} 题</div></div>')  # fmt: skip


def _between(name: str, estimate: Estimate) -> str:
    return f"{figure(name, estimate.low)} – {figure(name, estimate.high)}"


def _bar(estimate: Estimate) -> str:
    """The interval as a band on a line from 0 to 1, with the value as a mark."""
    low, high, value = (100 * min(max(v, 0), 1) for v in (estimate.low, estimate.high, estimate.value))
    return _strip(
        '<rect class="track" width="100" height="6"/>'
        f'<rect class="band" x="{low:.2f}" width="{max(high - low, 0.5):.2f}" height="6"/>'
        f'<rect class="mark" x="{max(value - 0.4, 0):.2f}" width="0.8" height="6"/>'
    )


def _strip(body: str) -> str:
    return f'<svg class="bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">{body}</svg>'


def _metric_row(name: str, estimate: Estimate) -> str:
    metric = BY_NAME[name]
    bar = _bar(estimate) if name != "answer_tokens" else ""
    return (f'<tr><th>{metric.label}<br><code>{name}</code></th><td class="n">{figure(name, estimate.value)}</td>'
            f'<td class="n">{_between(name, estimate)}</td><td class="wide">{bar}</td>'
            f'<td class="n">{estimate.n}</td><td class="small">{_e(metric.meaning)}</td></tr>')  # fmt: skip


def _curves(run: Run) -> str:
    summary = run.summary
    if not summary.curve:
        return "<p>本评测集没有可答的题，没有曲线可画。</p>"
    return risk_curve(summary.curve) + (reliability(summary.calibration) if summary.calibration else "")


def _risk(run: Run) -> str:
    summary, lines = run.summary, []
    if summary.aurc:
        lines.append(f"风险—覆盖曲线下面积 AURC {plainly(summary.aurc)}，越小越好。没有作答的题没有答案可判，曲线到它们那里按错计。")
    if error := summary.calibration_error:
        lines.append(f"校准误差 ECE {plainly(error)}，只计作答的题。")
    if summary.auroc is not None:
        lines.append(f"置信度区分可答与不可答：AUROC {summary.auroc:.4f}。")
    lines += map(operating_line, summary.operating_points)
    return "".join(f"<li>{line}</li>" for line in lines)


def _breakdown(run: Run, what: str, groups: Mapping[str, Mapping[str, Estimate]]) -> str:
    shown = [n for n in (*BREAKDOWN, "refusal_recall", "false_refusals") if n in run.summary.overall]
    head = "".join(f'<th class="n" title="{_e(BY_NAME[n].meaning)}">{BY_NAME[n].label}</th>' for n in shown)
    rows = ""
    for kind, figures in groups.items():
        cells = "".join(_cell(n, figures.get(n)) for n in shown)
        rows += f'<tr><th>{_e(kind)}</th><td class="n">{figures["correct"].n}</td>{cells}</tr>'
    return f'<div class="scroll"><table><tr><th>{what}</th><th class="n">题数</th>{head}</tr>{rows}</table></div>'


def _cell(name: str, estimate: Estimate | None) -> str:
    if estimate is None:
        return '<td class="n none">—</td>'
    between = _between(name, estimate)
    return f'<td class="n" title="{between}，{estimate.n} 题">{figure(name, estimate.value)}<div class="small">{between}</div></td>'


def _lost(lost: Mapping[str, int]) -> str:
    most = max([*lost.values(), 1])
    return "".join(
        f'<tr><th>{_e(STAGES[s])}</th><td class="n">{n}</td>'
        f'<td class="wide">{_strip(f"""<rect class="lost" width="{100 * n / most:.1f}" height="6"/>""")}</td></tr>'
        for s, n in lost.items()
    )


# ---------------------------------------------------------------- wrong questions

_BOLD = re.compile(r"\*\*(.+?)\*\*")
_ESCAPED = re.compile(r"\\(&(?:lt|gt|amp|quot|#x27);|[^\w\s])")


def _shown(answer: str) -> str:
    """The answer as it is read: its Markdown has bold and escapes, no more."""
    return _ESCAPED.sub(r"\1", _BOLD.sub(r"<b>\1</b>", _e(answer)))


def _wrong(record: Record) -> str:
    item, answer = record.item, record.answer
    asked = "".join(f'<p class="small">此前问：{_e(q)}</p>' for q in item.history)
    if answer.interpreted.standalone_question != item.question:
        asked += f'<p class="small">理解为：{_e(answer.interpreted.standalone_question)}</p>'
    shown = [w for w in item.must_exclude if not must_exclude(answer.answer, [w])]
    missing = [w for w in item.must_include if not must_include(plain(answer.answer), [w])]
    gold = "".join(f"<li>{_source(g.source)}{_quote(g.quote or '（整个文件）')}</li>" for g in item.gold)
    cited = "".join(f"<li>[{c.id}] {_source(c.source, c.title)}{_quote(c.quote)}</li>" for c in answer.citations)
    hits = "".join(map(_hit, record.hits[:SHOWN]))
    said = f'<div class="answer">{_shown(answer.answer)}</div>' if answer.answer else ""
    reason = f'<p class="small">原因：{_e(answer.reason)}</p>' if answer.reason else ""
    return (
        f'<details class="q" data-stage="{record.lost_at}"><summary><span class="tag">{STAGE[record.lost_at]}</span>'
        f'<span class="tag soft">{STATUS[answer.status]} {answer.confidence:.2f}</span>{_e(item.question)}'
        f'<span class="id">{_e(item.id)} · {_e(item.type)}</span></summary>{asked}'
        f'<p class="small">失于{STAGES[record.lost_at]}。</p>'
        f"<h4>答案</h4>{said}{reason}"
        + (f'<p class="small">缺少必含字串：{_e("、".join(missing))}</p>' if missing and record.answered else "")
        + (f'<p class="small">不该出现的字串：{_e("、".join(shown))}</p>' if shown else "")
        + (f"<p class=\"small\">参考答案：{_e('；'.join(item.answers))}</p>" if item.answers else "")
        + f"<h4>应该引的</h4><ul>{gold or '<li>本题没有答案，应当不答。</li>'}</ul>"
        f"<h4>实际引的</h4><ul>{cited or '<li>（无）</li>'}</ul>"
        f"<h4>检索到的前 {SHOWN} 段</h4><ol>{hits or '<li>（无）</li>'}</ol></details>"
    )


def _hit(hit: HitRecord) -> str:
    trace = " · ".join(f"{_e(t.stage)} 第{t.rank}（{t.score:.4g}）" for t in hit.trace)
    mark = '<span class="tag good">金标</span>' if hit.gold else ""
    path = " › ".join(map(_e, hit.section_path))
    return f'<li>{mark}{_source(hit.source, hit.title)} {path}{_quote(hit.text)}<div class="small">{trace}</div></li>'


def _quote(text: str) -> str:
    return f"<blockquote>{_e(text)}</blockquote>"


def _source(source: str, title: str | None = None) -> str:
    return f"<b>{_e(title)}</b> <code>{_e(source)}</code>" if title else f"<code>{_e(source)}</code>"

