"""A causal language model of a local folder, through transformers. Weights from safetensors only; remote code never runs."""

import hashlib
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rag.config import Settings
from rag.errors import GenerationError, ModelError
from rag.model_folders import READ, TEMPLATES, digests_of, native_bfloat16, refuse_unsafe
from rag.protocols import Message

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_LOOKUP = 10
"""Tokens that are guessed from the prompt at a time: an answer repeats its sources, so that a third of the time is saved."""


class LocalModel:
    """A `rag.protocols.AnswerGenerator` over transformers: greedy, so that the same prompt gives the same text.

    Computes in bfloat16 where the processor has it natively, else as the folder says. One text is written at a time:
    two would share the same cores.
    """

    name = "transformers"

    def __init__(self, model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", most_tokens: int, digest: str) -> None:
        """Use `load`. digest: SHA-256 over the files the model was loaded from."""
        self._model, self._tokenizer, self._most_tokens, self.digest = model.eval(), tokenizer, most_tokens, digest
        self._turn = threading.Lock()

    @classmethod
    def load(cls, settings: Settings) -> "LocalModel":
        """The model of `settings.transformers_model`. Raises ModelError when it is missing, unsafe or not loadable."""
        folder = Path(settings.transformers_model)
        digests = checked(folder)
        import torch
        import transformers

        transformers.logging.disable_progress_bar()
        try:
            model = transformers.AutoModelForCausalLM.from_pretrained(
                folder, dtype=torch.bfloat16 if native_bfloat16() else "auto", local_files_only=True,
                trust_remote_code=False, use_safetensors=True,
            )
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        except Exception as error:  # the libraries below raise anything from KeyError to their own Rust errors
            raise ModelError(f"模型 {folder} 无法加载：{error}", "请检查模型文件夹是否完整。") from error
        if not tokenizer.chat_template:
            raise ModelError(f"模型 {folder} 没有对话模板（chat template）。", "请换用指令微调过的模型（名字里常有 Instruct 或 Chat）。")
        digest = hashlib.sha256("".join(f"{name}\0{value}\n" for name, value in digests.items()).encode()).hexdigest()
        return cls(model, tokenizer, settings.generator_tokens, digest)

    def write(self, messages: Sequence[Message], deadline: float) -> Iterator[str]:
        """See `AnswerGenerator`."""
        if not self._turn.acquire(timeout=max(deadline - time.monotonic(), 0)):
            raise GenerationError("语言模型正忙。")
        stopped, failed = threading.Event(), list[Exception]()
        thread = None
        try:
            streamer, thread = self._started(messages, deadline, stopped, failed)
            yield from (piece for piece in streamer if piece)
            if failed:
                raise GenerationError("语言模型出错了。") from failed[0]
            if time.monotonic() > deadline:
                raise GenerationError("语言模型没有在限定时间内写完。")
        finally:
            stopped.set()
            if thread:
                thread.join()
            self._turn.release()

    def _started(self, messages: Sequence[Message], deadline: float, stopped: threading.Event, failed: list[Exception]):
        """The texts of a generation that has begun in another thread, and the thread. failed: takes what goes wrong."""
        import torch
        from transformers import StoppingCriteria, StoppingCriteriaList, TextIteratorStreamer

        class Stop(StoppingCriteria):
            def __call__(self, input_ids, scores, **_):
                over = stopped.is_set() or time.monotonic() > deadline
                return torch.full((input_ids.shape[0],), over, dtype=torch.bool, device=input_ids.device)

        prompt = self._tokenizer.apply_chat_template(
            [{"role": m.role, "content": m.content} for m in messages], add_generation_prompt=True, return_tensors="pt",
            return_dict=True,
        )
        streamer = TextIteratorStreamer(self._tokenizer, skip_prompt=True, skip_special_tokens=True)
        faster = {} if getattr(self._model, "_is_stateful", False) else {"prompt_lookup_num_tokens": _LOOKUP}

        def generate() -> None:
            try:
                self._model.generate(
                    **prompt, **faster, streamer=streamer, max_new_tokens=self._most_tokens, do_sample=False, num_beams=1,
                    stopping_criteria=StoppingCriteriaList([Stop()]),
                )
            except Exception as error:  # anything that a model's own code raises
                failed.append(error)
            finally:
                streamer.on_finalized_text("", stream_end=True)

        thread = threading.Thread(target=generate, name="wenju-writer", daemon=True)
        thread.start()
        return streamer, thread


def checked(folder: Path) -> Mapping[str, str]:
    """Name and SHA-256 of the files that would be loaded. Raises ModelError for a folder that must not or cannot be."""
    if not (folder / "config.json").is_file():
        raise ModelError(f"{folder} 里没有模型（缺 config.json）。", "怎样在内网安装模型，见 wenju models。")
    refuse_unsafe(folder)
    return digests_of(folder, (*READ, *TEMPLATES))
