"""The Gradio application: one conversation, its composer, the source panel, the documents view.

Gradio carries the conversation (question in, markup out as it grows). What happens between two questions
(opening a source, walking through quotes, copying, feedback, the documents view) is plain HTML with
static/page.js, so that it is instant and works while an answer streams.
"""

import os
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import gradio as gr

from rag.schema import Event
from ui.api.identity import Asker, asker_of
from ui.api.problems import explain
from ui.api.service import Service
from ui.api.shapes import name_of, with_references
from ui.pages import shell, source, words
from ui.pages.escape import join
from ui.pages.turn import Lead, Turn, render

EXAMPLES = 4
_KEPT = 40
"""Turns a session shows; older ones leave the page."""
_LEADS = 3
_FONTS = ["system-ui", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", "sans-serif"]


class Talk:
    """A session's turns. Kept in the server's memory for as long as the page is open."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []

    def begin(self, question: str) -> Turn:
        """A new turn at the end."""
        number = self.turns[-1].number + 1 if self.turns else 1
        self.turns = [*self.turns, Turn(number, question)][-_KEPT:]
        return self.turns[-1]

    def history(self) -> list[str]:
        """The questions before the last one that were answered, oldest first."""
        return [turn.question for turn in self.turns[:-1] if turn.answer]


class Conversation:
    """What the page's events do."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def ask(self, question: str, talk: Talk, request: gr.Request) -> AsyncIterator[tuple[Any, ...]]:
        """Updates for (box, past, current, send, stop, welcome, examples) while the answer grows.

        An empty question, or one sent while an answer is still growing, changes nothing. The answer and the
        end of waiting are one update, so that whoever sees the answer can ask the next question.
        """
        question = question.encode(errors="ignore").decode().strip()  # without halves of surrogate pairs
        if not question or (talk.turns and talk.turns[-1].busy):
            yield (gr.skip(),) * 7
            return
        past = join(render(turn) for turn in talk.turns)
        turn = talk.begin(question)
        hidden, shown = gr.update(visible=False), gr.update(visible=True)
        yield "", past, render(turn), hidden, shown, hidden, hidden
        async with aclosing(self._steps(asker_of(request), turn, talk.history())) as steps:
            async for _ in steps:
                if turn.busy:
                    yield gr.skip(), gr.skip(), render(turn), *(gr.skip(),) * 4
        yield gr.skip(), gr.skip(), render(turn), shown, hidden, gr.skip(), gr.skip()

    async def _steps(self, asker: Asker, turn: Turn, history: list[str]) -> AsyncIterator[None]:
        """Lets the turn grow; yields when there is something new to show."""
        try:
            async with aclosing(self._service.stream(asker, "page", turn.question, history, {})) as events:
                async for event in events:
                    await self._take(asker, turn, event)
                    yield
        except Exception as error:
            _, message, hint = explain(error)
            turn.failed = (message, hint)

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
                turn.sources = await self._service.read(
                    asker, lambda seen: source.render(answer, turn.number, seen.document))
                turn.answer = answer

    async def _leads(self, asker: Asker, question: str) -> list[Lead]:
        """The nearest documents, each once, at the place that came closest."""
        found = await self._service.search(asker, "page", question)
        leads: dict[str, Lead] = {}
        for hit in found.hits:
            meta = hit.document.meta
            name = name_of(meta.title, meta.issuer, meta.document_number, hit.document.source)
            leads.setdefault(hit.document.id, Lead(hit.document, name, hit.passage.start, hit.passage.end))
        return list(leads.values())[:_LEADS]

    def stop(self, talk: Talk) -> tuple[Any, ...]:
        """Updates for (current, send, stop) after the answer was cut off."""
        turn = talk.turns[-1]
        if turn.busy:
            turn.failed = (words.STOPPED, words.STOPPED_HINT)
        return render(turn), gr.update(visible=True), gr.update(visible=False)

    async def welcome(self, request: gr.Request) -> list[Any]:
        """Updates for the examples' frame and its buttons."""
        try:
            questions = list(await self._service.read(asker_of(request), lambda seen: seen.examples()))[:EXAMPLES]
        except Exception as error:
            explain(error)
            questions = []
        shown = [gr.update(value=q, visible=True) for q in questions]
        return [gr.update(visible=bool(shown)), *shown, *[gr.update(visible=False)] * (EXAMPLES - len(shown))]

    async def text(self, question: str, request: gr.Request) -> str:
        """An answer as text with its citations, for gradio_client."""
        try:
            return with_references(await self._service.ask(asker_of(request), "gradio", question, (), {}))
        except Exception as error:
            _, message, hint = explain(error)
            return f"{message}{hint}"


def build(service: Service) -> gr.Blocks:
    """The application, not yet mounted."""
    doing = Conversation(service)
    with gr.Blocks(title=words.TITLE, analytics_enabled=False, fill_width=True) as blocks:
        talk = gr.State(Talk())
        gr.HTML(shell.HEADER, elem_id="wj-top", apply_default_css=False)
        with gr.Row(elem_id="wj-ask", equal_height=False):
            with gr.Column(elem_id="wj-talk"):
                welcome = gr.HTML(shell.WELCOME, apply_default_css=False)
                past = gr.HTML("", elem_id="wj-past", apply_default_css=False)
                current = gr.HTML("", elem_id="wj-current", apply_default_css=False)
                with gr.Row(elem_id="wj-composer", equal_height=False):
                    box = gr.Textbox(label=words.ASK_LABEL, placeholder=words.ASK_PLACEHOLDER, elem_id="wj-box",
                                     lines=1, max_lines=6, autofocus=True, scale=1, container=False)
                    send = gr.Button(words.SEND, variant="primary", elem_id="wj-send", scale=0)
                    stop = gr.Button(words.STOP, visible=False, elem_id="wj-stop", scale=0)
                with gr.Column(elem_id="wj-examples") as examples:
                    gr.HTML(shell.EXAMPLES, apply_default_css=False)
                    buttons = [gr.Button("", visible=False, elem_classes="wj-example") for _ in range(EXAMPLES)]
            gr.HTML(shell.PANEL, elem_id="wj-side", apply_default_css=False)
        gr.HTML(shell.DOCUMENTS, elem_id="wj-files", apply_default_css=False)

        outputs = [box, past, current, send, stop, welcome, examples]
        quiet = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}
        gr.api(doing.text, api_name="ask", concurrency_limit=None)  # first, so that the name is its own
        asked = gr.on([box.submit, send.click], doing.ask, [box, talk], outputs, trigger_mode="multiple", **quiet)
        picked = [b.click(doing.ask, [b, talk], outputs, trigger_mode="multiple", **quiet) for b in buttons]
        stop.click(doing.stop, [talk], [current, send, stop], cancels=[asked, *picked], **quiet)
        blocks.load(doing.welcome, None, [examples, *buttons], **quiet)
    blocks.queue(max_size=256)
    return blocks


def theme() -> gr.themes.Base:
    """Gradio's plain theme with fonts that every machine has."""
    return gr.themes.Base(font=_FONTS, font_mono=["ui-monospace", "monospace"], primary_hue="slate", radius_size="md")


