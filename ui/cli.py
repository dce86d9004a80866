"""The `wenju` command: parses, calls, prints. Exit codes: 0 done, 1 failed, 2 wrong use, 3 no evidence (`ask`)."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from rag.config import GENERATORS, Settings, load_settings, settings_in
from rag.errors import IndexMissing, UsageError, WenjuError

DONE, FAILED, WRONG_USE, NO_EVIDENCE = 0, 1, 2, 3


class _Parser(argparse.ArgumentParser):
    """argparse that explains mistakes in Chinese."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"命令写得不对：{_in_chinese(message)}。", f"用法见：{self.prog} --help")


def _in_chinese(message: str) -> str:
    for english, chinese in (
        ("unrecognized arguments: ", "不认识的参数 "), ("the following arguments are required: ", "缺少 "),
        ("expected one argument", "后面要有一个值"), ("invalid choice: ", "没有这个选项或命令 "), ("choose from", "可用的有"),
        ("expected at least one argument", "后面至少要有一个值"), ("argument ", "参数 "), ("invalid int value: ", "应为整数，不是 "),
        ("invalid float value: ", "应为数字，不是 "), ("not allowed with argument", "不能同时使用"),
    ):
        message = message.replace(english, chinese)
    return message.replace("COMMAND", "命令")


def parser() -> argparse.ArgumentParser:
    """All commands and their flags."""
    top = _Parser(prog="wenju", description="文据：公文问答，言必有据。", formatter_class=argparse.RawDescriptionHelpFormatter,
                  epilog="例：\n  wenju index seeds/\n  wenju ask 春节期间值班要求是什么？\n  wenju serve")
    commands = top.add_subparsers(dest="command", metavar="命令", required=True, parser_class=_Parser)

    def command(name: str, run: Callable[[argparse.Namespace], int], help: str, json_too: bool = True) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=help, description=help)
        sub.set_defaults(run=run)
        if json_too:
            sub.add_argument("--json", action="store_true", help="只在标准输出打印一个 JSON 文档")
        return sub

    sub = command("index", _index, "让索引与文件、文件夹保持一致（默认 seeds/）")
    sub.add_argument("paths", nargs="*", metavar="路径", help="文件或文件夹")
    sub.add_argument("--remove", action="append", default=[], metavar="ID或路径",
                     help="从索引中撤下一份文件（可重复）；它不再随文件夹编入，直到点名编入")
    sub.add_argument("--part", metavar="K/N", help="几台机器分着编入：这台只算 N 份中的第 K 份，存到 Milvus；都算完后，在保管索引的机器上不带 --part 再运行一次")
    sub.add_argument("--watch", action="store_true", help="一直跟着文件夹的变动更新，按 Ctrl+C 停止")

    sub = command("ask", _ask, "提问，得到带引文的答案（没有依据时退出码为 3）")
    sub.add_argument("question", metavar="问题", help="一句话；写 - 则从标准输入逐行读")
    _filters(sub)
    sub.add_argument("--history", action="append", default=[], metavar="前一问", help="同一会话中先前的问题（可重复，旧的在前）")
    sub.add_argument("--generator", choices=GENERATORS, metavar="名", help="怎样写答案：extractive（原文摘录，默认）、transformers（本机模型）、openai（模型服务）")
    sub.add_argument("--explain", action="store_true", help="同时说明为什么：理解、各阶段名次、判据")

    sub = command("search", _search, "只检索，不作答")
    sub.add_argument("query", metavar="查询", help="写 - 则从标准输入逐行读")
    sub.add_argument("-k", type=int, default=10, metavar="N", help="给出几段（默认 10）")
    _filters(sub)

    sub = command("docs", _docs, "列出文件；给出 ID 则看一份文件的章节")
    sub.add_argument("id", nargs="?", metavar="ID")
    sub.add_argument("--text", action="store_true", help="打印引文位置所指的全文")
    sub.add_argument("--purge", action="store_true", help="从索引、备份和记录中清除这份文件，并逐句查证没有残留（有残留时退出码为 1）")

    sub = command("serve", _serve, "启动网页和接口", json_too=False)
    sub.add_argument("--host", default="127.0.0.1", help="监听地址（默认 127.0.0.1，只供本机）")
    sub.add_argument("--port", type=int, default=7860, help="端口（默认 7860）")
    sub.add_argument("--anyone", action="store_true", help="没有设置身份（portal.identity）也监听其他地址：谁都可以提问")

    sub = command("verify", _verify, "把保存的答案逐条与原文核对")
    sub.add_argument("answer", metavar="ANSWER.json")
    command("check", _check, "检查索引是否完好")
    command("models", _models, "列出设置的和本机有的模型，检查文件夹和摘要，说明在内网怎样安装（在用的不可用时退出码为 1）")
    sub = command("backup", _backup, "把索引备份为一个文件")
    sub.add_argument("file", metavar="文件")
    sub = command("restore", _restore, "从备份恢复索引")
    sub.add_argument("file", metavar="文件")
    sub = command("audit", _audit, "导出审计日志：谁、何时、问了什么、引用了哪些文件", json_too=False)
    sub.add_argument("action", choices=["export"], metavar="export", help="导出为 CSV（可用电子表格打开）")
    sub.add_argument("file", nargs="?", default="-", metavar="文件", help="写到哪里（默认标准输出）")
    sub.add_argument("--since", metavar="日期", help="从哪天起（UTC，含当天），例如 2026-01-01")
    sub.add_argument("--until", metavar="日期", help="到哪天止（UTC，含当天）")
    if "eval" in sys.argv[1:2]:  # its libraries are not loaded for the other commands
        from eval.cli import register

        register(commands, _pipeline)
    else:
        commands.add_parser("eval", help="评测：run、compare 等", add_help=False)
    return top


