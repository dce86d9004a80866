"""The process in which risky formats are read: `python -m rag.loading.child`.

It gets bytes and gives frames; it has little memory and time, writes no file and inherits nothing. What it says is
checked by `sandbox`, which starts it: a file that breaks it breaks nothing else.
"""

import json
import os
import resource
import signal
import sys
from typing import BinaryIO

from rag.errors import DocumentError, Scanned
from rag.loading import frames
from rag.loading.archive import Member, members
from rag.loading.content import content_to_json
from rag.loading.readers import read

MOST_TEXT = 20_000_000
"""Characters in one document: some ten thousand pages."""
_IDLE = 60
"""Seconds after which a process that nobody needs ends; more than `sandbox.IDLE`."""


def main(memory: int, seconds: int) -> None:
    """Serves requests on standard input until it is closed. memory: bytes of address space; seconds: CPU for each."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # a library that prints must not speak in our name
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    while True:
        signal.alarm(_IDLE)
        try:
            header, data = frames.receive(requests)
        except EOFError:
            return
        signal.alarm(0)
        used = resource.getrusage(resource.RUSAGE_SELF)
        resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + seconds, resource.RLIM_INFINITY))
        if not _answer(answers, header, data):
            return


def _answer(answers: BinaryIO, header: dict, data: bytes) -> bool:
    """Carries out one request; False when this process is not fit for another."""
    name = header["name"]
    try:
        if header["suffix"] == ".zip":
            for member in members(data, name, header["most"]):
                _send_member(answers, member)
            frames.send(answers, {"end": True})
        else:
            content = read(header["suffix"], data, name)
            if len(content.text) > MOST_TEXT:
                raise DocumentError(f"“{name}”的文字过多（超过 {MOST_TEXT // 10_000} 万字）。", "请拆分文件后再试。")
            frames.send(answers, {"content": True}, _dumped(content_to_json(content)))
    except DocumentError as error:
        frames.send(answers, {"error": [error.message, error.hint], "scanned": isinstance(error, Scanned)})
    except MemoryError:
        frames.send(answers, {"error": [f"读“{name}”要用的内存超过了上限。", "文件可能有问题；若无误，请拆分后再试。"], "last": True})
        return False
    except RecursionError:
        frames.send(answers, {"error": [f"“{name}”的内部结构嵌套过深。", "请用办公软件打开它，确认无误后另存再试。"]})
    except OSError:
        raise
    except Exception as error:  # what a parser raises for a file that nobody thought of
        frames.send(answers, {"error": [f"“{name}”读不出来，内部结构不对（{type(error).__name__}）。", "请用办公软件打开它，确认无误后另存再试。"]})
    return True


def _send_member(answers: BinaryIO, member: Member) -> None:
    refusal = [member.refusal.message, member.refusal.hint] if member.refusal else None
    frames.send(answers, {"member": member.name, "refusal": refusal}, member.data)


def _dumped(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
