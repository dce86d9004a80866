"""Folders with a model in them: what may be loaded from one, its digests, and how this processor computes best."""

from collections.abc import Sequence
from pathlib import Path

from rag.errors import ModelError
from rag.files import digest_of

_UNSAFE = frozenset({".bin", ".ckpt", ".dll", ".joblib", ".pickle", ".pkl", ".pt", ".pth", ".py", ".so"})
READ = ("*.safetensors", "*.json", "*.txt", "*.model")
"""What a model is made of: weights, tokenizer, configuration."""
TEMPLATES = ("*.jinja",)
"""What a language model has besides: how a conversation is written down."""


def refuse_unsafe(folder: Path) -> None:
    """Raises ModelError for a folder with pickles or program files, or without weights in safetensors."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    unsafe = sorted(str(file.relative_to(folder)) for file in files if file.suffix.lower() in _UNSAFE)
    if unsafe:
        raise ModelError(
            f"模型文件夹 {folder} 中有可能夹带程序的文件：{'、'.join(unsafe[:5])}。",
            "请只保留 safetensors 格式的权重，删除这些文件后再试。",
        )
    if not any(file.suffix == ".safetensors" for file in files):
        raise ModelError(f"模型文件夹 {folder} 中没有 safetensors 格式的权重。", "请先把权重转换为 safetensors。")


def digests_of(folder: Path, patterns: Sequence[str] = READ) -> dict[str, str]:
    """Name and SHA-256 of all files that decide what the model computes."""
    files = sorted({file for pattern in patterns for file in folder.rglob(pattern)})
    return {file.relative_to(folder).as_posix(): digest_of(file.resolve()) for file in files}


def native_bfloat16() -> bool:
    """Whether bfloat16 products are instructions of this processor; emulated they are slower than float32."""
    import torch

    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))
