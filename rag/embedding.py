"""The embedder: any sentence-transformers model, asked for its vector and its token rows in one forward pass.

BERT-like models, the default among them, are computed by `rag.bert`; others, and any on which a probe at load sees
that pass differ, by `rag.readings.Padded`.
Weights are read from safetensors only; folders with pickles or program files are refused, and remote code never runs.
"""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rag import weights
from rag.bert import Bert, recognised
from rag.config import DEFAULT_EMBEDDER, Settings
from rag.errors import ModelError
from rag.model_folders import READ, digests_of, native_bfloat16, refuse_unsafe
from rag.protocols import Encoded
from rag.readings import Padded, Reading
from rag.threads import single_thread
from rag.turns import Turns

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from torch import Tensor

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_E5 = re.compile(r"(?:^|[-_/])e5(?:[-_]|$)(?!.*(?:instruct|mistral))", re.IGNORECASE)

_SURROGATE = re.compile("[\ud800-\udfff]")
"""Half a character, as a JSON escape can give it: no tokenizer takes it. Replaced one for one, so that spans hold."""
_LONGEST_CONTEXT = 128
"""Tokens of context read before a passage at most, so that the passage itself gets the rest of the model's room."""
_LONGEST_INPUT = 8192
_WINDOW_TEXTS, _WINDOW_CHARACTERS = 512, 65_536
"""Passages are computed together inside a window; its results are what is held in memory at once."""
_PROBE = ("值班", "各级机关要严格执行24小时专人值班和领导干部在岗带班制度。", "Offices are open from nine to five.")
_AGREES = {False: 0.99999, True: 0.999}
"""Least cosine of each token's last hidden state with the ordinary pass's, in float32 and in bfloat16."""
_FEW = 64
"""Tokens below which one thread is faster than several, which would mostly wait for one another."""
_TOGETHER = 64
"""Questions of one pass at most, so that nobody waits long for others."""


