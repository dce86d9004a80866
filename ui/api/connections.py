"""uvicorn with patience that ends: clients that dawdle are cut off, and stopping first answers what was accepted."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol


class Patient(H11Protocol):
    """A connection on which a request's head has to arrive, and its response to be taken, within `idle_seconds`."""

    def __init__(self, *args: Any, idle_seconds: float, **more: Any) -> None:
        super().__init__(*args, **more)
        self._idle_seconds = idle_seconds
        self._waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Starts waiting for the first request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Takes bytes; only a whole head ends the wait, not one byte of it every second."""
        super().data_received(data)
        if self.flow.write_paused:
            return
        if self.cycle is not None and not self.cycle.response_complete:
            self._go_on()
        elif self._waiting is None:
            self._wait()

    def pause_writing(self) -> None:
        """The client does not take what is sent."""
        super().pause_writing()
        self._wait()

    def resume_writing(self) -> None:
        """It does again."""
        super().resume_writing()
        self._go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more to wait for."""
        self._go_on()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._go_on()
        self._waiting = self.loop.call_later(self._idle_seconds, self.transport.abort)

    def _go_on(self) -> None:
        if self._waiting:
            self._waiting.cancel()
            self._waiting = None


class Server(uvicorn.Server):
    """A server that, once told to stop, first calls `closing`: so that idle connections of pages do not hold it up."""

    def __init__(self, config: uvicorn.Config, closing: Callable[[], None]) -> None:
        super().__init__(config)
        self._closing = closing

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn."""
        self._closing()
        await super().shutdown(sockets)
