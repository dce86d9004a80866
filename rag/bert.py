"""BERT's forward pass over texts of any lengths side by side, without padding, its weights packed for this processor.

The linear layers go over the tokens of all texts at once; attention stays inside each text. oneDNN computes a row to the
same last bit whatever rows stand beside it and on however many threads (seen on x86-64 with AVX-512), so a text comes out
the same alone and in company. The packed products are what PyTorch's own compiler emits for linear layers on processors;
they have no public name, so `rag.embedding` uses this pass only where a probe at load agrees with the ordinary one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from rag.readings import Reading

if TYPE_CHECKING:
    from torch import Tensor, nn

_TOKENS = 8192
"""Tokens in one pass at most."""


@dataclass(frozen=True, slots=True)
class _Layer:
    """One layer's weights: (packed, bias) of each product, (weight, bias) of each norm. `heads_in`: query, key and value."""

    heads_in: tuple["Tensor", "Tensor"]
    heads_out: tuple["Tensor", "Tensor"]
    norm: tuple["Tensor", "Tensor"]
    wide: tuple["Tensor", "Tensor"]
    narrow: tuple["Tensor", "Tensor"]
    last_norm: tuple["Tensor", "Tensor"]


def recognised(encoder: "nn.Module") -> bool:
    """Whether the model is of a kind that `Bert` computes: a plain BERT or RoBERTa encoder in float32 on the processor."""
    import torch
    from transformers import BertModel, RobertaModel, XLMRobertaModel

    if type(encoder) not in (BertModel, RobertaModel, XLMRobertaModel) or not torch.backends.mkldnn.is_available():
        return False
    config, weight = encoder.config, encoder.embeddings.word_embeddings.weight
    return (config.hidden_act == "gelu" and not config.is_decoder and weight.dtype == torch.float32
            and weight.device.type == "cpu" and getattr(config, "position_embedding_type", "absolute") == "absolute")


class Bert:
    """The pass over one model's weights. Keeps its embedding tables, and a packed copy of the rest."""

    def __init__(self, encoder: "nn.Module", bfloat16: bool) -> None:
        """encoder: one that is `recognised`. bfloat16: of the products; sums and norms stay in float32."""
        import torch

        self._kind = torch.bfloat16 if bfloat16 else torch.float32
        self._tables, self._heads = encoder.embeddings, encoder.config.num_attention_heads
        self._epsilon = encoder.config.layer_norm_eps
        # RoBERTa counts positions from the one after its padding's
        roberta = not type(encoder).__name__.startswith("Bert")
        self._filler = encoder.config.pad_token_id if roberta else None
        with torch.inference_mode():
            self._layers = [self._packed(layer) for layer in encoder.encoder.layer]

    def passages(self, readings: Sequence[Reading]) -> Iterator[tuple[int, "Tensor"]]:
        """Each reading's number, in no order, with its last hidden states float32 [tokens, hidden]."""
        lengths = [len(reading.ids) for reading in readings]
        group: list[int] = []
        tokens = 0
        for at in sorted(range(len(readings)), key=lengths.__getitem__):
            if group and tokens + lengths[at] > _TOKENS:
                yield from self._states(readings, group)
                group, tokens = [], 0
            group.append(at)
            tokens += lengths[at]
        if group:
            yield from self._states(readings, group)

    questions = passages

    def _packed(self, layer: "nn.Module") -> _Layer:
        import torch

        attention = layer.attention.self
        three = attention.query, attention.key, attention.value

        def packed(*linear: "nn.Linear") -> tuple["Tensor", "Tensor"]:
            weight = torch.cat([part.weight for part in linear]).to(self._kind)
            return torch.ops.mkldnn._reorder_linear_weight(weight), torch.cat([p.bias for p in linear]).to(self._kind)

        def norm(module: "nn.LayerNorm") -> tuple["Tensor", "Tensor"]:
            return module.weight.clone(), module.bias.clone()

        return _Layer(packed(*three), packed(layer.attention.output.dense), norm(layer.attention.output.LayerNorm),
                      packed(layer.intermediate.dense), packed(layer.output.dense), norm(layer.output.LayerNorm))

    def _states(self, readings: Sequence[Reading], group: Sequence[int]) -> Iterator[tuple[int, "Tensor"]]:
        """group: numbers of readings, by length."""
        import torch

        lengths = [len(readings[at].ids) for at in group]
        with torch.inference_mode():
            states = self._computed(self._embedded([readings[at] for at in group]), lengths)
        yield from zip(group, states.split(lengths), strict=True)

    def _embedded(self, readings: Sequence[Reading]) -> "Tensor":
        import torch

        tables = self._tables
        ids = torch.from_numpy(np.concatenate([reading.ids for reading in readings]))
        types = torch.from_numpy(np.concatenate([reading.types for reading in readings]))
        places = torch.from_numpy(np.concatenate([self._places(reading.ids) for reading in readings]))
        words, kinds = tables.word_embeddings(ids), tables.token_type_embeddings(types)
        return tables.LayerNorm(words + kinds + tables.position_embeddings(places))

    def _places(self, ids: np.ndarray) -> np.ndarray:
        if self._filler is None:
            return np.arange(len(ids))
        proper = ids != self._filler
        return np.cumsum(proper) * proper + self._filler

    def _computed(self, states: "Tensor", lengths: Sequence[int]) -> "Tensor":
        """states: float32 [all tokens, hidden], the embeddings. lengths: of the texts, equal ones side by side."""
        import torch

        product, norm = torch.ops.mkldnn._linear_pointwise, torch.nn.functional.layer_norm
        size = states.shape[1:]
        alike = [(length, len(list(same))) for length, same in groupby(lengths)]
        for layer in self._layers:
            three = product(states.to(self._kind), *layer.heads_in, "none", [], "")
            mixed = product(self._attended(three, alike), *layer.heads_out, "none", [], "")
            states = norm(mixed + states, size, *layer.norm, self._epsilon)
            wide = product(states.to(self._kind), *layer.wide, "gelu", [], "none")
            narrow = product(wide, *layer.narrow, "none", [], "")
            states = norm(narrow + states, size, *layer.last_norm, self._epsilon)
        return states

    def _attended(self, three: "Tensor", alike: Sequence[tuple[int, int]]) -> "Tensor":
        """Attention inside each text: [all tokens, 3 * hidden] to [all tokens, hidden]."""
        import torch

        parts, hidden = [], three.shape[1] // 3
        stretches = three.split([length * times for length, times in alike])
        for stretch, (length, times) in zip(stretches, alike, strict=True):
            parted = stretch.view(times, length, 3, self._heads, hidden // self._heads).permute(2, 0, 3, 1, 4)
            heads = torch.nn.functional.scaled_dot_product_attention(*parted)
            parts.append(heads.transpose(1, 2).reshape(length * times, hidden))
        return torch.cat(parts)