def _filters(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--filter", action="append", default=[], metavar="名=值",
                     help="只看符合的文件：year、festival、place、issuer、document_number、title（可重复）")


def _filter_of(args: argparse.Namespace) -> dict[str, str]:
    pairs = [entry.partition("=") for entry in args.filter]
    for name, equals, value in pairs:
        if not (equals and name and value.strip()):
            raise UsageError(f"筛选条件“{name}”写得不对。", "写成 名=值，例如 --filter year=2023。")
    return {name: value for name, _, value in pairs}


# ---------------------------------------------------------------- printing

def _json(value: Any) -> None:
    from rag.schema import to_json

    print(json.dumps(to_json(value), ensure_ascii=False), flush=True)


def _say(text: str) -> None:
    """Progress and remarks: standard error, so that standard output holds the result alone."""
    print(text, file=sys.stderr, flush=True)


def _lines(argument: str) -> Iterable[str]:
    """The argument itself, or with "-" the lines of standard input."""
    if argument != "-":
        return [argument]
    return (line.rstrip("\r\n") for line in sys.stdin)


# ---------------------------------------------------------------- commands

def _settings(args: argparse.Namespace) -> Settings:
    config = getattr(args, "config", None)
    return load_settings({**(settings_in(config) if config else {}), "generator": getattr(args, "generator", None)})


def _pipeline(args: argparse.Namespace):
    settings = _settings(args)
    if not (settings.index / "CURRENT").exists():
        raise IndexMissing("还没有索引。", "请先运行：wenju index 文件夹")
    from rag.pipeline import Pipeline

    return Pipeline.open(settings)


def _index(args: argparse.Namespace) -> int:
    from rag.pipeline import build_index
    from ui.progress import Bar

    settings = _settings(args)
    paths = [Path(p) for p in args.paths] or ([] if args.remove else [Path("seeds")])
    if args.part:
        return _part(args, settings, paths)
    if args.watch:
        return _watch(args, settings, paths)
    with Bar() as bar:
        report = build_index(settings, paths, remove=args.remove, progress=bar.update)
    return _reported(args, report)


def _part(args: argparse.Namespace, settings: Settings, paths: list[Path]) -> int:
    from rag.index import Part
    from rag.pipeline import build_part
    from ui.progress import Bar
    from ui.upkeep import part_lines

    if args.remove or args.watch:
        raise UsageError("--part 不能和 --remove、--watch 同时使用。", "它只计算，不改动索引。")
    part = Part.parse(args.part)
    with Bar() as bar:
        report = build_part(settings, paths, part, progress=bar.update)
    _json(report) if args.json else print("\n".join(part_lines(report)), flush=True)
    return DONE


def _watch(args: argparse.Namespace, settings: Settings, paths: list[Path]) -> int:
    from ui.upkeep import watch

    if args.remove:
        raise UsageError("--watch 和 --remove 不能同时使用。", "请先运行 wenju index --remove，再运行 wenju index --watch。")

    def tell(outcome) -> None:
        if not isinstance(outcome, WenjuError):
            _reported(args, outcome)
        elif args.json:
            _json({"error": str(outcome)})
        else:
            _say(f"错误：{outcome}")

    watch(settings, paths, tell)
    _say("已停止。")
    return DONE


def _reported(args: argparse.Namespace, report) -> int:
    from ui.upkeep import report_lines

    if report.warning:
        _say(f"注意：{report.warning}")
    _json(report) if args.json else print("\n".join(report_lines(report)), flush=True)
    return DONE


