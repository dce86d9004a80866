"""What a model reads of a text, and the ordinary forward pass over it, for any sentence-transformers model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from torch import Tensor

_BATCH_TOKENS = 8192


@dataclass(frozen=True, slots=True)
class Reading:
    """One input as the model reads it.

    ids, types: int64 [tokens]. rows: int64 [n], which of them are tokens of the text proper; spans: int32 [n, 2], where
    those lie in it.
    """

    ids: np.ndarray
    types: np.ndarray
    rows: np.ndarray
    spans: np.ndarray


class Padded:
    """The pass through the model's own modules up to its pooling, over padded batches."""

    def __init__(self, model: "SentenceTransformer", pooling: int, bfloat16: bool) -> None:
        """pooling: number of the pooling module. bfloat16: of passages; questions are computed in float32."""
        import torch

        self._modules = torch.nn.Sequential(*list(model)[:pooling])
        self._device, self._bfloat16 = model.device, bfloat16
        self._filler = model.tokenizer.pad_token_id or 0
        self._left = model.tokenizer.padding_side == "left"
        self._names = set(model.tokenizer.model_input_names)

    def passages(self, readings: Sequence[Reading]) -> Iterator[tuple[int, "Tensor"]]:
        """Each reading's number, in no order, with its last hidden states float32 [tokens, hidden]."""
        for group in batches([len(reading.ids) for reading in readings]):
            yield from zip(group, self._states([readings[at] for at in group], self._bfloat16), strict=True)

    def questions(self, readings: Sequence[Reading]) -> Iterator[tuple[int, "Tensor"]]:
        """The same in float32, one by one: so that each comes out as it does alone, whatever the model's products are."""
        for at, reading in enumerate(readings):
            yield at, self._states([reading], False)[0]

    def _states(self, readings: Sequence[Reading], bfloat16: bool) -> list["Tensor"]:
        import torch

        width = max(len(reading.ids) for reading in readings)
        ids = np.full((len(readings), width), self._filler, np.int64)
        mask, types = np.zeros_like(ids), np.zeros_like(ids)
        places = [slice(width - n, width) if self._left else slice(n) for n in (len(r.ids) for r in readings)]
        for row, (place, reading) in enumerate(zip(places, readings, strict=True)):
            ids[row, place], mask[row, place], types[row, place] = reading.ids, 1, reading.types
        arrays = {"input_ids": ids, "attention_mask": mask}
        if "token_type_ids" in self._names:
            arrays["token_type_ids"] = types
        features = {name: torch.from_numpy(array).to(self._device) for name, array in arrays.items()}
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            states = self._modules(features)["token_embeddings"].float()
        return [states[row, place] for row, place in enumerate(places)]


def batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Positions grouped from the longest to the shortest; a group padded to its longest keeps to the token budget."""
    batch: list[int] = []
    for at in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if batch and (len(batch) + 1) * lengths[batch[0]] > _BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(at)
    if batch:
        yield batch
