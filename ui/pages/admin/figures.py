"""Usage as plots: inline SVG, drawn here, with the same figures in a table beneath each."""

from collections.abc import Callable, Mapping, Sequence

from markupsafe import Markup

from ui.api.usage import Asked, Day, Usage
from ui.pages import words as common
from ui.pages.admin import words as w
from ui.pages.escape import html, join

PERIODS = (7, 30, 90, 365)
_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 720, 190, 44, 12, 24
"""Of a plot, in its own units: the margins hold the numbers of the axes."""
_LABELS = 7
"""Dates beneath a plot, at most."""


def usage(found: Usage, days: int) -> Markup:
    """The part 用量."""
    periods = join(html('<a href="#usage?days={n}"{on}>{word}</a>', n=n, word=common.show(w.DAYS, days=n), on=html(' aria-current="true"') if n == days else Markup())
                   for n in PERIODS)  # fmt: skip
    nav = html('<nav class="adm-row adm-periods" {label}>{periods}</nav>', label=common.named(w.PERIOD), periods=periods)
    if not found.whole.questions:
        return html('<section class="adm-part">{nav}<p class="wj-quiet">{none}</p></section>', nav=nav, none=common.show(w.NO_USAGE))
    whole = found.whole
    tiles = ((w.QUESTIONS, f"{whole.questions:,}"), (w.PEOPLE, str(found.people)), (w.REFUSED, _share(whole.refused)), (w.MEDIAN, _ms(whole.latency.p50)))
    return html(
        '<section class="adm-part">{nav}<dl class="adm-tiles">{tiles}</dl></section>{bars}{refused}{latency}<div class="adm-two">{most}{unanswered}</div>',
        nav=nav, tiles=join(html("<div><dt>{word}</dt><dd>{value}</dd></div>", word=common.show(word), value=value) for word, value in tiles),
        bars=_bars(found.days), refused=_lines("refused", w.REFUSED_PER_DAY, found.days, {"refused": (w.REFUSED, lambda d: d.refused)}, _share, 0.1),
        latency=_lines("latency", w.LATENCY, found.days, {name: (word, _latency(name)) for name, word in w.PERCENTILES.items()}, _ms, 1),
        most=_asked(w.MOST_ASKED, found.most_asked), unanswered=_asked(w.UNANSWERED, found.unanswered),
    )


# ---------------------------------------------------------------- plots

def _bars(days: Sequence[Day]) -> Markup:
    """Questions a day, one bar each, in layers by the answer's status."""
    most = _round_up(max(day.questions for day in days))
    step = (_WIDTH - _LEFT) / len(days)
    shapes = []
    for number, day in enumerate(days):
        below = 0
        for status, count in day.counts.items():
            if count:
                top = _y(below + count, most)
                shapes.append(html(
                    '<rect class="s-{status}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"><title>{told}</title></rect>',
                    status=status, x=_LEFT + number * step + step * 0.1, y=top, width=step * 0.8, height=_y(below, most) - top,
                    told=f"{day.date} {w.STATUS[status].zh} {count}"))
                below += count
    names = [name for name in w.STATUS if any(day.counts.get(name) for day in days)]
    columns = {name: (w.STATUS[name], lambda day, name=name: str(day.counts[name])) for name in names}
    return _plot("questions", w.PER_DAY, join([_grid(days, most, lambda v: f"{v:g}"), *shapes]), {name: w.STATUS[name] for name in names}, _table(days, columns))


def _lines(
    name: str, heading: common.Word, days: Sequence[Day], series: Mapping[str, tuple[common.Word, Callable[[Day], float | None]]],
    told: Callable[[float | None], str], least: float,
) -> Markup:
    """A line for each series, broken where a day has no value. least: what one step of the axis is at least."""
    most = _round_up(max((v for _, of in series.values() for day in days if (v := of(day)) is not None), default=least), least)
    step = (_WIDTH - _LEFT) / len(days)
    shapes = []
    for key, (word, of) in series.items():
        run: list[tuple[float, float]] = []
        for number, day in enumerate(days):
            value = of(day)
            if value is None:
                shapes.append(_stretch(key, run))
                run = []
                continue
            x, y = _LEFT + (number + 0.5) * step, _y(value, most)
            run.append((x, y))
            shapes.append(html('<circle class="s-{key}" cx="{x:.1f}" cy="{y:.1f}" r="3"><title>{told}</title></circle>', key=key, x=x, y=y,
                               told=f"{day.date} {word.zh} {told(value)}"))  # fmt: skip
        shapes.append(_stretch(key, run))
    columns = {key: (word, lambda day, of=of: told(of(day))) for key, (word, of) in series.items()}
    return _plot(name, heading, join([_grid(days, most, told), *shapes]), {key: word for key, (word, _) in series.items()}, _table(days, columns))


