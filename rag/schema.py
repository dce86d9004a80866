"""The value types, in the order of the flow: document → passage → hit → answer.

All offsets are counted in Unicode code points of `Document.text`, the original file as decoded;
`end` is exclusive. Nothing here computes more than a view of its own fields.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache
from typing import Any, Literal

Status = Literal["answered", "no_evidence", "clarify"]


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open range of a document's text."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Section:
    """A numbered or named part of a document; `path` holds the headings from the outermost to its own.

    `label` is the number as written ("七、", "（一）", "3、", "第五条", "二要"; "" for unnumbered parts such as an
    article of a newspaper page). `start`–`end` covers the heading and everything below it. Sections
    are listed in reading order, parents before children; `parent` is an index into that list or -1.
    `kind`: "part" (numbered or titled), "article" (one of several articles on a page),
    "attachment", "contacts", "signature", "imprint" (版记: who gets a copy, who printed it and when).
    """

    path: tuple[str, ...]
    label: str
    level: int
    start: int
    end: int
    parent: int = -1
    kind: str = "part"


@dataclass(frozen=True, slots=True)
class Relation:
    """What a document does to another one, which it calls by `title` and `number` (at least one is there).

    `span`: where in the document's own text it says so.
    """

    kind: Literal["amends", "repeals", "replies_to", "forwards"]
    title: str | None
    number: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a document says of itself. `proof` maps a field's name to the span that says so.

    `years`, `festivals`, `places` and `period` (as written) say what the document speaks of (2023, 春节, 吉林省,
    "2023年元旦春节期间"); dates are ISO strings, `expires_on` the last day in force. `status` is what an administrator or
    the page's header states; whether the document is in force today is computed: see `rag.validity`.
    """

    title: str | None = None
    issuers: tuple[str, ...] = ()
    document_number: str | None = None
    issued_on: str | None = None
    published_on: str | None = None
    addressees: tuple[str, ...] = ()
    kind: str | None = None
    years: tuple[int, ...] = ()
    festivals: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    period: str | None = None
    effective_on: str | None = None
    expires_on: str | None = None
    relations: tuple[Relation, ...] = ()
    secrecy: str | None = None
    """密级, with its term when one is written: "机密★1年"."""
    urgency: str | None = None
    copied_to: tuple[str, ...] = ()
    """Who gets a copy (抄送)."""
    status: str = "unknown"
    status_reason: str | None = None
    groups: tuple[str, ...] = ()
    """Who may see the document; empty: everybody. Only an administrator sets it."""
    proof: Mapping[str, Span] = field(default_factory=dict)

    @property
    def issuer(self) -> str | None:
        """All issuers in one string, joined as Chinese writes it."""
        return "、".join(self.issuers) or None


@dataclass(frozen=True, slots=True)
class Document:
    """One file. `id` depends on the file's bytes alone, never on its name or metadata."""

    id: str
    source: str
    sha256: str
    text: str
    meta: Metadata
    sections: tuple[Section, ...]
    body: tuple[Span, ...] = ()
    """The stretches of `text` that are content (page furniture lies outside), in reading order."""
    pages: tuple[int, ...] = ()
    """Where each page starts in `text`; empty when the format has no pages."""
    also_at: tuple[str, ...] = ()
    """Other paths with the same bytes. (A member of an archive: the archive's path, "/", its own path.)"""

    @property
    def name(self) -> str:
        """What people call the document: its title, else issuer and number, else the file's name."""
        meta = self.meta
        if meta.title:
            return meta.title
        named = " ".join(x for x in (meta.issuer, meta.document_number) if x)
        return named or self.source.rsplit("/", 1)[-1]


@dataclass(frozen=True, slots=True)
class Passage:
    """The unit that is embedded and retrieved; lies inside one section.

    Invariant: `document.text[start:end]` and `text` are equal once white space is removed from both.
    `section` is an index into `document.sections`, -1 for text outside every section.
    """

    document_id: str
    section: int
    section_path: tuple[str, ...]
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Trace:
    """One stage's view of a hit: 1-based rank, and the score in that stage's own unit."""

    stage: str
    rank: int
    score: float