def _ask(args: argparse.Namespace) -> int:
    pipeline, filters, one = _pipeline(args), _filter_of(args), args.question != "-"
    for question in _lines(args.question):
        try:
            answer = pipeline.ask(question, args.history, filters)
        except UsageError as error:
            if one:
                raise
            _json({"question": question, "status": "error", "error": str(error)}) if args.json else print(f"{error}\n")
            continue
        if args.json:
            _json(answer)
        else:
            print(_readable(answer) + ("\n" if not one else ""))
        if args.explain:
            _say(json.dumps(pipeline.explain(question, args.history, filters), ensure_ascii=False, indent=2))
        if one and answer.status == "no_evidence":
            return NO_EVIDENCE
    return DONE


def _readable(answer) -> str:
    import re

    text = re.sub(r"\\([\\`*_\[\]<>#|])", r"\1", answer.answer.replace("**", ""))
    lines = [text]
    if answer.interpreted.assumptions:
        lines.append("（" + "；".join(answer.interpreted.assumptions) + "）")
    if answer.citations:
        lines.append("\n依据：")
    for c in answer.citations:
        named = " ".join(x for x in (c.issuer, c.document_number, f"《{c.title}》" if c.title else None) if x) or c.source
        where = " > ".join(c.section_path)
        lines.append(f"[{c.id}] {named}{'｜' + where if where else ''}｜{c.source} 第{c.start}–{c.end}字")
    return "\n".join(lines)


def _search(args: argparse.Namespace) -> int:
    if args.k < 1:
        raise UsageError("-k 应为正整数。")
    from ui.api.shapes import search_json

    pipeline, filters = _pipeline(args), _filter_of(args)
    for query in _lines(args.query):
        try:
            found = pipeline.search(query, args.k, filters)
        except UsageError as error:
            if args.query != "-":
                raise
            _json({"query": query, "hits": [], "error": str(error)}) if args.json else print(f"{error}\n")
            continue
        if args.json:
            _json(search_json(found))
            continue
        for rank, hit in enumerate(found.hits, 1):
            print(f"{rank}. {hit.score:.3f} {hit.document.name}｜{' > '.join(hit.passage.section_path)}\n   {hit.passage.text[:120]}")
    return DONE


def _docs(args: argparse.Namespace) -> int:
    from rag.index import Index
    from rag.validity import KINDS, clock, status_of
    from ui.api.shapes import entry_json, validity_json

    settings = _settings(args)
    if args.purge:
        return _purge(args, settings)
    index = Index.open(settings.index)
    statuses = {id: status_of(entry, clock(settings), index.collection) for id, entry in index.metas.items()}
    if args.id is None:
        rows = [entry_json(e, statuses[e.id]) for e in index.metas.values()]
        if args.json:
            _json({"documents": rows})
        else:
            for row in rows:
                print(f"{row['id']}  {row['title'] or '（无标题）'}｜{row['issuer'] or ''}｜{row['document_number'] or ''}｜{row['issued_on'] or ''}｜{KINDS[row['status']]}｜{row['source']}")
        return DONE
    if args.id not in index.metas:
        raise UsageError(f"没有编号为“{args.id}”的文件。", "用 wenju docs 查看所有编号。")
    document = index.document(args.id)
    if args.text:
        sys.stdout.write(document.text)
        return DONE
    sections = [{"path": s.path, "start": s.start, "end": s.end} for s in document.sections]
    if args.json:
        entry, status = index.metas[args.id], statuses[args.id]
        _json({"documents": [entry_json(entry, status)], "sections": sections,
               "validity": validity_json(entry, status, index.collection.links_from(args.id), index.collection.links_to(args.id))})
    else:
        print(f"{KINDS[statuses[args.id].kind]}：{statuses[args.id].reason}")
        for s in document.sections:
            print("  " * (s.level - 1) + (s.path[-1] if s.path else "（无标题）") + f"  [{s.start}–{s.end}]")
    return DONE


def _purge(args: argparse.Namespace, settings: Settings) -> int:
    from rag.index import purge
    from rag.pipeline import engine_of
    from ui.upkeep import purged_lines

    if args.id is None:
        raise UsageError("没有说要清除哪份文件。", "写法：wenju docs --purge ID")
    done = purge(settings.home, settings.index, args.id, engine=engine_of(settings))
    _json(done) if args.json else print("\n".join(purged_lines(done)))
    return FAILED if done.found else DONE


