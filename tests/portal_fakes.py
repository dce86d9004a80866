"""A portal of two lines, and nginx before the service: what Wenju meets in the field, on loopback."""

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
EXAMPLE_CONF = Path(__file__).parents[1] / "ui" / "deploy" / "nginx.conf"


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextmanager
def portal(body: str, host: str = "127.0.0.1") -> Iterator[str]:
    """A page of another origin; gives its address. host: "localhost" makes it another site, too."""
    page = f'<!doctype html><html lang="zh-CN"><head><meta charset="utf-8"><title>门户</title></head><body><h1>门户</h1>{body}</body></html>'

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/favicon.ico":
                return self.send_error(404)
            data = page.encode()
            self.send_response(200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://{host}:{server.server_port}"
        finally:
            server.shutdown()


@contextmanager
def behind_nginx(address: str, folder: Path) -> Iterator[str]:
    """nginx with the example's own location block, in front of the service; gives the address of /kb."""
    port = free_port()
    block = EXAMPLE_CONF.read_text(encoding="utf-8")
    block = block.replace("127.0.0.1:7860", address.removeprefix("http://")).replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
    block = "\n".join(line for line in block.splitlines() if "ssl_certificate" not in line)
    temporary = "\n".join(f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    conf = folder / "nginx.conf"
    conf.write_text(f"pid {folder}/pid; error_log {folder}/error.log; daemon off; events {{}}\n"
                    f"http {{ include /etc/nginx/mime.types; access_log off; {temporary}\n{block}\n}}", encoding="utf-8")
    process = subprocess.Popen([NGINX, "-p", str(folder), "-c", str(conf)], stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 20
        while True:
            assert process.poll() is None and time.monotonic() < deadline, process.stderr.read().decode() if process.poll() else "nginx"
            with socket.socket() as attempt:
                if attempt.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/kb"
    finally:
        process.terminate()
        process.wait(10)
