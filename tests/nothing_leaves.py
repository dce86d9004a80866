"""Holds the test session to this machine: what tries to reach another one is refused.

Where the process may, it moves into a network namespace of its own in which there is nothing but loopback: the kernel
then refuses every child too, whatever program it is. Everywhere, a hook that cannot be taken off refuses connects and
look-ups of names in this process, and the browser is told to resolve nothing (browsing.ARGS).
"""

import ctypes
import fcntl
import os
import socket
import struct
import sys
from contextlib import suppress
from ipaddress import ip_address

_NEWNET = 0x40000000
_SIOCSIFFLAGS, _UP_RUNNING = 0x8914, 0x1 | 0x40
_LOCAL = frozenset(("localhost", "", socket.gethostname()))


def alone() -> bool:
    """Leaves the machine's network behind, as root may; whether that was done."""
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() or libc.unshare(_NEWNET):
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", _UP_RUNNING))
    return True


def is_local(host: object) -> bool:
    """Whether a name or address is this machine's own."""
    name = host.decode("utf-8", "replace") if isinstance(host, bytes) else str(host or "")
    if name.lower() in _LOCAL:
        return True
    try:
        address = ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def hold() -> None:
    """Puts the hook into this process."""
    def hook(event: str, arguments: tuple) -> None:
        if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
            made, address = arguments[0], arguments[1]
            if made.family in (socket.AF_INET, socket.AF_INET6) and isinstance(address, tuple) and not is_local(address[0]):
                raise PermissionError(f"tests reach nobody else: {address[0]}")
        elif event in ("socket.getaddrinfo", "socket.gethostbyname") and not is_local(arguments[0]):
            raise PermissionError(f"tests look up nobody else: {arguments[0]}")

    sys.addaudithook(hook)


def only_here() -> bool:
    """Both; whether children are held by the kernel, too."""
    held = False
    with suppress(OSError):
        held = alone()
    hold()
    return held
