"""Nothing leaves the machine while the tests run: what tries is refused, and that is seen here."""

import os
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from browsing import needs_chromium
from nothing_leaves import is_local

FOREIGN = ("203.0.113.7", "2001:db8::7", "169.254.169.254", "10.0.0.1")
"""Addresses of examples, of clouds' metadata and of offices."""


@pytest.mark.parametrize("host", FOREIGN)
def test_connecting_is_refused(host: str) -> None:
    kind = socket.AF_INET6 if ":" in host else socket.AF_INET
    for transport in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(kind, transport) as attempt, pytest.raises(PermissionError, match="nobody else"):
            attempt.settimeout(1)
            attempt.connect((host, 53))
    with socket.socket(kind, socket.SOCK_DGRAM) as attempt, pytest.raises(PermissionError):
        attempt.sendto(b"x", (host, 53))


def test_looking_up_is_refused() -> None:
    for call in (lambda: socket.getaddrinfo("example.org", 443), lambda: socket.gethostbyname("example.org"),
                 lambda: urllib.request.urlopen("https://example.org/", timeout=1)):
        with pytest.raises((PermissionError, OSError), match="nobody else"):
            call()
    assert socket.getaddrinfo("127.0.0.1", 1) and is_local("::1") and is_local("localhost") and not is_local("localhost.example.org")


def test_children_are_held_by_the_kernel(children_held: bool) -> None:
    """Where the session may not have a network of its own, they are held by their settings alone (offline, telemetry off)."""
    program = "import socket, sys; s = socket.socket(); s.settimeout(2); sys.exit(s.connect_ex(('203.0.113.7', 80)))"
    code = subprocess.run([sys.executable, "-c", program], check=False).returncode
    if children_held:
        assert os.strerror(code) == "Network is unreachable"
        devices = Path("/proc/net/dev").read_text().splitlines()[2:]
        assert [line.split(":")[0].strip() for line in devices] == ["lo"]
    assert os.environ["HF_HUB_OFFLINE"] == "1" and os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"


@needs_chromium
def test_the_browser_reaches_nobody(browser) -> None:
    page = browser.new_page()
    for address in ("http://203.0.113.7/", "http://example.org/", "https://127.0.0.1.nip.example/"):
        with pytest.raises(Exception, match=r"ERR_NAME_NOT_RESOLVED|ERR_INTERNET_DISCONNECTED|ERR_ADDRESS_UNREACHABLE"):
            page.goto(address, timeout=5000)
    page.close()
