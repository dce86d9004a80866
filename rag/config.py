"""Settings: defaults < `wenju.toml` < `WENJU_*` environment < flags. An unknown key is an error."""

import os
import re
import tomllib
from collections.abc import Mapping, Set
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from rag.errors import SettingError

DEFAULT_EMBEDDER = "multilingual-e5-small"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Settings:
    """All that decides how Wenju behaves. Field names are the keys of `wenju.toml`; `WENJU_<NAME>` overrides."""

    home: Path = Path(".wenju")
    embedder: str = DEFAULT_EMBEDDER
    """The packaged default, a folder of a sentence-transformers model, or a hub name."""
    query_prompt: str | None = None
    """Put before a question; None: what the model itself asks for."""
    passage_prompt: str | None = None
    store: str = "faiss"
    """What searches the vectors: "faiss" in this process, or "milvus", a server that many processes share."""
    milvus_uri: str = ""
    """"http://10.0.0.8:19530", or a file of Milvus Lite, "milvus.db". Its token: `WENJU_MILVUS_TOKEN`, nowhere else."""
    milvus_collection: str = "wenju"
    """Alias of the generation that was published last, and what the names of all collections begin with."""
    generator: str = "extractive"
    """"extractive", or who writes the answer over the same evidence: "transformers" or "openai"."""
    generator_seconds: int = 30
    """Within which a language model has to have written; then the extractive answer is given."""
    generator_tokens: int = 400
    """Longest text a language model may write."""
    generator_at_once: int = 2
    """Answers that an endpoint writes at once; the next one is extractive. A model of this machine writes one at a time."""
    openai_base_url: str = ""
    """An OpenAI-compatible endpoint, "http://10.0.0.8:8000/v1". Its key: `WENJU_OPENAI_API_KEY`, nowhere else."""
    openai_model: str = ""
    """What the endpoint calls its model."""
    transformers_model: str = ""
    """Folder of a causal language model with a chat template, weights in safetensors."""
    threads: int = field(default_factory=lambda: os.cpu_count() or 1)
    min_confidence: float = 0.5
    """Below it the answer is `no_evidence`. Its risk-coverage curve is in eval/README.md."""
    max_question: int = 2000
    """Longest question in characters."""
    max_file_mb: int = 64
    today: str | None = None
    """ISO date that "今年" and "去年" count from; None: the clock."""

    @property
    def index(self) -> Path:
        """Folder of the index."""
        return self.home / "index"

    @property
    def uploads(self) -> Path:
        """Folder of the files that administrators upload; indexed like any other folder."""
        return self.home / "uploads"

    @property
    def models(self) -> Path:
        """Folder of restored weights."""
        return self.home / "models"


_NAMES = {f.name for f in fields(Settings)}
_WHOLE = ("threads", "max_question", "max_file_mb", "generator_seconds", "generator_tokens", "generator_at_once")
"""Positive whole numbers."""
_SECRETS = frozenset({"openai_api_key", "milvus_token"})
"""Read where they are used, and from the environment only: settings are printed, compared and kept with evaluation runs."""
_TABLES = ("openai", "transformers", "milvus")
"""Tables of `wenju.toml` whose keys are settings with the table's name before them: [openai] model is `openai_model`."""
_NEEDED = {"transformers": ("transformers_model",), "openai": ("openai_base_url", "openai_model"), "milvus": ("milvus_uri",)}
_ADDRESS = re.compile(r"https?://[^\s/?#@]+(?:/[^\s?#]*)?")
_MILVUS = re.compile(r"https?://[^\s/?#@]+/?|[^\s?#@:]+\.db")
_COLLECTION = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_OF_DOORS = ("portal",)
"""Tables of `wenju.toml`, and first words of `WENJU_*` names, that the doors read: see `load_table`."""
_DOOR_PREFIXES = tuple(f"{name}_" for name in _OF_DOORS)
GENERATORS, _STORES = ("extractive", "transformers", "openai"), ("faiss", "milvus")


def load_settings(flags: Mapping[str, Any] | None = None, folder: Path | None = None) -> Settings:
    """Settings for this process.

    flags: values that win over all else; None values are ignored. folder: where `wenju.toml` is looked for.
    Raises SettingError for an unknown key or an impossible value.
    """
    values = dict(_known({k: v for k, v in _file(folder).items() if k not in _OF_DOORS}, "wenju.toml", _NAMES))
    named = {k: v for k, v in _environment().items() if k not in _SECRETS and not k.startswith(_DOOR_PREFIXES)}
    values |= _known(named, "环境变量", _NAMES)
    values |= {k: v for k, v in (flags or {}).items() if v is not None}
    return _checked(replace(Settings(), **{k: _convert(k, v) for k, v in values.items()}))


def settings_in(file: Path) -> Mapping[str, Any]:
    """What a TOML file like `wenju.toml` sets, for `flags` of `load_settings`. Raises SettingError."""
    if not file.is_file():
        raise SettingError(f"没有设置文件 {file}。", "请确认路径写对了。")
    return _known({k: v for k, v in _read(file).items() if k not in _OF_DOORS}, file.name, _NAMES)


