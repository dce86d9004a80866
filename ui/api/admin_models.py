"""What comes in through the administrators' doors, as `ui.api.models` has it for the others."""

from typing import Literal

from pydantic import Field

from ui.api.models import Long, Short, Strict

Id = Short


class IndexRequest(Strict):
    """A run over these files (uploaded ones by name, or what GET /index calls loose), or over everything that was indexed before."""

    files: list[Short] = Field(default=[], max_length=1000, examples=[[]])
    withdraw: list[Id] = Field(default=[], max_length=1000, examples=[[]])


class Confirmed(Strict):
    """A step that wants saying twice. A body of JSON also keeps forms of other sites out."""

    confirm: Literal[True] = Field(examples=[True])


class CorrectionRequest(Strict):
    """What is to hold instead of what a document says, all of it: what is left out or empty is taken back."""

    title: Short = Field(default="", examples=["关于做好春节值班工作的通知"])
    issuer: list[Short] = Field(default=[], max_length=50)
    document_number: Short = ""
    issued_on: Short = Field(default="", examples=["2023-01-10"])
    addressees: list[Short] = Field(default=[], max_length=200)
    status: Literal["", "in_force", "expired", "superseded"] = ""
    status_reason: Short = ""
    groups: list[Short] = Field(default=[], max_length=50)


class DecisionRequest(Strict):
    """What becomes of a reader's complaint. quotes: the sentences that answer the question; none: no document does."""

    decision: Literal["accept", "dismiss"] = Field(examples=["dismiss"])
    quotes: list[Long] = Field(default=[], max_length=20)


class StartedModel(Strict):
    """The work has begun; how far it is, /api/v1/admin/job tells."""

    state: Literal["running"]


class ReceivedModel(Strict):
    """An uploaded file that could be read."""

    name: str
    bytes: int
    titles: list[str]
    refused: list[str]
