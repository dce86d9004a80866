"""A bounded pool of threads: answers are computed off the event loop, and a full house says so at once.

A busy worker process cannot refuse anybody, so the bound stands in front of the work and health
checks stay on the event loop (see encode/uvicorn discussion 1817).
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class Busy(Exception):
    """Every thread works and every waiting place is taken."""


class Workers:
    """Runs blocking functions in `threads` threads, with at most `waiting` more calls in line."""

    def __init__(self, threads: int, waiting: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="wenju-worker")
        self._room = threads + waiting
        self._lock = threading.Lock()
        self._taken = self._refused = 0

    @property
    def taken(self) -> int:
        """Calls that run or wait now."""
        return self._taken

    @property
    def full(self) -> bool:
        """Whether the next call would be refused."""
        return self._taken >= self._room

    @property
    def refused(self) -> int:
        """Calls refused so far for want of room."""
        return self._refused

    async def run(self, function: Callable[[], T]) -> T:
        """The function's result. Raises Busy when there is no room, else whatever the function raises."""
        return await asyncio.wrap_future(self._submit(function))

    async def stream(self, iterate: Callable[[], Iterator[T]]) -> AsyncIterator[T]:
        """The items of a blocking iterator as they come.

        Closing this iterator early stops the thread before its next item. Raises Busy when there is
        no room, else whatever the iterator raises.
        """
        loop, items, stopped = asyncio.get_running_loop(), asyncio.Queue(), threading.Event()

        def hand_over(item: T | Future) -> None:
            try:
                loop.call_soon_threadsafe(items.put_nowait, item)
            except RuntimeError:  # the loop is closed: the server went away while we worked
                stopped.set()

        def work() -> None:
            for item in iterate():
                if stopped.is_set():
                    break
                hand_over(item)

        future = self._submit(work)
        future.add_done_callback(hand_over)
        try:
            while (item := await items.get()) is not future:
                yield item
            future.result()
        finally:
            stopped.set()
            future.cancel()

    def close(self) -> None:
        """Lets running calls end and drops the waiting ones."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _submit(self, function: Callable[[], T]) -> "Future[T]":
        with self._lock:
            if self.full:
                self._refused += 1
                raise Busy
            self._taken += 1
        try:
            future = self._pool.submit(function)
        except RuntimeError as error:  # the pool is closed
            self._leave()
            raise Busy from error
        future.add_done_callback(self._leave)
        return future

    def _leave(self, _: object = None) -> None:
        with self._lock:
            self._taken -= 1
