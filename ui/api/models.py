"""What comes in, and what goes out as OpenAPI describes it. With `admin_models` the only home of pydantic.

Requests are checked against these; responses are built from `rag.schema` and only described here
(a test keeps the two equal).
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError


def _whole(text: str) -> str:
    """JSON can spell half of a surrogate pair, which is no character and can be written nowhere."""
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise PydanticCustomError("string_unicode", "lone surrogate")
    return text


Text = Annotated[str, AfterValidator(_whole)]
Short = Annotated[Text, Field(max_length=200)]
Long = Annotated[Text, Field(max_length=20_000)]
FilterName = Literal["year", "festival", "place", "issuer", "document_number", "title", "kind", "in_force"]


class Strict(BaseModel):
    """Unknown members are errors: a misspelt name must not pass in silence."""

    model_config = ConfigDict(extra="forbid")


# ---------------------------------------------------------------- requests

class AskRequest(Strict):
    """A question, the earlier questions of the conversation (oldest first), filters, and who is to write the answer.

    generator: "extractive", or the one that the service is set to; anything else is refused.
    """

    question: Text = Field(examples=["春节期间值班要求是什么？"])
    history: list[Long] = Field(default=[], max_length=50, examples=[[]])
    filters: dict[FilterName, Short] = Field(default={}, examples=[{}])
    generator: Literal["extractive", "transformers", "openai"] | None = Field(default=None, examples=["extractive"])


class SearchRequest(Strict):
    """A search for passages, without an answer."""

    query: Text = Field(examples=["值班室电话"])
    k: int = Field(default=10, ge=1, le=100)
    filters: dict[FilterName, Short] = Field(default={}, examples=[{}])


class Cited(Strict):
    """One place of a document."""

    document_id: Short
    start: int = Field(ge=0)
    end: int = Field(ge=0)


class FeedbackRequest(Strict):
    """What a reader thinks of an answer."""

    rating: Literal["up", "down", "wrong_citation"] = Field(examples=["wrong_citation"])
    question: Long = Field(examples=["春节期间值班要求是什么？"])
    comment: Text = Field(default="", max_length=2000, examples=["第2处引文说的是另一年。"])
    answer: Long = ""
    history: list[Long] = Field(default=[], max_length=40)
    generation: Short = ""
    citations: list[Cited] = Field(default=[], max_length=200)


class TextPart(BaseModel):
    """A part of a message; parts other than text are ignored."""

    type: Short
    text: Long = ""


class Message(BaseModel):
    """A message of a conversation. Members Wenju has no use for are ignored, as OpenAI's clients send many."""

    role: Short = Field(examples=["user"])
    content: Long | list[TextPart] | None = Field(default=None, examples=["春节期间值班要求是什么？"])

    @property
    def text(self) -> str:
        """The message's text."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content if part.type == "text")
        return self.content or ""


class StreamOptions(BaseModel):
    """Options of a streamed completion."""

    include_usage: bool = False


class ChatRequest(BaseModel):
    """An OpenAI chat completion request. The last user message is the question, earlier ones are its history."""

    model: Short = "wenju"
    messages: list[Message] = Field(min_length=1, max_length=500, examples=[[{"role": "user", "content": "春节期间值班要求是什么？"}]])
    stream: bool = False
    stream_options: StreamOptions | None = None


# ---------------------------------------------------------------- responses

class CitationModel(Strict):
    """A span of a document that supports a claim; offsets are code points of the document's text."""

    id: int
    document_id: str
    source: str
    title: str | None
    issuer: str | None
    document_number: str | None
    issued_on: str | None
    section_path: list[str]
    quote: str
    start: int
    end: int
    page: int | None
    score: float


class ClaimModel(Strict):
    """One statement and the ids of its citations."""

    text: str
    citations: list[int]


class InterpretedModel(Strict):
    """How the question was understood."""

    standalone_question: str
    filters: dict[str, str]
    assumptions: list[str]
    choices: list[str] = []


class AnswerModel(Strict):
    """The one shape of an answer (`reason` only with `no_evidence` and `clarify`)."""

    question: str
    status: Literal["answered", "no_evidence", "clarify"]
    answer: str
    claims: list[ClaimModel]
    citations: list[CitationModel]
    confidence: float
    generator: str
    generation: str
    interpreted: InterpretedModel
    timings_ms: dict[str, float]
    reason: str | None = None


_REFUSAL = {
    "question": "食堂几点开饭？", "status": "no_evidence", "answer": "没有找到依据：现有文件中没有写到食堂。", "claims": [], "citations": [],
    "confidence": 0.1, "generator": "extractive", "generation": "0123456789abcdef", "reason": "现有文件中没有写到食堂。",
    "interpreted": {"standalone_question": "食堂几点开饭？", "filters": {}, "assumptions": [], "choices": []}, "timings_ms": {"total": 21.0},
}


class ExportRequest(Strict):
    """An answer to take away. It is checked against the documents first."""

    answer: AnswerModel = Field(examples=[_REFUSAL])
    format: Literal["docx", "markdown", "text"] = "docx"


class LeadModel(Strict):
    """A document close to a question that has no answer."""

    id: Short
    name: Short
    start: int = Field(ge=0)
    end: int = Field(ge=0)


class PageContext(Strict):
    """What the page sends along with a question. typed: it stands in the box, and not on a button."""

    filters: dict[FilterName, Short] = {}
    typed: bool = True


class SavedTurn(Strict):
    """A finished turn as a browser kept it."""

    question: Long
    filters: dict[FilterName, Short] = {}
    answer: AnswerModel
    leads: list[LeadModel] = Field(default=[], max_length=10)


class TraceModel(Strict):
    """One stage's view of a hit."""

    stage: str
    rank: int
    score: float


class HitModel(Strict):
    """A retrieved passage."""

    rank: int
    document_id: str
    source: str
    section_path: list[str]
    text: str
    start: int
    end: int
    score: float
    trace: list[TraceModel]


class SearchModel(Strict):
    """Passages, best first."""

    query: str
    hits: list[HitModel]
    timings_ms: dict[str, float]


class EntryModel(Strict):
    """One document of the list."""

    id: str
    source: str
    title: str | None
    issuer: str | None
    document_number: str | None
    issued_on: str | None
    addressees: list[str]
    status: str


class DocumentsModel(Strict):
    """The documents of the index."""

    documents: list[EntryModel]


class SectionModel(Strict):
    """A section: headings from the outermost to its own, and its range."""

    path: list[str]
    start: int
    end: int


class DocumentModel(EntryModel):
    """One document with its text, sections and metadata."""

    metadata: dict[str, Any]
    sections: list[SectionModel]
    text: str
    validity: dict[str, Any]
    namesakes: list[str]
    series: dict[str, str]


class ReceiptModel(Strict):
    """Feedback was written down."""

    id: str


class ProblemModel(BaseModel):
    """RFC 9457 problem details."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[dict[str, str]] | None = None


class ReadyModel(Strict):
    """The service can answer."""

    status: Literal["ready"]
    generation: str
