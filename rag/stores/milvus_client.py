"""The way to a Milvus server: connecting, calling, and what its errors mean."""

import logging
import os
import re
import threading
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from rag.errors import EngineError

ANSWER, WORK = 10.0, 300.0
"""Seconds within which a question must be answered, and a change be done."""
_CHANNEL = {
    "grpc.use_local_subchannel_pool": 1, "grpc.initial_reconnect_backoff_ms": 200, "grpc.max_reconnect_backoff_ms": 1000,
    "grpc.enable_http_proxy": 0, "grpc.keepalive_permit_without_calls": 0,
}
"""A server that is back is noticed at once, where gRPC would wait up to two minutes; no proxy of the environment is used; and
nobody is asked for signs of life while nothing is wanted, for which servers hang up."""


class Client:
    """pymilvus's client of one server, made when it is first needed. Thread-safe."""

    def __init__(self, uri: str, token: str) -> None:
        self._uri, self._token = uri, token
        self._client: Any = None
        self._version: tuple[int, ...] = ()
        self._connecting = threading.Lock()

    def version(self) -> tuple[int, ...]:
        """The server's, as (2, 4). Raises EngineError."""
        self._connected()
        return self._version

    def call(self, method: str, *arguments: Any, seconds: float = ANSWER, **more: Any) -> Any:
        """A method of pymilvus's client, whose errors become EngineError."""
        client = self._connected()
        try:
            return getattr(client, method)(*arguments, timeout=seconds, **more)
        except Exception as error:  # pymilvus lets its own errors, those of gRPC and plain ones through
            raise self._explained(error) from error

    def create(
        self, name: str, fields: Mapping[str, tuple[str, Mapping[str, Any]]],
        indexes: Mapping[str, tuple[str, str, Mapping[str, Any]]],
    ) -> None:
        """A new collection. fields: name of the type, and what pymilvus takes besides. indexes: kind, metric, parameters."""
        from pymilvus import DataType

        client = self._connected()
        schema, indexing = client.create_schema(auto_id=False, enable_dynamic_field=False), client.prepare_index_params()
        for field, (kind, more) in fields.items():
            schema.add_field(field, getattr(DataType, kind), **more)
        for field, (kind, metric, parameters) in indexes.items():
            indexing.add_index(field, index_type=kind, metric_type=metric, params=dict(parameters))
        self.call("create_collection", name, schema=schema, index_params=indexing, seconds=WORK)

    def _connected(self) -> Any:
        with self._connecting:
            if self._client is None:
                pymilvus = _library()
                try:
                    client = pymilvus.MilvusClient(self._uri, token=self._token, timeout=ANSWER, dedicated=True, grpc_options=_CHANNEL)
                    version = client.get_server_version(timeout=ANSWER)
                except Exception as error:
                    raise self._explained(error) from error
                self._version = tuple(map(int, re.findall(r"\d+", version)[:2]))
                self._client = client
            return self._client

    def _explained(self, error: Exception) -> EngineError:
        """What has happened, without what a message of the server's may hold of names, passwords or paths."""
        said, where = " ".join(_chain(error)).lower(), urlsplit(self._uri).netloc or self._uri
        for words, message, hint in _REASONS:
            if any(word in said for word in words):
                return EngineError(message.format(where=where), hint)
        kind, code = type(error).__name__, getattr(error, "code", "")
        return EngineError(f"Milvus（{where}）没有完成请求（{kind} {code if isinstance(code, int) else ''}）。", "请查看 Milvus 的日志。")


_REASONS = (
    (("unauthenticated", "auth check", "permission", "password"), "Milvus（{where}）拒绝了登录。",
     "请检查环境变量 WENJU_MILVUS_TOKEN（用户名:密码）。"),
    (("deadline", "timeout", "timed out"), "Milvus（{where}）迟迟没有回答。", "请查看它是否太忙，网络是否通畅。"),
    (("open local milvus",), "打不开 Milvus Lite 的文件 {where}。", "请确认文件夹存在；它同时只能由一个进程打开，几个进程要用 Milvus 服务。"),
    (("fail connecting", "unavailable", "refused", "closed channel"), "连不上 Milvus（{where}）。",
     "请确认它在运行，milvus.uri 写对了，网络能通。"),
    (("unimplemented",), "{where} 不是 Milvus，或者版本太旧。", "请检查 milvus.uri 的端口（通常是 19530）。"),
    (("not found", "not exist", "can't find"), "Milvus（{where}）里没有要找的集合。", "索引可能刚刚更新：请重试；仍不行就运行 wenju index。"),
)


def _chain(error: BaseException | None) -> Iterator[str]:
    """What an error says, and those behind it: pymilvus calls a refused login a failure to connect.

    Some of its errors are their own cause.
    """
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        yield str(error)
        error = error.__context__ if error.__cause__ in (None, error) else error.__cause__


def _library() -> Any:
    """pymilvus, which at its import would take settings out of `.env` files, and logs each error with its traceback."""
    before = os.environ.get("PYTHON_DOTENV_DISABLED")
    os.environ["PYTHON_DOTENV_DISABLED"] = "1"
    try:
        import pymilvus
    except ImportError as error:
        raise EngineError("没有装 Milvus 的客户端。", "请运行 pip install 'wenju[milvus]'。") from error
    finally:
        os.environ.pop("PYTHON_DOTENV_DISABLED")
        os.environ |= {"PYTHON_DOTENV_DISABLED": before} if before is not None else {}
    for name in ("pymilvus", "milvus_lite"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return pymilvus
