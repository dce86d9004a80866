"""From feedback to questions: what readers marked as bad waits here until an evaluator takes it into a set or leaves it.

Nothing is taken by itself: a reader says that an answer is bad, only the evaluator says what a good one rests on, and
that is a quote which stands in a source. Decisions are appended to a file beside the feedback.
"""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.asker import Asker
from eval.files import whole_lines, write_whole
from eval.sets import EvalItem, Gold, item_json, load_set, parse_item
from rag.errors import UsageError
from rag.text import compact, readable

RATINGS: Mapping[str, str] = {"down": "没帮助", "wrong_citation": "引文有误", "up": "有帮助"}


@dataclass(frozen=True, slots=True)
class Cited:
    """A place that the answer cited. `quote` is "" when the document is gone."""

    source: str
    quote: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A question a reader was not content with. answer, generation: what was answered, by which index."""

    id: str
    at: str
    rating: str
    question: str
    history: tuple[str, ...]
    comment: str
    answer: str
    generation: str
    cited: tuple[Cited, ...]


class Review:
    """The candidates of one home. Raises UsageError for anything an evaluator can put right."""

    def __init__(self, feedback: Path, asker: Asker) -> None:
        """feedback: the book that the page writes; decisions go into `reviewed.jsonl` beside it."""
        self._feedback, self._decided = feedback, feedback.with_name("reviewed.jsonl")
        self._asker = asker
        self._sources = {entry.id: entry.source for entry in asker.documents()}

    def candidates(self, ratings: Sequence[str] = ("down", "wrong_citation")) -> list[Candidate]:
        """Those not decided yet, oldest first."""
        decided = {json.loads(line)["id"] for line in whole_lines(self._decided)}
        entries = [entry for line in whole_lines(self._feedback) if (entry := _entry(line))]
        return [self._candidate(e) for e in entries if e["rating"] in ratings and e["id"] not in decided]

    def accept(
        self, id: str, into: Path, quotes: Sequence[str], question: str | None = None, must_include: Sequence[str] = (),
        type: str | None = None,
    ) -> EvalItem:
        """Takes a candidate into a set (made if need be). quotes: the gold; none: the documents do not answer it.

        The set is written only if it loads with every quote in its source.
        """
        found = self._find(id)
        gold = tuple(self._gold(q) for q in quotes)
        kind = type or ("fact" if gold else "no_answer")
        note = f"反馈：{RATINGS[found.rating]}，索引 {found.generation or '不详'}" + (f"；{found.comment}" if found.comment else "")
        item = EvalItem(f"feedback-{found.id}", question or found.question, answerable=bool(gold), type=kind, gold=gold,
                        must_include=tuple(must_include), history=found.history, tags=("feedback", found.rating),
                        note=note)  # fmt: skip
        _append(item, into, self._asker)
        self._decide(found, "accepted", into.as_posix())
        return item

    def reject(self, id: str) -> None:
        """Leaves a candidate for good."""
        self._decide(self._find(id), "rejected", "")

    # ------------------------------------------------------------ inside

    def _find(self, id: str) -> Candidate:
        found = [c for c in self.candidates(tuple(RATINGS)) if c.id == id]
        if not found:
            raise UsageError(f"没有编号为 {id} 的待审题目。", "用 wenju eval review --json 查看还有哪些。")
        return found[0]

    def _candidate(self, entry: Mapping[str, Any]) -> Candidate:
        cited = []
        for place in entry.get("citations", ()):
            source = self._sources.get(place["document_id"])
            text = self._asker.text_of(source)[place["start"] : place["end"]] if source else ""
            cited.append(Cited(source or place["document_id"], readable(text)))
        return Candidate(entry["id"], entry["at"], entry["rating"], entry["question"], tuple(entry.get("history", ())),
                         entry.get("comment", ""), entry.get("answer", ""), entry.get("generation", ""), tuple(cited))

    def _gold(self, quote: str) -> Gold:
        """The quote with the source it stands in."""
        wanted = compact(quote)
        if not wanted:
            raise UsageError("引句是空的。", "请从原文里照抄一句。")
        for source in self._sources.values():
            if wanted in compact(self._asker.text_of(source)):
                return Gold(source, quote)
        raise UsageError(f"“{quote[:30]}”不在任何文件里。", "引句须与原文一字不差（空白除外），请照原文改正。")

    def _decide(self, candidate: Candidate, decision: str, into: str) -> None:
        now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        line = json.dumps({"id": candidate.id, "at": now, "decision": decision, "into": into}, ensure_ascii=False)
        write_whole(self._decided, "".join(f"{x}\n" for x in [*whole_lines(self._decided), line]))


def _entry(line: str) -> dict[str, Any] | None:
    """A line of the feedback book; None for what is none, so that one damaged line does not hide the others."""
    try:
        entry = json.loads(line)
        entry["id"], entry["at"], entry["question"]
        [(p["document_id"], p["start"], p["end"]) for p in entry.get("citations", ())]
        return entry if entry["rating"] in RATINGS else None
    except (ValueError, KeyError, TypeError):
        return None


def _append(item: EvalItem, into: Path, asker: Asker) -> None:
    before = into.read_text(encoding="utf-8") if into.is_file() else ""
    parse_item(item_json(item), "新题")
    into.parent.mkdir(parents=True, exist_ok=True)
    draft = into.with_name(into.name + ".draft")
    try:
        end = "" if not before or before.endswith("\n") else "\n"
        write_whole(draft, before + end + json.dumps(item_json(item), ensure_ascii=False) + "\n")
        load_set(draft, asker.text_of)
        draft.replace(into)
    finally:
        draft.unlink(missing_ok=True)