def _stretch(key: str, points: Sequence[tuple[float, float]]) -> Markup:
    if len(points) < 2:
        return Markup()
    return html('<polyline class="s-{key}" points="{points}"/>', key=key, points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points))


def _plot(name: str, heading: common.Word, shapes: Markup, legend: Mapping[str, common.Word], table: Markup) -> Markup:
    marks = join(html('<span><i class="s-{key}" aria-hidden="true"></i>{word}</span>', key=key, word=common.show(word)) for key, word in legend.items())
    return html(
        '<section class="adm-part adm-plot" data-plot="{name}"><h2>{heading}</h2><div class="adm-scroll" tabindex="0" role="region" {label}>'
        '<svg viewBox="0 0 {width} {height}" role="img" {label}>{shapes}</svg></div><p class="adm-legend">{marks}</p><details><summary>{as_table}</summary>{table}</details></section>',
        name=name, heading=common.show(heading), label=common.named(heading), width=_WIDTH, height=_HEIGHT, shapes=shapes, marks=marks, as_table=common.show(w.AS_TABLE), table=table,
    )


def _grid(days: Sequence[Day], most: float, told: Callable[[float], str]) -> Markup:
    """Three lines across with their values, and some of the dates."""
    rules = [html('<line x1="{x}" x2="{end}" y1="{y:.1f}" y2="{y:.1f}"/><text x="{edge}" y="{text:.1f}" text-anchor="end">{value}</text>',
                  x=_LEFT, end=_WIDTH, y=_y(v, most), text=_y(v, most) + 4, edge=_LEFT - 6, value=told(v)) for v in (0, most / 2, most)]  # fmt: skip
    step, every = (_WIDTH - _LEFT) / len(days), -(-len(days) // _LABELS)
    dates = [html('<text x="{x:.1f}" y="{y}" text-anchor="middle">{date}</text>', x=_LEFT + (n + 0.5) * step, y=_HEIGHT - 6, date=day.date[5:])
             for n, day in enumerate(days) if n % every == every // 2]  # fmt: skip
    return html('<g class="adm-grid">{rules}</g>', rules=join([*rules, *dates]))


def _y(value: float, most: float) -> float:
    return _HEIGHT - _BOTTOM - value / most * (_HEIGHT - _TOP - _BOTTOM)


def _round_up(value: float, least: float = 1) -> float:
    """The next 2, 4, 10, 20, 40, 100, … times `least`: half of it is a whole number of them."""
    while True:
        for step in (2, 4, 10):
            if value <= step * least:
                return step * least
        least *= 10


def _table(days: Sequence[Day], columns: Mapping[str, tuple[common.Word, Callable[[Day], str]]]) -> Markup:
    """The figures of the days that have any, the newest first."""
    heads = join(html('<th class="n">{word}</th>', word=common.show(word)) for word, _ in columns.values())
    rows = join(html("<tr><td>{date}</td>{cells}</tr>", date=day.date, cells=join(html('<td class="n">{v}</td>', v=of(day)) for _, of in columns.values()))
                for day in reversed(days) if day.questions)  # fmt: skip
    return html('<table><thead><tr><th>{date}</th>{heads}</tr></thead><tbody>{rows}</tbody></table>', date=common.show(w.DATE), heads=heads, rows=rows)


# ---------------------------------------------------------------- questions, numbers

def _asked(heading: common.Word, found: Sequence[Asked]) -> Markup:
    rows = join(html('<tr><td class="adm-name" lang="zh-CN">{q}</td><td class="n">{count}</td><td class="adm-day">{last}</td></tr>', q=a.question, count=a.count, last=a.last[:10])
                for a in found)  # fmt: skip
    body = html(
        '<div class="adm-scroll" tabindex="0" role="region" {label}><table><thead><tr><th>{question}</th><th class="n">{times}</th><th>{last}</th></tr></thead><tbody>{rows}</tbody></table></div>',
        label=common.named(heading), question=common.show(w.QUESTION), times=common.show(w.TIMES), last=common.show(w.LAST), rows=rows,
    ) if found else html('<p class="wj-quiet">—</p>')
    return html('<section class="adm-part"><h2>{heading}</h2>{body}</section>', heading=common.show(heading), body=body)


def _latency(name: str) -> Callable[[Day], float | None]:
    return lambda day: getattr(day.latency, name)


def _share(value: float | None) -> str:
    return "—" if value is None else f"{value:.0%}"


def _ms(value: float | None) -> str:
    return "—" if value is None else f"{value:,.0f}"
