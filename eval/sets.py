"""Eval sets: JSONL, one question a line (DESIGN.md 5.4), checked on load.

Gold is a *quote in a source*, so changing how documents are cut never voids a set. A quote may be "" when
only the right document is known; then `answers`, if given, are looked for in it. Shipped sets lie in `sets/`.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from rag.errors import UsageError
from rag.schema import to_json
from rag.text import compact

SHIPPED = Path(__file__).with_name("sets")


@dataclass(frozen=True, slots=True)
class Gold:
    """Where the answer stands. `quote` equals a stretch of the source, white space aside; "" is the whole document."""

    source: str
    quote: str = ""


@dataclass(frozen=True, slots=True)
class EvalItem:
    """One question.

    gold: any one of them is enough, unless `all_gold`. answers: short answers, any one is enough.
    must_include: strings the answer has to say; "甲|乙" is satisfied by either. must_exclude: strings that no answer
    may show, such as what a hostile question asks for. history: earlier questions, oldest
    first. standalone: the follow-up written out, for reading only. filters: handed to the asker.
    """

    id: str
    question: str
    answerable: bool = True
    type: str = "fact"
    gold: tuple[Gold, ...] = ()
    must_include: tuple[str, ...] = ()
    must_exclude: tuple[str, ...] = ()
    history: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    filters: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    all_gold: bool = False
    standalone: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class EvalSet:
    """A checked set. `digest` is the SHA-256 of the file."""

    name: str
    digest: str
    items: tuple[EvalItem, ...]


def find_set(name: str) -> Path:
    """The file of a set given as a path or as the name of a shipped one. Raises UsageError."""
    path = Path(name)
    if path.is_file():
        return path
    shipped = SHIPPED / f"{name}.jsonl"
    if path.name == name and shipped.is_file():
        return shipped
    known = "、".join(sorted(p.stem for p in SHIPPED.glob("*.jsonl"))) or "（无）"
    raise UsageError(f"找不到评测集 {name}。", f"请给出 .jsonl 文件的路径，或自带评测集的名字：{known}。")


def load_set(path: Path, text_of: Callable[[str], str] | None = None) -> EvalSet:
    """The set in a file.

    text_of: the text of a source (KeyError when unknown); with it every quote is looked up in its source.
    Raises UsageError naming file and line for whatever is wrong.
    """
    try:
        raw = path.read_bytes()
        lines = raw.decode("utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"读不了评测集 {path}：{error}。", "请确认文件存在，并以 UTF-8 保存。") from error
    items: list[EvalItem] = []
    seen: dict[str, int] = {}
    check = _quote_checker(text_of) if text_of else None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{path.name} 第 {number} 行"
        item = parse_item(_parsed(line, where), where)
        if item.id in seen:
            raise UsageError(f"{where}：id “{item.id}” 与第 {seen[item.id]} 行重复。", "每道题的 id 必须不同。")
        seen[item.id] = number
        if check:
            check(item, where)
        items.append(item)
    if not items:
        raise UsageError(f"评测集 {path.name} 里没有题目。", "每行写一道题，格式见 DESIGN.md 5.4。")
    return EvalSet(path.stem, hashlib.sha256(raw).hexdigest(), tuple(items))


def save_set(items: Iterable[EvalItem], path: Path) -> None:
    """Writes items as JSONL; fields at their default are left out."""
    with path.open("w", encoding="utf-8", newline="\n") as out:
        for item in items:
            out.write(json.dumps(item_json(item), ensure_ascii=False) + "\n")


def item_json(item: EvalItem) -> dict[str, Any]:
    """The item as plain JSON values, without optional fields that say nothing."""
    always = ("id", "question", "answerable", "type")
    return {k: v for k, v in to_json(item).items() if k in always or v}


# ---------------------------------------------------------------- one line

_KINDS: Mapping[str, str] = {
    "id": "text", "question": "text", "answerable": "bool", "type": "text", "gold": "gold", "must_include": "texts",
    "must_exclude": "texts", "history": "texts", "answers": "texts", "filters": "map", "tags": "texts", "all_gold": "bool",
    "standalone": "text", "note": "text",
}  # fmt: skip
_SAID = {"text": "字符串", "bool": "true 或 false", "texts": "字符串的列表", "map": "键和值都是字符串的对象",
         "gold": "{\"source\", \"quote\"} 的列表"}  # fmt: skip


def parse_item(value: Any, where: str) -> EvalItem:
    """An item from decoded JSON; `where` names the place in errors. Raises UsageError."""
    if not isinstance(value, dict):
        raise UsageError(f"{where}：应是一个 JSON 对象。", "每行写一道题，形如 {\"id\": …, \"question\": …}。")
    if unknown := sorted(set(value) - set(_KINDS)):
        known = "、".join(f.name for f in fields(EvalItem))
        raise UsageError(f"{where}：有不认识的字段 {'、'.join(unknown)}。", f"可用的字段有：{known}。")
    for name, content in value.items():
        if not _is(content, _KINDS[name]):
            raise UsageError(f"{where}：字段 {name} 应是{_SAID[_KINDS[name]]}。")
    for name in ("id", "question"):
        if not value.get(name, "").strip():
            raise UsageError(f"{where}：缺少 {name}。", "每道题都要有 id 和 question。")
    gold = tuple(Gold(g["source"], g.get("quote", "")) for g in value.get("gold", []))
    if value.get("answerable", True) and not gold:
        hint = "请写明答案在哪个文件的哪句话，或标 \"answerable\": false。"
        raise UsageError(f"{where}：可回答的题缺少 gold。", hint)
    made = {k: tuple(v) if isinstance(v, list) else v for k, v in value.items()}
    return EvalItem(**(made | {"gold": gold}))


def _is(value: Any, kind: str) -> bool:
    match kind:
        case "text":
            return isinstance(value, str)
        case "bool":
            return isinstance(value, bool)
        case "texts":
            return isinstance(value, list) and all(isinstance(v, str) for v in value)
        case "map":
            return isinstance(value, dict) and all(isinstance(v, str) for v in value.values())
        case _:
            return isinstance(value, list) and all(
                isinstance(g, dict) and set(g) <= {"source", "quote"} and isinstance(g.get("source"), str)
                and g["source"] and isinstance(g.get("quote", ""), str) for g in value
            )  # fmt: skip


def _parsed(line: str, where: str) -> Any:
    try:
        return json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
        raise UsageError(f"{where}：不是合格的 JSON（{error}）。", "每行应是一个完整的 JSON 对象。") from error


def _quote_checker(text_of: Callable[[str], str]) -> Callable[[EvalItem, str], None]:
    texts: dict[str, str] = {}

    def check(item: EvalItem, where: str) -> None:
        for gold in item.gold:
            if gold.source not in texts:
                try:
                    texts[gold.source] = compact(text_of(gold.source))
                except KeyError as error:
                    hint = "请先用 wenju index 把它编入索引，或改正 source。"
                    raise UsageError(f"{where}：索引里没有文件 {gold.source}。", hint) from error
            if compact(gold.quote) not in texts[gold.source]:
                hint = "引句须与原文一字不差（空白除外），请照原文改正。"
                raise UsageError(f"{where}：“{_short(gold.quote)}”不在 {gold.source} 里。", hint)

    return check


def _short(text: str) -> str:
    return text if len(text) <= 30 else text[:30] + "……"
