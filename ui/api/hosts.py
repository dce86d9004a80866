"""The names under which a service without sign-in may be asked for.

A site can give its own name the address of a machine in the visitor's office (DNS rebinding): the browser then takes the
service for a part of that site and lets its scripts read everything. What gives it away is the Host header, which names
the site. Addresses cannot be rebound, and a trusted proxy answers for the names it lets through.
"""

import ipaddress
import re
import socket
from functools import cache

from starlette.datastructures import Headers
from starlette.types import Scope

from ui.api.proxy import TRUSTED
from ui.api.settings import Portal

_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^\[\]:]+))(?::\d*)?")


def asked_by_name(scope: Scope, portal: Portal) -> str:
    """The strange name that a request was sent to; "" when it is an address, a name of ours, or vouched for.

    Programs that send no Host are no browsers.
    """
    host = Headers(scope=scope).get("host", "")
    if not host or portal.identity != "none" or scope.get(TRUSTED):
        return ""
    name = _name_of(host)
    return "" if name in portal.hosts or name in _own_names() or _is_address(name) else name


def _name_of(host: str) -> str:
    """Without the port, in lower case; what is no name with a port, or none, is taken as it stands."""
    found = _HOST.fullmatch(host.lower())
    return (found[1] or found[2]).rstrip(".") if found else host


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


@cache
def _own_names() -> frozenset[str]:
    own = socket.gethostname().lower()
    return frozenset({"localhost", own, own.partition(".")[0]})
