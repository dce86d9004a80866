"""Questions asked in several processes at once, this one among them. Each has opened the index for itself and computes in
one thread."""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection
from queue import SimpleQueue

from eval.asker import Asker
from eval.asking import Asked, asked_together, windows
from eval.locate import Locator
from eval.sets import EvalItem
from rag.errors import UsageError, WenjuError
from rag.threads import single_thread

WORTH = 256
"""Questions below which another process takes longer to start than it saves."""


_WINDOW = 64
"""How many questions one of them asks at a time: few, so that at the end none waits long for another."""


def hands(questions: int) -> int:
    """How many processes are worth having for so many questions; 1: none besides this one."""
    return max(1, min(os.cpu_count() or 1, questions // WORTH))


class Crew:
    """The other processes, started when first needed, while this one asks already. A context manager: on leaving they end;
    also when this process is killed."""

    def __init__(self, opener: Callable[[], Asker], count: int) -> None:
        """opener: opens what is asked, in each other process; a function of a module, or a `partial` of one.

        count: of the processes, this one among them.
        """
        self._opener, self._count = opener, count
        self._processes: list[multiprocessing.process.BaseProcess] = []
        self._idle: SimpleQueue[Connection | None] = SimpleQueue()

    def __enter__(self) -> "Crew":
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
        for process in self._processes:
            process.join()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")  # what is forked has no threads, but locks they held
        self._idle.put(None)  # this process
        for _ in range(self._count - 1):
            mine, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, self._opener), daemon=True)
            process.start()
            theirs.close()  # so that a process that dies is noticed
            self._processes.append(process)
            self._idle.put(mine)

    def _end(self) -> None:
        for process in self._processes:
            process.terminate()

    def asked(self, items: Sequence[EvalItem], done: int, asker: Asker, depth: int) -> Iterator[Asked]:
        """Each item from `done` on, in order. asker: what this process asks, the same as the others open.

        Raises UsageError when a process cannot open the index or ends.
        """
        if self._idle.empty():
            self._start()
        locator = Locator(asker.text_of)

        def answered(window: Sequence[EvalItem], skipped: int) -> list[Asked]:
            pipe = self._idle.get()
            try:
                if pipe:
                    return self._sent(pipe, window, skipped, depth)
                with single_thread():
                    return asked_together(window, skipped, asker, locator, depth)
            finally:
                self._idle.put(pipe)

        with ThreadPoolExecutor(self._count) as threads:
            coming = [threads.submit(answered, window, skipped) for window, skipped in windows(items, done, _WINDOW)]
            try:
                for window in coming:
                    yield from window.result()
            except BaseException:  # nobody waits for the rest
                threads.shutdown(wait=False, cancel_futures=True)
                self._end()
                raise

    def _sent(self, pipe: Connection, window: Sequence[EvalItem], skipped: int, depth: int) -> list[Asked]:
        try:
            pipe.send((window, skipped, depth))
            answered = pipe.recv()
        except (EOFError, OSError) as error:
            raise UsageError("评测用的一个进程中途退出了。", "可能是内存不够；请加 --jobs 1 接着跑。") from error
        if isinstance(answered, str):
            raise UsageError(answered)
        return answered


def _serve(pipe: Connection, opener: Callable[[], Asker]) -> None:
    """What a process does: answers windows until nobody is there to send any."""
    os.environ |= {"WENJU_THREADS": "1", "OMP_NUM_THREADS": "1"}
    with suppress(EOFError, OSError, KeyboardInterrupt):
        try:
            asker = opener()
        except WenjuError as error:
            pipe.recv()
            pipe.send(str(error))
            return
        locator = Locator(asker.text_of)
        while True:
            window, skipped, depth = pipe.recv()
            pipe.send(asked_together(window, skipped, asker, locator, depth))
