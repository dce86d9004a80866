"""Settings: defaults < `wenju.toml` < `WENJU_*` environment < flags. An unknown key is an error."""

import os
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
    generator: str = "extractive"
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
_OF_ENGINES = frozenset({"milvus_uri", "openai_base_url", "openai_model", "openai_api_key", "transformers_model"})
"""Names fixed for engines that are not built in yet: an environment that has them is not wrong."""
_OF_DOORS = ("portal",)
"""Tables of `wenju.toml`, and first words of `WENJU_*` names, that the doors read: see `load_table`."""
_DOOR_PREFIXES = tuple(f"{name}_" for name in _OF_DOORS)
_GENERATORS, _STORES = ("extractive",), ("faiss",)


def load_settings(flags: Mapping[str, Any] | None = None, folder: Path | None = None) -> Settings:
    """Settings for this process.

    flags: values that win over all else; None values are ignored. folder: where `wenju.toml` is looked for.
    Raises SettingError for an unknown key or an impossible value.
    """
    values = dict(_known({k: v for k, v in _file(folder).items() if k not in _OF_DOORS}, "wenju.toml", _NAMES))
    named = {k: v for k, v in _environment().items() if k not in _OF_ENGINES and not k.startswith(_DOOR_PREFIXES)}
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
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(f"{file.name} 写得不对：{error}。", "请按 TOML 格式改正后再试。") from error


def _environment() -> Mapping[str, str]:
    return {k[6:].lower(): v for k, v in os.environ.items() if k.startswith("WENJU_")}


def _known(values: Mapping[str, Any], where: str, names: Set[str]) -> Mapping[str, Any]:
    unknown = sorted(set(values) - names)
    if unknown:
        raise SettingError(f"{where} 中有不认识的设置：{'、'.join(unknown)}。", f"可用的设置有：{'、'.join(sorted(names))}。")
    return values


def _convert(name: str, value: Any) -> Any:
    kind = {"home": Path, "threads": int, "min_confidence": float, "max_question": int, "max_file_mb": int}.get(name, str)
    try:
        return kind(value)
    except (TypeError, ValueError) as error:
        raise SettingError(f"设置 {name} 的值 {value!r} 不对。", "请填数字。") from error


def _checked(settings: Settings) -> Settings:
    for name, value, allowed in (("generator", settings.generator, _GENERATORS), ("store", settings.store, _STORES)):
        if value not in allowed:
            raise SettingError(f"设置 {name} 的值 {value!r} 不可用。", f"可选：{'、'.join(allowed)}。")
    if not 0 <= settings.min_confidence <= 1:
        raise SettingError("设置 min_confidence 应在 0 到 1 之间。")
    if min(settings.threads, settings.max_question, settings.max_file_mb) < 1:
        raise SettingError("设置 threads、max_question、max_file_mb 应为正整数。")
    return settings
