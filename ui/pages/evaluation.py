"""The evaluation page: starts a run, shows how far it is and what was run before, and sets two runs side by side.

Plain HTML that works without its script; the script only keeps the progress fresh.
"""

from collections.abc import Callable, Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Form, HTTPException, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from markupsafe import Markup

from eval.compare import Comparison, Difference, Flip
from eval.metrics import BY_NAME
from eval.report.words import STAGE, figure
from rag.errors import UsageError
from ui.api.evaluations import Evaluations, Now, Past
from ui.api.operators import may_operate
from ui.api.service import Service
from ui.pages.escape import html, join

_SHOWN = ("correct", "answer_recall", "right_document", "refusal_recall", "false_refusals")
_ONLY_HERE = "评测页只对本机的管理员开放：请在运行服务的机器上打开 http://127.0.0.1 的页面，或使用命令行 wenju eval。"


def router(service: Service, versioned: Callable[[str], str]) -> APIRouter:
    """Routes under /eval. versioned: the address of a static file, relative to the top."""
    doing = Evaluations(service)
    api = APIRouter(prefix="/eval", include_in_schema=False, default_response_class=HTMLResponse,
                    dependencies=[Depends(_operator)])  # fmt: skip

    async def shown(up: str, make: Callable[[], Response]) -> Response:
        """What is made, or a page that says why not."""
        try:
            return await run_in_threadpool(make)
        except UsageError as error:
            return HTMLResponse(_page(up, versioned, _problem(up, str(error))), 422)

    @api.get("")
    async def page() -> HTMLResponse:
        past, sets = await run_in_threadpool(doing.past), doing.sets()
        return HTMLResponse(_page("./", versioned, _start(sets, doing.now), _now(doing.now), _past(past)))

    @api.get("/now")
    async def now() -> HTMLResponse:
        return HTMLResponse(_now(doing.now))

    @api.post("/start")
    async def start(set: Annotated[str, Form()], limit: Annotated[str, Form()] = "") -> Response:
        def begin() -> Response:
            if limit and not (limit.isdecimal() and int(limit)):
                raise UsageError("题数应是正整数。", "不填则全部都问。")
            doing.start(set, int(limit) if limit else None)
            return RedirectResponse("../eval", 303)

        return await shown("../", begin)

    @api.post("/stop")
    async def stop() -> RedirectResponse:
        doing.stop()
        return RedirectResponse("../eval", 303)

    @api.get("/report/{name}")
    async def report(name: str) -> Response:
        return await shown("../../", lambda: HTMLResponse(doing.report(name)))

    @api.get("/compare")
    async def compared(run: Annotated[list[str], Query()] = []) -> Response:  # noqa: B006
        def side_by_side() -> Response:
            if len(run) != 2:
                raise UsageError("比较要正好选两次评测。", "请回到列表里勾选两次。")
            second, first = run  # the list has the newest first
            return HTMLResponse(_page("../", versioned, _compared(first, second, doing.compare(first, second))))

        return await shown("../", side_by_side)

    return api


def _operator(request: Request) -> None:
    if not may_operate(request):
        raise HTTPException(403, _ONLY_HERE)


def _page(up: str, versioned: Callable[[str], str], *parts: Markup) -> Markup:
    return html(
        '<!doctype html><html lang="zh-CN"><head><meta charset="utf-8"><title>评测 · 文据</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="{up}page/icon.png"><link rel="stylesheet" href="{css}">'
        '<script defer src="{js}"></script></head><body><header><a class="brand" href="{up}"><span aria-hidden="true">据</span>'
        '<b>文据</b></a><nav aria-label="页面"><a href="{up}#ask">问答</a><a href="{up}#documents">文件</a>'
        '<a href="{up}eval" aria-current="page">评测</a></nav></header><main>{parts}</main></body></html>',
        up=up, css=up + versioned("evaluation.css"), js=up + versioned("evaluation.js"), parts=join(parts),
    )


def _problem(up: str, text: str) -> Markup:
    return html('<section><h1>评测</h1><p class="bad" role="alert">{text}</p><p><a href="{up}eval">回到评测</a></p></section>', up=up, text=text)


# ---------------------------------------------------------------- start, progress, past

def _start(sets: Sequence[str], now: Now) -> Markup:
    options = join(html('<option{on}>{name}</option>', name=s, on=html(" selected") if s == now.set else Markup()) for s in sets)
    return html(
        '<section aria-labelledby="run"><h1 id="run">运行评测</h1><form method="post" action="./eval/start" class="row">'
        '<label>评测集 <select name="set">{options}</select></label>'
        '<label>只问前 <input name="limit" inputmode="numeric" size="5" pattern="[1-9][0-9]*" title="正整数"> 题</label>'
        "<button>开始</button></form>"
        '<p class="soft">同样的评测集、索引和设置，结果逐字节相同；停下之后再开始，会接着问。自己的评测集放进 WENJU_HOME 的 sets 文件夹。</p></section>',
        options=options,
    )


def _now(now: Now) -> Markup:
    match now.state:
        case "running":
            p = now.progress
            done, total = (p.done, p.total) if p else (0, 0)
            left = f"，还需约 {p.left:.0f} 秒" if p and p.left is not None else ""
            said = html(
                '<p><b>{set}</b> {said}</p><progress max="{total}" value="{done}" aria-label="进度"></progress>'
                '<form method="post" action="./eval/stop"><button class="plain">停止</button></form>',
                set=now.set, total=total or 1, done=done, said=f"已问 {done}/{total} 题{left}" if p else "正在准备……",
            )
        case "done":
            said = html('<p><b>{set}</b> 已完成。<a href="./eval/report/{name}">看报告</a></p>', set=now.set, name=now.name)
        case "stopped":
            said = html("<p><b>{set}</b> 已停止。再次开始会接着问。</p>", set=now.set)
        case "failed":
            said = html('<p class="bad"><b>{set}</b> 没有完成：{error}</p>', set=now.set, error=now.error)
        case _:
            said = Markup()
    return html('<div id="now" data-state="{state}" role="status">{said}</div>', state=now.state, said=said)


