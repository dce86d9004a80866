"""What a reverse proxy says of a request, believed from listed addresses only.

`X-Forwarded-For`, `-Proto` and `-Prefix` of a trusted proxy become the request's address, scheme and root path; from
anybody else they are dropped, and `X-Forwarded-Host` always is, so that nothing behind this layer (Gradio reads some of
them itself, and `X-Gradio-Server`) can be told lies.
"""

import ipaddress
import re

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send

from ui.api.settings import Portal

TRUSTED = "wenju.trusted"
"""Key of the scope: whether the request came through a trusted proxy."""
FORWARDED = "wenju.forwarded"
"""Key of the scope: whether any proxy, trusted or not, left its mark."""
_DROPPED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-prefix", "x-forwarded-proto",
            "x-real-ip", "x-gradio-server")
_PREFIX = re.compile(r"(/(?!\.)[A-Za-z0-9._~-]+){0,8}")


class Proxy:
    """The outermost layer: whoever is inside sees the client, not the proxy."""

    def __init__(self, app: ASGIApp, portal: Portal) -> None:
        self.app, self._root, self._networks = app, portal.root_path, portal.networks()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on with address, scheme and root path put right."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        scope = {**scope, "headers": list(scope["headers"])}
        headers = MutableHeaders(scope=scope)
        root, peer = self._root, (scope.get("client") or ("", 0))[0]
        scope[TRUSTED] = self._trusts(peer)
        scope[FORWARDED] = any(name in headers for name in (*_DROPPED, "via"))
        if scope[TRUSTED]:
            scope["client"] = (self._origin([*headers.get("x-forwarded-for", "").split(","), peer]), 0)
            if headers.get("x-forwarded-proto") in ("http", "https"):
                scope["scheme"] = headers["x-forwarded-proto"]
            prefix = headers.get("x-forwarded-prefix", "").rstrip("/")
            root = prefix if prefix and _PREFIX.fullmatch(prefix) else root
        for name in _DROPPED:
            del headers[name]
        await self.app(_under(scope, root), receive, send)

    def _trusts(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        parsed = getattr(parsed, "ipv4_mapped", None) or parsed
        return any(parsed in network for network in self._networks)

    def _origin(self, hops: list[str]) -> str:
        """The last address that is not one of our proxies': what stands before it the client could have made up."""
        named = [hop.strip() for hop in hops if hop.strip()]
        return next((hop for hop in reversed(named) if not self._trusts(hop)), named[0])


def _under(scope: Scope, root: str) -> Scope:
    """The scope as ASGI has it: `path` begins with `root_path`, whether or not the proxy took it off."""
    if not root:
        return scope
    if scope["path"] != root and not scope["path"].startswith(f"{root}/"):
        scope["path"] = root + scope["path"]
        scope["raw_path"] = root.encode() + scope.get("raw_path", b"")
    scope["root_path"] = root
    return scope


def route_path(scope: Scope) -> str:
    """The path below the root path, "/" at least."""
    return scope["path"].removeprefix(scope.get("root_path", "")) or "/"