@dataclass(frozen=True, slots=True)
class Hit:
    """A retrieved passage. `row` is its number in the generation."""

    row: int
    passage: Passage
    document: Document
    score: float
    trace: tuple[Trace, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """A stretch of whole sentences of a document that speaks to the question.

    span: in the document's text. text: the same, joined for reading. point: the run of its clauses that would make the first
    line; said: the share of what is asked that it says, and 1 more each for the thing and the section asked for; worth: how
    well it would do beside other runs of this evidence (`rag.points`). score: how well it meets the question; only its order means something.
    """

    document: Document
    section_path: tuple[str, ...]
    span: Span
    text: str
    point: str
    said: float
    worth: float
    score: float


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence of an answer in the making and the evidence (indexes into the evidence list) behind it."""

    text: str
    evidence: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """Statements under one heading, normally those of one document. `heading` is Markdown without a marker."""

    heading: str
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """What a generator made of the evidence: the point, the details, a closing remark (uncited, about the documents).

    `tabular`: the blocks stand side by side, as the rows of a table. `written`: sentences of a language model, which come
    first.
    """

    point: tuple[Statement, ...]
    blocks: tuple[Block, ...]
    remark: str = ""
    tabular: bool = False
    written: tuple[Statement, ...] = ()


@dataclass(frozen=True, slots=True)
class Citation:
    """A span of a document that supports a claim; `id` is the [n] of the answer, counted from 1."""

    id: int
    document_id: str
    source: str
    title: str | None
    issuer: str | None
    document_number: str | None
    issued_on: str | None
    section_path: tuple[str, ...]
    quote: str
    start: int
    end: int
    page: int | None
    score: float


@dataclass(frozen=True, slots=True)
class Claim:
    """One statement of an answer and the ids of the citations that support it."""

    text: str
    citations: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Interpreted:
    """How the question was understood, so that a person can correct it."""

    standalone_question: str
    filters: Mapping[str, str] = field(default_factory=dict)
    assumptions: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    """Whole questions, one of which may be the one that was meant."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The one shape every door gives out (DESIGN.md 5.2)."""

    question: str
    status: Status
    answer: str
    claims: tuple[Claim, ...]
    citations: tuple[Citation, ...]
    confidence: float
    generator: str
    generation: str
    interpreted: Interpreted
    timings_ms: Mapping[str, float]
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Retrieval:
    """What a search found, best first, with the milliseconds each stage took."""

    query: str
    hits: tuple[Hit, ...]
    timings_ms: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Event:
    """One step of a streamed answer: a `status` line, a `delta` of Markdown text, or the whole `answer` at the end."""

    kind: Literal["status", "delta", "answer"]
    text: str = ""
    answer: Answer | None = None


def to_json(value: Any) -> Any:
    """Values as plain dicts and lists, ready for a JSON encoder; keeps the order of fields.

    `reason` is left out of an answered `Answer`, as the contract has it.
    """
    if type(value) in _PLAIN:
        return value
    if names := _names(type(value)):
        out = {name: to_json(getattr(value, name)) for name in names}
        if isinstance(value, Answer) and value.status == "answered":
            out.pop("reason")
        return out
    if isinstance(value, Mapping):
        return {str(k): to_json(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(v) for v in value]
    return value


_PLAIN = frozenset((str, int, float, bool, type(None)))


@cache
def _names(kind: type) -> tuple[str, ...]:
    """The fields of a dataclass; none of another type."""
    return tuple(f.name for f in fields(kind)) if is_dataclass(kind) else ()


def answer_from_json(data: Any) -> Answer:
    """An `Answer` from its JSON form. Raises ValueError when a field is missing or of the wrong kind."""
    try:
        citations = tuple(
            Citation(**{f.name: tuple(c[f.name]) if f.name == "section_path" else c[f.name] for f in fields(Citation)})
            for c in data["citations"]
        )
        claims = tuple(Claim(c["text"], tuple(c["citations"])) for c in data["claims"])
        seen = data["interpreted"]
        interpreted = Interpreted(seen["standalone_question"], seen["filters"], tuple(seen["assumptions"]), tuple(seen.get("choices", ())))
        return Answer(**{f.name: data.get(f.name) for f in fields(Answer)} | {
            "citations": citations, "claims": claims, "interpreted": interpreted})
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"不是一份答案：{error}") from error
