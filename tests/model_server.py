"""`transformers serve` of the installed version, as a process of its own on loopback."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

_SECONDS = 120
"""Within which it has to be up: it imports much, and loads the model before it listens."""


@dataclass(frozen=True)
class Served:
    """address: what `openai_base_url` takes. model: what the server calls its model."""

    address: str
    model: str
    process: subprocess.Popen


@contextlib.contextmanager
def serving(folder: Path, log: Path) -> Iterator[Served]:
    """The server of one folder. log: what it prints."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [Path(sys.executable).with_name("transformers"), "serve", folder.name, "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    # it takes a name without a folder for one on the hub unless the folder lies where it was started
    with log.open("wb") as printed:
        process = subprocess.Popen(command, cwd=folder.parent, stdout=printed, stderr=subprocess.STDOUT,
                                   env=os.environ | {"HF_HUB_OFFLINE": "1"})
        try:
            _await(f"http://127.0.0.1:{port}/health", process, log)
            yield Served(f"http://127.0.0.1:{port}/v1", folder.name, process)
        finally:
            process.kill()
            process.wait()


def _await(address: str, process: subprocess.Popen, log: Path) -> None:
    until = time.monotonic() + _SECONDS
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(address, trust_env=False).status_code == 200:
                return
        time.sleep(0.2)
    raise AssertionError(log.read_text(errors="replace")[-2000:])
