"""A language model on a leash: time, length, number of answers at once, and a rest after failures in a row."""

import logging
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing

from rag.errors import GenerationError
from rag.protocols import AnswerGenerator, Message

_FAILURES = 3
"""In a row, after which the model is left alone."""
_REST, _LONGEST_REST = 30.0, 300.0
"""Seconds; doubled each time the one request let through after a rest fails too."""
_CHARACTERS_A_TOKEN = 8

_log = logging.getLogger("wenju.generator")


class Guard:
    """Lets a generator write within bounds, whatever it does. Thread-safe; one for each model of a process.

    The model writes in a thread of its own, so that a reader never waits longer than `seconds`; the thread keeps its
    place among the `at_once` until the model has really stopped.
    """

    def __init__(self, generator: AnswerGenerator, seconds: float, most_tokens: int, at_once: int) -> None:
        self.name, self.digest = generator.name, generator.digest
        self._generator, self._seconds, self._longest = generator, seconds, most_tokens * _CHARACTERS_A_TOKEN
        self._places = threading.BoundedSemaphore(at_once)
        self._lock = threading.Lock()
        self._failures, self._resting_until = 0, 0.0

    def write(self, messages: Sequence[Message]) -> Iterator[str]:
        """Pieces of the text as they come. Raises GenerationError: too slow, too long, busy, resting or failed."""
        self._admit()
        pieces: queue.SimpleQueue[str | GenerationError | None] = queue.SimpleQueue()
        stopped, deadline = threading.Event(), time.monotonic() + self._seconds
        threading.Thread(target=self._produce, args=(messages, deadline, pieces, stopped), name="wenju-generator",
                         daemon=True).start()
        try:
            yield from self._consumed(pieces, deadline)
        except GenerationError as error:
            self._failed(error)
            raise
        else:
            with self._lock:
                self._failures, self._resting_until = 0, 0.0
        finally:
            stopped.set()

    def _produce(
        self, messages: Sequence[Message], deadline: float, pieces: "queue.SimpleQueue[str | GenerationError | None]",
        stopped: threading.Event,
    ) -> None:
        try:
            with closing(self._generator.write(messages, deadline)) as written:
                for piece in written:
                    pieces.put(piece)
                    if stopped.is_set():
                        return
            pieces.put(None)
        except GenerationError as error:
            pieces.put(error)
        except Exception as error:  # a model's library may raise anything; the reader still gets an answer
            _log.exception("the generator failed")
            pieces.put(GenerationError(f"语言模型出错了（{type(error).__name__}）。"))
        finally:
            self._places.release()

    def _consumed(self, pieces: "queue.SimpleQueue[str | GenerationError | None]", deadline: float) -> Iterator[str]:
        length = 0
        while True:
            try:
                piece = pieces.get(timeout=max(deadline - time.monotonic(), 0))
            except queue.Empty:
                raise GenerationError("语言模型没有在限定时间内写完。") from None
            if piece is None:
                return
            if isinstance(piece, GenerationError):
                raise piece
            length += len(piece)
            if length > self._longest:
                raise GenerationError("语言模型写得太长。")
            yield piece

    def _admit(self) -> None:
        """Takes a place. Raises GenerationError when there is none, or while the model rests."""
        with self._lock:
            now = time.monotonic()
            if now < self._resting_until:
                raise GenerationError("语言模型连续出错，暂时停用。")
            if not self._places.acquire(blocking=False):
                raise GenerationError("语言模型正忙。")
            if self._failures >= _FAILURES:  # one request tries whether it is well again; the others wait for its result
                self._resting_until = now + self._seconds

    def _failed(self, error: GenerationError) -> None:
        _log.warning("no generated answer: %s", error.message)
        with self._lock:
            self._failures += 1
            if self._failures >= _FAILURES:
                rest = min(_REST * 2 ** (self._failures - _FAILURES), _LONGEST_REST)
                self._resting_until = time.monotonic() + rest