def load_table(table: str, kind: type[T], folder: Path | None = None) -> T:
    """The settings of one door: `[table]` of `wenju.toml` < `WENJU_<TABLE>_<NAME>`, as the dataclass `kind`.

    Fields are str, int, bool or tuple[str, ...] (in the environment separated by commas), and all have defaults.
    Raises SettingError for an unknown key or a value of another type.
    """
    types = {f.name: type(f.default) for f in fields(kind)}
    written = _file(folder).get(table, {})
    if not isinstance(written, Mapping):
        raise SettingError(f"wenju.toml 中的 {table} 应是一张表。", f"请写成 [{table}]。")
    named = {k.removeprefix(f"{table}_"): v for k, v in _environment().items() if k.startswith(f"{table}_")}
    values = {**_known(written, f"wenju.toml 的 [{table}]", set(types)), **_known(named, "环境变量", set(types))}
    return kind(**{k: _typed(f"{table}.{k}", types[k], v) for k, v in values.items()})


def _typed(name: str, kind: type, value: Any) -> Any:
    if kind is tuple:
        value = [v for part in value.split(",") if (v := part.strip())] if isinstance(value, str) else value
        if isinstance(value, list) and all(isinstance(v, str) for v in value):
            return tuple(value)
    elif kind is bool and str(value).lower() in ("true", "1", "false", "0"):
        return str(value).lower() in ("true", "1")
    elif kind is int and not isinstance(value, bool) and str(value).isdecimal():
        return int(value)
    elif kind is str and isinstance(value, str):
        return value
    wanted = {tuple: "一列文字", bool: "true 或 false", int: "不小于 0 的整数", str: "文字"}[kind]
    raise SettingError(f"设置 {name} 的值 {value!r} 不对。", f"请填{wanted}。")


def _file(folder: Path | None) -> Mapping[str, Any]:
    file = (folder or Path.cwd()) / "wenju.toml"
    return _read(file) if file.is_file() else {}


def _read(file: Path) -> Mapping[str, Any]:
    try:
        written = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(f"{file.name} 写得不对：{error}。", "请按 TOML 格式改正后再试。") from error
    for table in _TABLES:
        inside = written.pop(table, {})
        if not isinstance(inside, Mapping):
            raise SettingError(f"{file.name} 中的 {table} 应是一张表。", f"请写成 [{table}]。")
        written |= {f"{table}_{key}": value for key, value in inside.items()}
    for secret in sorted(_SECRETS & written.keys()):
        raise SettingError(f"密钥不能写在 {file.name} 里。", f"请用环境变量 WENJU_{secret.upper()}。")
    return written


def _environment() -> Mapping[str, str]:
    return {k[6:].lower(): v for k, v in os.environ.items() if k.startswith("WENJU_")}


def _known(values: Mapping[str, Any], where: str, names: Set[str]) -> Mapping[str, Any]:
    unknown = sorted(set(values) - names)
    if unknown:
        raise SettingError(f"{where} 中有不认识的设置：{'、'.join(unknown)}。", f"可用的设置有：{'、'.join(sorted(names))}。")
    return values


def _convert(name: str, value: Any) -> Any:
    kind = {"home": Path, "min_confidence": float, **dict.fromkeys(_WHOLE, int)}.get(name, str)
    try:
        return kind(value)
    except (TypeError, ValueError) as error:
        raise SettingError(f"设置 {name} 的值 {value!r} 不对。", "请填数字。") from error


def _checked(settings: Settings) -> Settings:
    for name, value, allowed in (("generator", settings.generator, GENERATORS), ("store", settings.store, _STORES)):
        if value not in allowed:
            raise SettingError(f"设置 {name} 的值 {value!r} 不可用。", f"可选：{'、'.join(allowed)}。")
    if not 0 <= settings.min_confidence <= 1:
        raise SettingError("设置 min_confidence 应在 0 到 1 之间。")
    if min(getattr(settings, name) for name in _WHOLE) < 1:
        raise SettingError(f"设置 {'、'.join(_WHOLE)} 应为正整数。")
    if settings.openai_base_url and not _ADDRESS.fullmatch(settings.openai_base_url):
        raise SettingError(f"设置 openai.base_url 的值 {settings.openai_base_url!r} 不对。", "请写成 http://主机:端口/v1 这样。")
    if settings.milvus_uri and not _MILVUS.fullmatch(settings.milvus_uri):
        raise SettingError("设置 milvus.uri 的值不对。", "请写成 http://主机:端口 或 文件名.db；用户名和密码放在环境变量 WENJU_MILVUS_TOKEN 里。")
    if not _COLLECTION.fullmatch(settings.milvus_collection):
        raise SettingError(f"设置 milvus.collection 的值 {settings.milvus_collection!r} 不对。", "请用字母、数字和下划线，以字母开头。")
    for setting, more in (("generator", "；怎样装模型，见 wenju models"), ("store", "")):
        chosen = getattr(settings, setting)
        for name in _NEEDED.get(chosen, ()):
            if not getattr(settings, name):
                raise SettingError(f"{setting} 为 {chosen} 时要设置 {name.replace('_', '.', 1)}。", f"例如环境变量 WENJU_{name.upper()}{more}。")
    return settings
