"""Limits on what one client may take: requests a minute, bytes of a body, seconds until it has arrived."""

import asyncio
import threading
import time
from collections import OrderedDict

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.api.identity import KEY, NOBODY
from ui.api.problems import refusal
from ui.api.proxy import route_path
from ui.api.settings import Portal

_CLIENTS = 10_000
"""Clients that are remembered; those that have been quiet longest are forgotten first, which only does them good."""

_PATIENCE = 15
"""How many times longer a document may take to arrive than a question."""


class Buckets:
    """Token buckets (Turner 1986): each client may ask `rate` times at once, and regains one every 60 / rate seconds."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait(self, client: str, now: float) -> float:
        """Takes one; 0.0, or the seconds until there is one to take. now: of a clock that never goes back."""
        with self._lock:
            left, since = self._left.pop(client, (float(self._rate), now))
            left = min(self._rate, left + (now - since) * self._rate / 60)
            taken = left >= 1
            self._left[client] = (left - taken, now)
            if len(self._left) > _CLIENTS:
                self._left.popitem(last=False)
            return 0.0 if taken else (1 - left) * 60 / self._rate


class Limits:
    """Refuses with 429, 413 and 408."""

    def __init__(self, app: ASGIApp, portal: Portal, roomy: str = "", roomy_bytes: int = 0) -> None:
        """roomy: the beginning of the paths whose bodies may have so many bytes instead, and more time to arrive."""
        self.app, self._bytes, self._seconds = app, portal.body_kb * 1024, portal.body_seconds
        self._roomy, self._roomy_bytes = roomy, roomy_bytes
        self._buckets = Buckets(portal.rate) if portal.rate else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on with a `receive` that counts and waits no longer than it should."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        if self._buckets and scope["method"] == "POST":
            client = scope.get(KEY, NOBODY).name or f"@{(scope.get('client') or ('',))[0]}"
            if wait := self._buckets.wait(client, time.monotonic()):
                again = {"Retry-After": str(int(wait) + 1)}
                return await refusal(429, "提问太频繁。请稍等几秒再试。", scope, again)(scope, receive, send)
        await self.app(scope, self._bounded(scope, receive), send)

    def _bounded(self, scope: Scope, receive: Receive) -> Receive:
        roomy = bool(self._roomy) and route_path(scope).startswith(self._roomy)
        most, seconds = (self._roomy_bytes, self._seconds * _PATIENCE) if roomy else (self._bytes, self._seconds)
        announced = Headers(scope=scope).get("content-length", "")
        too_long = announced.isdecimal() and int(announced) > most
        loop, taken, whole = asyncio.get_running_loop(), 0, False
        deadline = loop.time() + seconds

        async def bounded() -> Message:
            nonlocal taken, whole
            if whole:  # the next message tells that the client has gone, whenever it goes
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError as error:
                raise HTTPException(408) from error
            taken += len(message.get("body", b""))
            whole = not message.get("more_body")
            if too_long or taken > most:
                raise HTTPException(413)
            return message

        return bounded
