"""What is under ui/deploy: as far as a machine without systemd, Docker and a second machine can tell."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from portal_fakes import NGINX, behind_nginx
from test_api import SEEDS, running
from web_fakes import WebPipeline

from rag.config import Settings
from ui.api.settings import Portal
from ui.api.signin import _OPEN
from ui.server import create_api

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "ui" / "deploy"


def test_the_example_of_nginx_is_one_that_nginx_takes(tmp_path: Path) -> None:
    if not Path(NGINX).exists():
        pytest.skip("nginx is not installed")  # test_portal.py insists on it in CI
    from ui.api.service import Service

    with running(create_api(Service(WebPipeline(Settings(home=tmp_path), SEEDS)))) as address, behind_nginx(address, tmp_path):
        pass
    text = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    for header in ("X-Remote-User", "X-Remote-Groups"):  # a client's own must not get through
        assert f'proxy_set_header {header} ""' in text
    assert Portal().user_header in text and Portal().groups_header in text


def test_the_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    text = (DEPLOY / "wenju.service").read_text(encoding="utf-8")
    assert {"NoNewPrivileges=true", "ProtectSystem=strict", "User=wenju", "IPAddressDeny=any"} <= set(text.splitlines())
    stop = int(re.search(r"TimeoutStopSec=(\d+)", text)[1])
    assert stop > Portal().shutdown_seconds
    if tool := shutil.which("systemd-analyze"):
        unit = tmp_path / "wenju.service"
        unit.write_text(re.sub(r"ExecStart=\S+", "ExecStart=/bin/true", text), encoding="utf-8")
        said = subprocess.run([tool, "verify", str(unit)], capture_output=True, text=True, check=False)
        assert said.returncode == 0 and "wenju.service" not in said.stderr, said.stderr


def test_the_image_copies_what_the_package_needs_and_runs_as_nobody_special() -> None:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    packages = {name.rstrip("*") for name in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]["include"]}
    assert packages == {line.split()[1] for line in text.splitlines() if re.fullmatch(r"COPY (\w+) \1", line)}
    assert "USER wenju" in text and text.index("USER wenju") < text.index("ENTRYPOINT")
    assert not re.search(r"curl|wget|git clone|ADD ", text)


@pytest.mark.parametrize("script", ["bundle.sh", "install.sh"])
def test_the_scripts_are_shell(script: str) -> None:
    assert subprocess.run(["sh", "-n", str(DEPLOY / script)], check=False).returncode == 0


def test_what_is_open_to_strangers_holds_no_document() -> None:
    for path in ("/page/documents", "/page/documents/x.css", "/page/x/../documents", "/api/v1/documents", "/config", "/", "/embed",
                 "/assets", "/page/.css/../x", "/metrics", "/page/source?x=a.js"):
        assert not _OPEN.fullmatch(path), path
