"""The Gradio application: one conversation, its composer, the source panel, the documents view.

Gradio carries the conversation (question in, markup out as it grows). What happens between two questions (opening a
source, walking through quotes, history, copying, feedback, the documents view) is plain HTML with the scripts in
ui/static, so that it is instant and works while an answer streams. The scripts ask through hidden components: they put a
question, filters or a kept conversation in their place (`wenju.asking`, `wenju.restoring`) and press the button.
"""

import os

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

from collections.abc import Callable

import gradio as gr
from starlette.requests import Request

from ui.api.service import Service
from ui.pages import shell, words
from ui.pages.conversation import Conversation, Talk

_FONTS = ["system-ui", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", "sans-serif"]


def build(service: Service, administers: Callable[[Request], bool]) -> gr.Blocks:
    """The application, not yet mounted. administers: whether an administrator sent a request."""
    doing = Conversation(service, administers)
    with gr.Blocks(title=words.TITLE, analytics_enabled=False, fill_width=True) as blocks:
        talk = gr.State(Talk())
        context = gr.Textbox(visible=False)
        gr.HTML(shell.HEADER, elem_id="wj-top", apply_default_css=False)
        with gr.Row(elem_id="wj-ask", equal_height=False):
            gr.HTML(shell.HISTORY, elem_id="wj-left", apply_default_css=False)
            with gr.Column(elem_id="wj-talk"):
                gr.HTML(shell.WELCOME, elem_id="wj-welcome", apply_default_css=False)
                past = gr.HTML("", elem_id="wj-past", apply_default_css=False)
                with gr.Column(elem_id="wj-latest"):
                    current = gr.HTML("", elem_id="wj-current", apply_default_css=False)
                    follow = gr.HTML("", elem_id="wj-follow", apply_default_css=False)
                with gr.Column(elem_id="wj-composer"):
                    with gr.Row(elem_id="wj-line", equal_height=False):
                        box = gr.Textbox(label=words.ASK_LABEL, placeholder=words.ASK_PLACEHOLDER, elem_id="wj-box",
                                         lines=1, max_lines=6, autofocus=True, scale=1, container=False)
                        send = gr.Button(words.SEND, variant="primary", elem_id="wj-send", scale=0)
                        stop = gr.Button(words.STOP, elem_id="wj-stop", scale=0)
                    narrow = gr.HTML("", elem_id="wj-narrow", apply_default_css=False)
                offers = gr.HTML("", elem_id="wj-offers", apply_default_css=False)
            gr.HTML(shell.PANEL, elem_id="wj-side", apply_default_css=False)
        gr.HTML(shell.DOCUMENTS, elem_id="wj-files", apply_default_css=False)
        go, back = gr.Button("", elem_id="wj-go"), gr.Button("", elem_id="wj-restore")  # pressed by the scripts alone

        quiet = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}
        gr.api(doing.text, api_name="ask", concurrency_limit=None)  # first, so that the name is its own
        asked = gr.on([box.submit, send.click, go.click], doing.ask, [box, context, talk], [box, past, current, follow],
                      trigger_mode="multiple", js="(...given) => window.wenju.asking(...given)", **quiet)
        suggested = asked.then(doing.suggest, [talk], [follow], trigger_mode="multiple", **quiet)
        stop.click(doing.stop, [talk], [current], cancels=[asked, suggested], **quiet)
        back.click(doing.restore, [context, talk], [past, current, follow], trigger_mode="multiple",
                   js="(...given) => window.wenju.restoring(...given)", **quiet)
        blocks.load(doing.welcome, None, [offers, narrow], **quiet)
    blocks.queue(max_size=256)
    return blocks


def theme() -> gr.themes.Base:
    """Gradio's plain theme with fonts that every machine has."""
    return gr.themes.Base(font=_FONTS, font_mono=["ui-monospace", "monospace"], primary_hue="slate", radius_size="md")