class SentenceEmbedder:
    """A `rag.protocols.Embedder` over a sentence-transformers model. Safe to call from several threads.

    Where the processor computes in bfloat16 natively (`bfloat16`), the products of `rag.bert` are in it, and passages of
    other models: about twice as fast, cosine with float32 at least 0.9999.
    """

    def __init__(
        self, model: "SentenceTransformer", settings: Settings, digests: Mapping[str, str], bfloat16: bool | None = None
    ) -> None:
        """Use `load`. digests: name and SHA-256 of the files the model was loaded from.

        Raises ModelError when the model gives no token rows or has no fast tokenizer.
        """
        import torch
        from sentence_transformers.sentence_transformer.modules import Pooling

        single = [isinstance(module, Pooling) and isinstance(module.pooling_mode, str) for module in model]
        self._tokenizer = getattr(model.tokenizer, "backend_tokenizer", None)
        if True not in single or self._tokenizer is None:
            raise ModelError(
                f"模型 {settings.embedder} 不是带快速分词器和单一池化方式的句向量模型。",
                "请换用 sentence-transformers 的 Transformer + Pooling 模型。",
            )
        model.eval()
        pooling = single.index(True)
        self._pooling = torch.nn.Sequential(*list(model)[pooling:])
        self._after_pooling = torch.nn.Sequential(*list(model)[pooling + 1 :])
        self._size = model.truncate_dim
        self._limit = min(model.max_seq_length or _LONGEST_INPUT, _LONGEST_INPUT)
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(self._limit)
        self._typed = "token_type_ids" in model.tokenizer.model_input_names
        # SentencePiece puts this piece before a word it has no joined form of: a blank, not a character of the text.
        self._blank = self._tokenizer.token_to_id("▁")
        self._query_prompt, self._passage_prompt = _prompts(model, settings)
        # Some models leave the prompt out of the pooling and look for its length.
        self._lengths = {p: self._length(p) for p in (self._query_prompt, self._passage_prompt)}
        native = model.device.type == "cpu" and native_bfloat16()
        self.bfloat16 = native if bfloat16 is None else bfloat16
        self._pass = self._fastest(model, pooling)
        self._turns = Turns(self._questions, _TOGETHER)
        self.name = settings.embedder
        listing = "".join(f"{name}\0{digest}\n" for name, digest in digests.items())
        self.digest = hashlib.sha256(f"{listing}\0{self._passage_prompt}".encode()).hexdigest()
        self.dimension = len(self.embed_query("").vector)

    @classmethod
    def load(cls, settings: Settings, bfloat16: bool | None = None) -> "SentenceEmbedder":
        """The embedder that `settings.embedder` names: the packaged default, a local folder, or a hub name.

        bfloat16: whether to compute in it; None: where it is native. Sets torch's number of threads for the process, and
        numpy's to one. Raises ModelError when the model is missing, damaged, of an unsafe kind, or not loadable.
        """
        folder = _folder(settings)
        refuse_unsafe(folder)
        digests = weights.verify(folder) if settings.embedder == DEFAULT_EMBEDDER else digests_of(folder)
        import torch
        import transformers
        from sentence_transformers import SentenceTransformer
        from threadpoolctl import ThreadpoolController

        torch.set_num_threads(settings.threads)
        # numpy's products are small: a second thread gains little, and on a busy processor all wait for it, spinning
        ThreadpoolController().select(internal_api="openblas").limit(limits=1)
        transformers.logging.disable_progress_bar()
        try:
            model = SentenceTransformer(
                str(folder), trust_remote_code=False, local_files_only=True, model_kwargs={"use_safetensors": True}
            )
        except Exception as error:  # the libraries below raise anything from KeyError to their own Rust errors
            raise ModelError(f"模型 {settings.embedder} 无法加载：{error}", "请检查模型文件夹是否完整。") from error
        return cls(model, settings, digests, bfloat16)

    def embed_passages(self, texts: Sequence[str], contexts: Sequence[str]) -> Iterator[Encoded]:
        """One `Encoded` for each text, in order; reads prompt, context, a line end and the text.

        Texts past the model's room are cut: `spans` tells how far it read. Memory is bounded by the window, not by the
        number of texts.
        """
        if len(texts) != len(contexts):
            raise ValueError(f"{len(texts)} texts, {len(contexts)} contexts")
        start = characters = 0
        for at, text in enumerate(texts):
            characters += len(text)
            if at + 1 == len(texts) or at + 1 - start == _WINDOW_TEXTS or characters >= _WINDOW_CHARACTERS:
                yield from self._window(texts[start : at + 1], contexts[start : at + 1])
                start, characters = at + 1, 0

    def embed_query(self, text: str) -> Encoded:
        """The question, read after the query prompt; together with those of other threads that wait for the model."""
        return self._turns.result_of(self._reading(self._query_prompt, text))

    def embed_queries(self, texts: Sequence[str]) -> list[Encoded]:
        """What `embed_query` gives for each text, computed together where it makes no difference: see `rag.bert`."""
        return self._questions([self._reading(self._query_prompt, text) for text in texts])

    # ------------------------------------------------------------ reading

    def _window(self, texts: Sequence[str], contexts: Sequence[str]) -> list[Encoded]:
        heads = {context: self._head(context) for context in set(contexts)}
        readings = [self._reading(heads[context], text) for context, text in zip(contexts, texts, strict=True)]
        return self._encoded(readings, self._pass.passages(readings), self._passage_prompt)

    def _head(self, context: str) -> str:
        """What stands before a passage: the prompt, and the context cut to its share of the model's room."""
        if not context:
            return self._passage_prompt
        offsets = self._tokenizer.encode(_SURROGATE.sub("\ufffd", context), add_special_tokens=False).offsets
        share = min(_LONGEST_CONTEXT, self._limit // 4)
        if len(offsets) > share:
            context = context[: offsets[share - 1][1]]
        return f"{self._passage_prompt}{context}\n"

    def _reading(self, head: str, text: str) -> Reading:
        encoding = self._tokenizer.encode(_SURROGATE.sub("\ufffd", head + text))
        ids = np.asarray(encoding.ids, np.int64)
        spans = np.asarray(encoding.offsets, np.int32).reshape(-1, 2) - len(head)
        proper = (np.asarray(encoding.special_tokens_mask) == 0) & (spans[:, 1] > 0) & (ids != self._blank)
        rows = np.flatnonzero(proper)
        types = np.asarray(encoding.type_ids, np.int64) if self._typed else np.zeros_like(ids)
        return Reading(ids, types, rows, np.maximum(spans[rows], 0))

    def _length(self, prompt: str) -> int:
        """Tokens before the text: the prompt's, without the mark that ends an input."""
        special = self._tokenizer.encode(prompt).special_tokens_mask or [0]
        return len(special) - special[-1]

    # ------------------------------------------------------------ the model

    def _fastest(self, model: "SentenceTransformer", pooling: int) -> "Padded | Bert":
        """The pass without padding where it is known to hold for this model, else the ordinary one."""
        first = next(iter(model))
        if pooling != 1 or not recognised(getattr(first, "auto_model", None)):
            return Padded(model, pooling, self.bfloat16)
        readings = [self._reading(self._query_prompt, text) for text in _PROBE]
        ordinary = Padded(model, pooling, bfloat16=False)
        try:
            quick = Bert(first.auto_model, self.bfloat16)
            states = dict(quick.questions(readings))
        except (RuntimeError, AttributeError, NotImplementedError):  # a processor or a build without these products
            return Padded(model, pooling, self.bfloat16)
        least = min(_least_cosine(states[at], expected) for at, expected in ordinary.questions(readings))
        return quick if least >= _AGREES[self.bfloat16] else Padded(model, pooling, self.bfloat16)

    def _questions(self, readings: Sequence[Reading]) -> list[Encoded]:
        few = isinstance(self._pass, Bert) and sum(len(reading.ids) for reading in readings) < _FEW
        with single_thread() if few else nullcontext():
            return self._encoded(readings, self._pass.questions(readings), self._query_prompt)

    def _encoded(
        self, readings: Sequence[Reading], states: Iterable[tuple[int, "Tensor"]], prompt: str
    ) -> list[Encoded]:
        """Each reading's vector and token rows; pooled one by one, so that none depends on its company."""
        import torch

        prompted = {"prompt_length": self._lengths[prompt]} if prompt else {}
        done: dict[int, Encoded] = {}
        for at, rows in states:
            with torch.inference_mode():
                mask = torch.ones((1, len(rows)), dtype=torch.int64, device=rows.device)
                pooled = self._pooling({"token_embeddings": rows[None], "attention_mask": mask, **prompted})
                # A dense layer after the pooling makes vectors of another space: the tokens follow them there.
                picked = self._after_pooling({"sentence_embedding": rows[torch.from_numpy(readings[at].rows)]})
            vector, tokens = (out["sentence_embedding"].cpu().numpy()[:, : self._size] for out in (pooled, picked))
            done[at] = Encoded(_unit(vector)[0], _unit(tokens), readings[at].spans)
        return [done[at] for at in range(len(readings))]


def _least_cosine(some: "Tensor", others: "Tensor") -> float:
    import torch

    return float(torch.nn.functional.cosine_similarity(some, others.cpu()).min())


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def _prompts(model: "SentenceTransformer", settings: Settings) -> tuple[str, str]:
    """Query and passage prompt: the settings' own, else the model's, else those the E5 family was trained with."""
    own = model.prompts
    fallback = own.get(model.default_prompt_name or "") or ""
    query = own.get("query") or fallback
    passage = own.get("document") or own.get("passage") or own.get("corpus") or fallback
    if not query and not passage and _E5.search(settings.embedder):
        query, passage = "query: ", "passage: "
    return (
        query if settings.query_prompt is None else settings.query_prompt,
        passage if settings.passage_prompt is None else settings.passage_prompt,
    )


# ---------------------------------------------------------------- the model's folder

def _folder(settings: Settings) -> Path:
    """The folder the model is loaded from. Restores the default; downloads a hub model's safetensors and JSON files."""
    local = Path(settings.embedder).expanduser()
    if settings.embedder == DEFAULT_EMBEDDER or local.is_dir():
        # Read when the libraries are first imported: a local model asks no host for anything.
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
        return weights.restore(settings.models) if settings.embedder == DEFAULT_EMBEDDER else local
    if not _HUB_NAME.fullmatch(settings.embedder):
        raise ModelError(
            f"没有找到模型文件夹 {settings.embedder}。", "embedder 应为模型文件夹的路径，或“组织/模型”形式的名称。"
        )
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(settings.embedder, allow_patterns=list(READ)))
    except Exception as error:  # network, permission and name errors of several libraries
        raise ModelError(
            f"取不到模型 {settings.embedder}：{error}",
            "内网环境请先把模型文件夹拷贝到本机，再把 embedder 设为它的路径。",
        ) from error
