"""The embedder: any sentence-transformers model, asked for its vector and its token rows in one forward pass.

Weights are read from safetensors only; folders with pickles or program files are refused, and remote code never runs.
"""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rag import weights
from rag.config import DEFAULT_EMBEDDER, Settings
from rag.errors import ModelError
from rag.model_folders import READ, digests_of, native_bfloat16, refuse_unsafe
from rag.protocols import Encoded

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_E5 = re.compile(r"(?:^|[-_/])e5(?:[-_]|$)(?!.*(?:instruct|mistral))", re.IGNORECASE)

_SURROGATE = re.compile("[\ud800-\udfff]")
"""Half a character, as a JSON escape can give it: no tokenizer takes it. Replaced one for one, so that spans hold."""
_LONGEST_CONTEXT = 128
"""Tokens of context read before a passage at most, so that the passage itself gets the rest of the model's room."""
_LONGEST_INPUT = 8192
_WINDOW_TEXTS, _WINDOW_CHARACTERS = 512, 65_536
"""Passages are sorted by length inside a window; its results are what is held in memory at once."""
_BATCH_TOKENS = 8192
_QUERY_BATCH_TOKENS = 2048
_SHORT = 16
"""Products of matrices with fewer rows than this take another path through the library, to other last digits."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """One input as the model reads it: token numbers, and which of them are tokens of the text proper, and where."""

    ids: np.ndarray
    types: np.ndarray
    rows: np.ndarray
    spans: np.ndarray


class SentenceEmbedder:
    """A `rag.protocols.Embedder` over a sentence-transformers model.

    Passages are computed in bfloat16 where the processor has it natively (`bfloat16`): more than twice as fast with the
    default model, cosine with float32 at least 0.9999. Questions are always computed in float32. Safe to call from
    several threads.
    """

    def __init__(self, model: "SentenceTransformer", settings: Settings, digests: Mapping[str, str]) -> None:
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
        self._model = model.eval()
        self._after_pooling = torch.nn.Sequential(*list(model)[single.index(True) + 1 :])
        self._limit = min(model.max_seq_length or _LONGEST_INPUT, _LONGEST_INPUT)
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(self._limit)
        self._padding = (model.tokenizer.pad_token_id or 0, model.tokenizer.padding_side == "left")
        self._names = set(model.tokenizer.model_input_names)
        # SentencePiece puts this piece before a word it has no joined form of: a blank, not a character of the text.
        self._blank = self._tokenizer.token_to_id("▁")
        self._query_prompt, self._passage_prompt = _prompts(model, settings)
        self.bfloat16 = model.device.type == "cpu" and native_bfloat16()
        self.name = settings.embedder
        listing = "".join(f"{name}\0{digest}\n" for name, digest in digests.items())
        self.digest = hashlib.sha256(f"{listing}\0{self._passage_prompt}".encode()).hexdigest()
        self.dimension = len(self.embed_query("").vector)

    @classmethod
    def load(cls, settings: Settings) -> "SentenceEmbedder":
        """The embedder that `settings.embedder` names: the packaged default, a local folder, or a hub name.

        Sets torch's number of threads for the process, and numpy's to one. Raises ModelError when the model is missing,
        damaged, of an unsafe kind, or not loadable.
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
        return cls(model, settings, digests)

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
        """The question, read after the query prompt, in float32."""
        return self._forward([self._reading(self._query_prompt, text)], self._query_prompt, bfloat16=False)[0]

    def embed_queries(self, texts: Sequence[str]) -> list[Encoded]:
        """What `embed_query` gives for each text, computed together.

        Only questions of equal length share a pass, and very short ones none: nothing is padded, so that the figures
        come out the same (to the last bit on x86-64 with AVX-512).
        """
        readings = [self._reading(self._query_prompt, text) for text in texts]
        alike: dict[int, list[int]] = {}
        for at, reading in enumerate(readings):
            alike.setdefault(len(reading.ids), []).append(at)
        done: dict[int, Encoded] = {}
        for length, group in alike.items():
            step = max(1, _QUERY_BATCH_TOKENS // length) if length >= _SHORT else 1
            for batch in (group[start : start + step] for start in range(0, len(group), step)):
                encoded = self._forward([readings[at] for at in batch], self._query_prompt, bfloat16=False)
                done.update(zip(batch, encoded, strict=True))
        return [done[at] for at in range(len(texts))]

    # ------------------------------------------------------------ reading

    def _window(self, texts: Sequence[str], contexts: Sequence[str]) -> list[Encoded]:
        heads = {context: self._head(context) for context in set(contexts)}
        readings = [self._reading(heads[context], text) for context, text in zip(contexts, texts, strict=True)]
        done: dict[int, Encoded] = {}
        for batch in _batches([len(reading.ids) for reading in readings]):
            encoded = self._forward([readings[at] for at in batch], self._passage_prompt, self.bfloat16)
            done.update(zip(batch, encoded, strict=True))
        return [done[at] for at in range(len(texts))]

    def _head(self, context: str) -> str:
        """What stands before a passage: the prompt, and the context cut to its share of the model's room."""
        if not context:
            return self._passage_prompt
        offsets = self._tokenizer.encode(_SURROGATE.sub("\ufffd", context), add_special_tokens=False).offsets
        share = min(_LONGEST_CONTEXT, self._limit // 4)
        if len(offsets) > share:
            context = context[: offsets[share - 1][1]]
        return f"{self._passage_prompt}{context}\n"

    def _reading(self, head: str, text: str) -> _Reading:
        encoding = self._tokenizer.encode(_SURROGATE.sub("\ufffd", head + text))
        ids = np.asarray(encoding.ids, np.int64)
        spans = np.asarray(encoding.offsets, np.int32).reshape(-1, 2) - len(head)
        proper = (np.asarray(encoding.special_tokens_mask) == 0) & (spans[:, 1] > 0) & (ids != self._blank)
        rows = np.flatnonzero(proper)
        return _Reading(ids, np.asarray(encoding.type_ids, np.int64), rows, np.maximum(spans[rows], 0))

    # ------------------------------------------------------------ the model

    def _forward(self, readings: Sequence[_Reading], prompt: str, bfloat16: bool) -> list[Encoded]:
        import torch

        features, starts = self._features(readings, prompt)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            out = self._model(features)
            vectors = out["sentence_embedding"].float().cpu().numpy()
            rows = [torch.from_numpy(start + reading.rows) for start, reading in zip(starts, readings, strict=True)]
            picked = torch.cat([out["token_embeddings"][at, row] for at, row in enumerate(rows)])
            # A dense layer after the pooling makes vectors of another space: the tokens follow them there.
            tokens = self._after_pooling({"sentence_embedding": picked})["sentence_embedding"].float().cpu().numpy()
        size = self._model.truncate_dim
        vectors, tokens = _unit(vectors[:, :size]), _unit(tokens[:, :size])
        ends = np.cumsum([len(reading.rows) for reading in readings])
        return [
            Encoded(vector.copy(), part.copy(), reading.spans)
            for vector, part, reading in zip(vectors, np.split(tokens, ends[:-1]), readings, strict=True)
        ]

    def _features(self, readings: Sequence[_Reading], prompt: str) -> tuple[dict, list[int]]:
        """The padded batch as the model's input, and the column at which each reading starts."""
        import torch

        filler, left = self._padding
        width = max(len(reading.ids) for reading in readings)
        ids = np.full((len(readings), width), filler, np.int64)
        mask, types = np.zeros_like(ids), np.zeros_like(ids)
        starts = [width - len(reading.ids) if left else 0 for reading in readings]
        for row, (start, reading) in enumerate(zip(starts, readings, strict=True)):
            place = slice(start, start + len(reading.ids))
            ids[row, place], mask[row, place], types[row, place] = reading.ids, 1, reading.types
        arrays = {"input_ids": ids, "attention_mask": mask}
        if "token_type_ids" in self._names:
            arrays["token_type_ids"] = types
        features: dict = {name: torch.from_numpy(array).to(self._model.device) for name, array in arrays.items()}
        if prompt:
            # Some models leave the prompt out of the pooling; this is where they look for its length.
            special = self._tokenizer.encode(prompt).special_tokens_mask
            features["prompt_length"] = len(special) - special[-1]
        return features, starts


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Positions grouped from the longest to the shortest; a group padded to its longest keeps to the token budget."""
    batch: list[int] = []
    for at in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if batch and (len(batch) + 1) * lengths[batch[0]] > _BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(at)
    if batch:
        yield batch


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
