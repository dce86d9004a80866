"""Keeping the index: following folders until told to stop, and the words in which reports are told to a person."""

import re
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rag.config import Settings
from rag.errors import WenjuError

if TYPE_CHECKING:
    from rag.index import PartReport, Progress, Purged, Report

_SHOWN = 5


class _Stopped(Exception):
    """Unwinds a refresh; the published generation stays what it was."""


def watch(settings: Settings, paths: Sequence[Path], tell: "Callable[[Report | WenjuError], None]") -> None:
    """Brings the index up to date whenever files change, until SIGINT or SIGTERM. tell: each report, or what went wrong."""
    from rag.pipeline import watch_index
    from ui.progress import Bar

    stopped = threading.Event()

    def shown(progress: "Progress") -> None:
        if stopped.is_set():
            raise _Stopped
        bar.update(progress)

    before = {number: signal.signal(number, lambda *_: stopped.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with Bar() as bar:
            for outcome in watch_index(settings, paths, stopped, shown):
                tell(outcome)
    except _Stopped:
        pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def report_lines(report: "Report") -> Iterator[str]:
    """What a refresh did."""
    for what, names in (("新增", report.new), ("变更", report.changed), ("移除", report.removed)):
        some = f"：{'、'.join(names[:_SHOWN])}{' 等' if len(names) > _SHOWN else ''}" if names else ""
        yield f"{what} {len(names)} 份{some}"
    yield f"未变 {len(report.unchanged)} 份"
    for item in report.duplicate:
        yield f"重复 {item.source}（与 {item.kept} 内容相同）"
    for item in report.failed:
        yield f"失败 {item.source}：{item.reason}"
    for source in report.withdrawn:
        path = re.sub(r"（其中 \d+ 份）$", "", source)  # so much of an archive
        yield f"不编入 {source}（已撤下；要恢复请点名：wenju index {path}）"
    yield (f"现有文件 {report.documents} 份，段落 {report.passages} 个；本次计算向量 {report.embedded} 个，沿用 {report.reused} 个，"
           f"用时 {report.seconds:.1f} 秒。")


def part_lines(report: "PartReport") -> Iterator[str]:
    """What was done for a part of an index."""
    for item in report.failed:
        yield f"失败 {item.source}：{item.reason}"
    yield (f"第 {report.part} 份：文件 {report.files} 份，段落 {report.passages} 个；本次计算向量 {report.embedded} 个，"
           f"已有 {report.reused} 个，用时 {report.seconds:.1f} 秒。")


def purged_lines(done: "Purged") -> Iterator[str]:
    """What was cleared away, and what the search for remains came to."""
    yield f"已清除 {'、'.join(done.sources)}（文件夹里的原文件没有动，再次索引时也不会编入）。"
    for what, names in (("删去备份", done.backups_removed), ("清理记录", done.cleaned)):
        if names:
            yield f"{what}：{'、'.join(names)}"
    yield (f"逐句查证：{done.sentences} 句（{done.shared} 句别的文件也有，不算残留），查了 {done.files_searched} 个文件，"
           f"残留 {len(done.found)} 处。")
    for trace in done.found:
        yield f"残留 {trace.file}：{trace.sentence[:60]}"
