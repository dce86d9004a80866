"""Who may run things on the machine itself, as opposed to asking questions: for now, a person who sits at it."""

import ipaddress

from starlette.requests import Request

from ui.api.proxy import FORWARDED, TRUSTED

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