def _serve(args: argparse.Namespace) -> int:
    from ui.api.settings import Portal

    portal = Portal.load()
    local = args.host in ("127.0.0.1", "::1", "localhost")
    if portal.identity == "none" and not local:
        if not args.anyone:
            raise UsageError(f"没有设置身份，不能在 {args.host} 上监听：网络上的任何人都可以提问。",
                             "请设置 portal.identity；确实要对所有人开放，就加上 --anyone。")
        _say(f"注意：没有设置身份，能连到 {args.host}:{args.port} 的任何人都可以提问。")
    pipeline = _pipeline(args)
    hidden = len(pipeline.documents()) - len(pipeline.visible_to(()).documents())
    if portal.identity == "none" and hidden:
        _say(f"注意：有 {hidden} 份文件只给指定的人看，而没有设置身份（portal.identity），网页和接口里看不到它们。")
    from ui.server import serve

    pipeline.warm()
    ready = partial(_say, f"文据已启动：http://{args.host}:{args.port}{portal.root_path}（按 Ctrl+C 停止）")
    try:
        serve(pipeline, portal, args.host, args.port, ready)
    except OSError as error:
        raise WenjuError(f"不能在 {args.host}:{args.port} 上监听：{error.strerror}。", "换一个端口：wenju serve --port 7861") from error
    return DONE


def _verify(args: argparse.Namespace) -> int:
    from rag.citations import problems
    from rag.index import Index
    from rag.schema import answer_from_json

    try:
        answer = answer_from_json(json.loads(Path(args.answer).read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise UsageError(f"读不出答案文件 {args.answer}：{error}", "请给出 wenju ask --json 保存的文件。") from error
    index = Index.open(_settings(args).index)
    wrong = problems(answer, lambda id: index.document(id).text if id in index.metas else None)
    return _verdict(args, wrong, f"{len(answer.citations)} 处引文全部与原文一致。")


def _check(args: argparse.Namespace) -> int:
    from rag.index import check
    from rag.pipeline import engine_of

    settings = _settings(args)
    return _verdict(args, check(settings.index, engine=engine_of(settings)), "索引完好。")


def _models(args: argparse.Namespace) -> int:
    from rag.schema import to_json
    from ui.modelling import INSTALLING, lines, models

    settings = load_settings()
    found = list(models(settings))
    if args.json:
        _json({"generator": settings.generator, "installing": INSTALLING, "models": [
            {**to_json(model), "digests": dict(model.digests)} for model in found]})
    else:
        print("\n".join(lines(found, settings)))
    return DONE if all(model.ok for model in found if model.used) else FAILED


def _verdict(args: argparse.Namespace, wrong: list[str], fine: str) -> int:
    if args.json:
        _json({"ok": not wrong, "problems": wrong})
    else:
        print("\n".join(wrong) if wrong else fine)
    return FAILED if wrong else DONE


def _backup(args: argparse.Namespace) -> int:
    from rag.index import backup

    backup(_settings(args).index, Path(args.file))
    _json({"file": args.file}) if args.json else print(f"已备份到 {args.file}")
    return DONE


def _restore(args: argparse.Namespace) -> int:
    from rag.index import restore
    from rag.pipeline import engine_of

    settings = _settings(args)
    generation = restore(Path(args.file), settings.index, engine=engine_of(settings))
    _json({"generation": generation}) if args.json else print("已恢复。")
    return DONE


def _audit(args: argparse.Namespace) -> int:
    import datetime as dt

    from ui.api.audit import entries, export

    try:
        since, until = (dt.date.fromisoformat(day) if day else None for day in (args.since, args.until))
    except ValueError as error:
        raise UsageError("日期写得不对。", "写成 2026-01-01 这样。") from error
    rows = entries(_settings(args).home / "audit", since, until)
    if args.file == "-":
        export(rows, sys.stdout)
        return DONE
    try:
        with Path(args.file).open("x", encoding="utf-8-sig", newline="") as file:  # spreadsheets know UTF-8 by its mark
            count = export(rows, file)
    except OSError as error:
        raise WenjuError(f"不能写 {args.file}：{error.strerror}。", "换一个还不存在的文件名。") from error
    print(f"已导出 {count} 条到 {args.file}")
    return DONE


def main(argv: list[str] | None = None) -> int:
    """Runs one command; every error of ours becomes one line on standard error."""
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    try:
        args = parser().parse_args(argv)
        return args.run(args)
    except UsageError as error:
        _say(f"错误：{error}")
        return WRONG_USE
    except WenjuError as error:
        _say(f"错误：{error}")
        return FAILED
    except MemoryError:
        _say("错误：内存不足。请关闭其他程序，或换一台内存更大的机器。")
        return FAILED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except KeyboardInterrupt:
        _say("已停止。")
        return FAILED


if __name__ == "__main__":
    sys.exit(main())
