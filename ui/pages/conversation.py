"""What the page's events do: a session's turns, and how one grows."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from typing import Any

import gradio as gr
from markupsafe import Markup
from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request

from rag.schema import Event, answer_from_json
from ui.api.identity import Asker, asker_of
from ui.api.models import PageContext, SavedTurn
from ui.api.problems import explain
from ui.api.service import Service
from ui.api.shapes import name_of, with_references
from ui.pages import follow, shell, source, words
from ui.pages.escape import join
from ui.pages.turn import Lead, Turn, render

EXAMPLES = 4
_KEPT = 40
"""Turns a session shows; older ones leave the page."""
_LEADS = 3
_SAVED = TypeAdapter(list[SavedTurn])


class Talk:
    """A session's turns. Kept in the server's memory for as long as the page is open."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []

    def begin(self, question: str, filters: Mapping[str, str]) -> Turn:
        """A new turn at the end."""
        number = self.turns[-1].number + 1 if self.turns else 1
        self.turns = [*self.turns, Turn(number, question, filters)][-_KEPT:]
        return self.turns[-1]

    def history(self) -> list[str]:
        """The questions before the last one that were answered, oldest first."""
        return [turn.question for turn in self.turns[:-1] if turn.answer]


class Conversation:
    """The handlers of the page's events over one service. administers: whether an administrator sent a request."""

    def __init__(self, service: Service, administers: Callable[[Request], bool]) -> None:
        self._service, self._administers = service, administers

    async def ask(self, question: str, context: str, talk: Talk, request: gr.Request) -> AsyncIterator[tuple[Any, ...]]:
        """Updates for (box, past, current, follow) while the answer grows.

        context: a PageContext as JSON. An empty question, or one sent while an answer is still growing, changes nothing.
        """
        question = question.encode(errors="ignore").decode().strip()  # without halves of surrogate pairs
        if not question or (talk.turns and talk.turns[-1].busy):
            yield (gr.skip(),) * 4
            return
        past = join(render(turn) for turn in talk.turns)
        sent = _sent(context)
        turn = talk.begin(question, sent.filters)
        yield "" if sent.typed else gr.skip(), past, render(turn), ""
        async with aclosing(self._steps(asker_of(request), turn, talk.history())) as steps:
            async for _ in steps:
                yield gr.skip(), gr.skip(), render(turn), gr.skip()
        yield gr.skip(), gr.skip(), render(turn), gr.skip()

    async def _steps(self, asker: Asker, turn: Turn, history: list[str]) -> AsyncIterator[None]:
        """Lets the turn grow; yields when there is something new to show."""
        try:
            async with aclosing(self._service.stream(asker, "page", turn.question, history, turn.filters)) as events:
                async for event in events:
                    await self._take(asker, turn, event)
                    if turn.busy:
                        yield
        except Exception as error:
            _, message, hint = explain(error)
            turn.failed = (words.Word(message, message), words.Word(hint, hint))

    async def _take(self, asker: Asker, turn: Turn, event: Event) -> None:
        match event.kind:
            case "status":
                turn.steps.append(event.text)
            case "delta":
                turn.text += event.text
            case "answer":
                answer = event.answer
                if answer.status == "no_evidence":
                    turn.leads = await self._leads(asker, turn.question)
                turn.sources = await self._service.read(asker, lambda seen: source.render(answer, turn.number, seen.document, seen.status))
                turn.answer = answer

    async def _leads(self, asker: Asker, question: str) -> list[Lead]:
        """The nearest documents, each once, at the place that came closest."""
        found = await self._service.search(asker, "page", question)
        leads: dict[str, Lead] = {}
        for hit in found.hits:
            meta = hit.document.meta
            name = name_of(meta.title, meta.issuer, meta.document_number, hit.document.source)
            leads.setdefault(hit.document.id, Lead(hit.document.id, name, hit.passage.start, hit.passage.end))
        return list(leads.values())[:_LEADS]

    async def suggest(self, talk: Talk, request: gr.Request) -> Any:
        """The questions beneath the last answer; nothing when it has none, or a newer question has come."""
        turn = talk.turns[-1] if talk.turns else None
        if turn is None or turn.answer is None or turn.answer.status != "answered":
            return gr.skip()
        asked = {t.question for t in talk.turns}
        try:
            questions = await follow.questions(self._service, asker_of(request), turn.answer, turn.filters, asked)
        except Exception as error:
            explain(error)
            return gr.skip()
        return shell.following(questions) if talk.turns and talk.turns[-1] is turn else gr.skip()

    def stop(self, talk: Talk) -> Any:
        """The current turn after its answer was cut off."""
        if not talk.turns:
            return gr.skip()
        turn = talk.turns[-1]
        if turn.busy:
            turn.failed = (words.STOPPED, words.STOPPED_HINT)
        return render(turn)

    async def restore(self, saved: str, talk: Talk, request: gr.Request) -> tuple[Any, ...]:
        """Updates for (past, current, follow): a conversation the browser kept, or none of it for a new one."""
        talk.turns = []
        try:
            kept = _SAVED.validate_json(saved or "[]")[-_KEPT:]
        except ValidationError:
            kept = []
        asker = asker_of(request)
        for number, item in enumerate(kept, 1):
            answer = answer_from_json(item.answer.model_dump())
            sources = await self._service.read(asker, lambda seen, a=answer, n=number: source.render(a, n, seen.document, seen.status))
            leads = [Lead(lead.id, lead.name, lead.start, lead.end) for lead in item.leads]
            talk.turns.append(Turn(number, item.question, item.filters, answer=answer, sources=sources, leads=leads))
        shown = [render(turn) for turn in talk.turns] or [Markup()]
        return join(shown[:-1]), shown[-1], ""

    async def welcome(self, request: gr.Request) -> tuple[Any, ...]:
        """Updates for the questions to begin with, and for the filters."""
        try:
            questions, entries = await self._service.read(
                asker_of(request), lambda seen: (list(seen.examples())[:EXAMPLES], list(seen.documents())))
        except Exception as error:
            explain(error)
            return gr.skip(), gr.skip()
        return shell.offers(questions), shell.narrowing(entries, self._administers(request.request))

    async def text(self, question: str, request: gr.Request) -> str:
        """An answer as text with its citations, for gradio_client."""
        try:
            return with_references(await self._service.ask(asker_of(request), "gradio", question, (), {}))
        except Exception as error:
            _, message, hint = explain(error)
            return f"{message}{hint}"


def _sent(context: str) -> PageContext:
    """What came with a question; the plain case when the page sent nothing that can be read."""
    try:
        return PageContext.model_validate_json(context or "{}")
    except ValidationError:
        return PageContext()
