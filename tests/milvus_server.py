"""A real Milvus on loopback, the binary that the PyPI package `milvus` carries (2.3.5), as a process of this test session.

It unpacks 450 MB into a folder of its own, starts in about 8 s, and holds 0.2 to 0.4 GB. Its ports are open on all
interfaces; where the session has a network namespace of its own (nothing_leaves.py) that is loopback alone.
"""

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rag.stores.milvus import Milvus

HERE = Path(__file__).parent


@contextmanager
def milvus_server(folder: Path) -> Iterator[str]:
    """Its address, until the end of the block, or of this process: whoever looks after the server stops it then."""
    command = [sys.executable, __file__, str(folder)]
    with subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as keeper:
        yield keeper.stdout.readline().strip()
        keeper.stdin.close()


def keep(folder: Path) -> None:
    """Runs the server until standard input ends."""
    from milvus import MilvusServer, MilvusServerConfig

    config = MilvusServerConfig(data_dir=str(folder))
    for name, milliseconds in (("queryCoord.checkInterval", 100), ("queryCoord.distPullInterval", 50), ("proxy.timeTickInterval", 50)):
        config.set(name, milliseconds)  # loading a collection waits for several of these in turn
    server = MilvusServer(config)
    try:
        server.start()
        sys.stdout.write(f"http://127.0.0.1:{server.listen_port}\n")
        sys.stdout.flush()
        sys.stdin.read()
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def worker(job: str, milvus: "Milvus", place: Path, home: str = "home") -> subprocess.Popen:
    """A process of `milvus_worker.py` over the documents of `place`; lines of text go in and out."""
    folders = [str(place / home / "index"), str(place / "docs")]
    command = [sys.executable, str(HERE / "milvus_worker.py"), job, milvus._uri, milvus.name, *folders]
    environment = {**os.environ, "PYTHONPATH": f"{HERE.parent}{os.pathsep}{HERE}"}
    return subprocess.Popen(command, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


class Gate:
    """A port that passes everything on to a server, until it is closed: the server is then away, or silent."""

    def __init__(self, target: str) -> None:
        host, _, port = target.removeprefix("http://").partition(":")
        self._target = host, int(port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self._open: list[socket.socket] = []
        self.silent = False
        threading.Thread(target=self._accept, args=(self._listening,), daemon=True).start()

    def close(self) -> None:
        """Lets go of the port and of all that went through it."""
        for one in (self._listening, *self._open):
            _hang_up(one)
        self._open.clear()

    def reopen(self) -> None:
        """Listens on the same port again."""
        self._listening = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listening,), daemon=True).start()

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                near, _ = listening.accept()
                far = socket.create_connection(self._target)
            except OSError:
                return
            self._open += [near, far]
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self._pass, args=(a, b), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(1 << 16):
                if not self.silent:
                    target.sendall(data)
        except OSError:
            pass
        finally:
            _hang_up(source)
            _hang_up(target)


def _hang_up(one: socket.socket) -> None:
    """Ends a connection, or the waiting for one, also in the threads that hold it."""
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


if __name__ == "__main__":
    keep(Path(sys.argv[1]))
