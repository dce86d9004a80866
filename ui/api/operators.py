"""Who may run things: a person who sits at the machine; where people have names, those that `portal.admins` lists."""

import ipaddress
from urllib.parse import urlsplit

from starlette.requests import Request

from ui.api.identity import asker_of
from ui.api.proxy import FORWARDED, TRUSTED
from ui.api.settings import Portal

_HERE = frozenset({"localhost", "127.0.0.1", "::1"})


def may_operate(request: Request) -> bool:
    """Whether the request comes from this machine, of its user's own will.

    Not through a proxy, which would make everyone local; not under a name that a foreign site gave this address
    (DNS rebinding); not sent by another site's page.
    """
    if request.client is None or request.scope.get(TRUSTED) or request.scope.get(FORWARDED):
        return False
    try:
        local = ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False
    own = f"{request.url.scheme}://{request.headers.get('host', '')}"
    same = request.headers.get("origin", own) == own and request.headers.get("sec-fetch-site", "none") in ("none", "same-origin")
    return local and request.url.hostname in _HERE and (same or request.method == "GET")


def may_administer(request: Request, portal: Portal) -> bool:
    """Whether an administrator sent the request, and no other site's page in their name: not even one that may ask."""
    if portal.identity == "none":
        return may_operate(request)
    asker = asker_of(request)
    named = asker.name in portal.admins and not asker.name.startswith("@")  # or a person could be called as a group is written
    listed = bool(asker.name) and (named or any(f"@{group}" in portal.admins for group in asker.groups))
    return listed and (request.method == "GET" or _from_own_page(request))


def _from_own_page(request: Request) -> bool:
    """Browsers say where a writing request comes from; programs, which carry no cookies of others, do not."""
    host = request.headers.get("host", "")
    own = urlsplit(request.headers.get("origin", f"//{host}")).netloc == host
    return own and request.headers.get("sec-fetch-site", "none") in ("none", "same-origin")