def _past(past: Sequence[Past]) -> Markup:
    if not past:
        return html('<section aria-labelledby="past"><h2 id="past">历次评测</h2><p class="soft">还没有。在上面选一个评测集开始。</p></section>')
    head = join(html('<th class="n" title="{meaning}">{label}</th>', label=BY_NAME[n].label, meaning=BY_NAME[n].meaning) for n in _SHOWN)
    return html(
        '<section aria-labelledby="past"><h2 id="past">历次评测</h2><form action="./eval/compare"><div class="scroll"><table>'
        '<thead><tr><th><span class="unseen">比较</span></th><th>评测集</th><th>时间</th><th class="n">题数</th>{head}<th>索引</th><th></th></tr></thead>'
        '<tbody>{rows}</tbody></table></div><p class="row"><button class="plain">比较所选的两次</button>'
        '<span class="soft">小字是 95% 区间。比较同一个评测集的两次结果，先发生的在左。</span></p></form></section>',
        head=head, rows=join(map(_row, past)),
    )


def _row(past: Past) -> Markup:
    finished = bool(past.finished)
    cells = join(html('<td class="n">{value}</td>', value=_figure(n, past)) for n in _SHOWN)
    return html(
        '<tr><td>{box}</td><td>{set}<br><small>{name}</small></td><td>{time}</td><td class="n">{count}</td>{cells}<td><code title="{whole}">{index}</code></td><td>{report}</td></tr>',
        box=html('<input type="checkbox" name="run" value="{name}" aria-label="比较 {name}">', name=past.name) if finished else Markup(),
        set=past.set, name=past.name.removeprefix(past.set + "-"), time=past.finished[:16].replace("T", " ") or "没有跑完", count=past.questions, cells=cells,
        whole=past.generation, index=past.generation[:8],
        report=html('<a href="./eval/report/{name}">报告</a>', name=past.name) if finished else Markup(),
    )


def _figure(name: str, past: Past) -> Markup:
    if name not in past.figures:
        return html('<span class="soft">—</span>')
    value, low, high = (figure(name, v) for v in past.figures[name])
    return html('{value}<br><small>{low}–{high}</small>', value=value, low=low, high=high)


# ---------------------------------------------------------------- comparison

def _compared(first: str, second: str, found: Comparison) -> Markup:
    moved = [d for d in found.differences if abs(d.change) > 1e-9 or d.better or d.worse]
    same = "、".join(BY_NAME[d.name].label for d in found.differences if d not in moved)
    changed = join(html("<li><code>{key}</code>：{one} → {other}</li>", key=k, one=a, other=b) for k, (a, b) in found.changed.items())
    return html(
        '<section><h1>比较</h1><p>{first} → {second}，{n} 题。<a href="../eval">回到评测</a></p>'
        '<p class="soft">成对置换检验，p 已按同时看多个指标校正；加粗的行差别显著。</p>'
        '<div class="scroll"><table><thead><tr><th>指标</th><th class="n">前</th><th class="n">后</th><th class="n">变化（95% 区间）</th>'
        '<th class="n">p</th><th class="n">升 / 降（题）</th></tr></thead><tbody>{rows}</tbody></table></div>{same}</section>'
        "{won}{lost}<section><h2>条件的差别</h2>{changed}</section>",
        first=first, second=second, n=found.questions, rows=join(map(_difference, moved)),
        same=html('<p class="soft">没有变化：{same}。</p>', same=same) if same else Markup(),
        won=_flips("改对的题", found.won), lost=_flips("改错的题", found.lost),
        changed=html("<ul>{items}</ul>", items=changed) if changed else html('<p class="soft">没有。</p>'),
    )


def _difference(d: Difference) -> Markup:
    metric = BY_NAME[d.name]
    kind = ("better" if (d.change > 0) == metric.rising else "worse") if d.significant else ""
    return html(
        '<tr class="{kind}"><th title="{meaning}">{label}</th><td class="n">{a}</td><td class="n">{b}</td>'
        '<td class="n">{change}<br><small>{low} 到 {high}</small></td><td class="n">{p}</td><td class="n">{up} / {down}</td></tr>',
        kind=kind, meaning=metric.meaning, label=metric.label, a=figure(d.name, d.first), b=figure(d.name, d.second),
        change=_signed(d.name, d.change), low=_signed(d.name, d.low), high=_signed(d.name, d.high), p=f"{d.adjusted:.3f}",
        up=d.better, down=d.worse,
    )


def _signed(name: str, change: float) -> str:
    return ("+" if change > 0 else "") + figure(name, change)


def _flips(title: str, flips: Sequence[Flip]) -> Markup:
    items = join(html("<li>{question} <small>{id}{lost}</small></li>", question=f.question, id=f.id,
                      lost=f" · 失于{STAGE[f.lost_at]}" if f.lost_at else "") for f in flips)  # fmt: skip
    body = html("<ul>{items}</ul>", items=items) if flips else html('<p class="soft">没有。</p>')
    return html("<section><h2>{title}（{n}）</h2>{body}</section>", title=title, n=len(flips), body=body)
