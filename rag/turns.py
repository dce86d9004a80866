"""Questions that come from several threads at once, computed together by one of them."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rag.protocols import Encoded
from rag.readings import Reading


class Turns:
    """Whoever finds nobody at work computes all that wait, their own included; what comes meanwhile waits for the next
    turn. One caller alone pays for two locks and waits for nobody."""

    def __init__(self, work: Callable[[Sequence[Reading]], Sequence[Encoded]], most: int) -> None:
        """work: one result for each reading, the same whatever the others are. most: how many it gets at once."""
        self._work, self._most = work, most
        self._waiting: deque[_Waiting] = deque()
        self._turn = threading.Lock()

    def result_of(self, reading: Reading) -> Encoded:
        """What `work` makes of it. An error of `work` is raised for all that it was given."""
        mine = _Waiting(reading)
        self._waiting.append(mine)
        with self._turn:
            while mine.made is None and mine.error is None:
                self._do([self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))])
        if mine.made is None:
            raise mine.error or AssertionError
        return mine.made

    def _do(self, now: "Sequence[_Waiting]") -> None:
        try:
            for waiting, made in zip(now, self._work([w.reading for w in now]), strict=True):
                waiting.made = made
        except BaseException as error:  # an interruption too: nobody is left waiting
            for waiting in now:
                waiting.error = error


@dataclass(slots=True, eq=False)
class _Waiting:
    reading: Reading
    made: Encoded | None = None
    error: BaseException | None = None
