"""doc, wps, rtf, odt and xls, et, ods: turned into docx and xlsx by LibreOffice where it is installed.

LibreOffice runs with a profile of its own in a temporary folder, without macros, links and add-ons, without our
environment, with little memory and time.
"""

import os
import resource
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

from rag.errors import DocumentError
from rag.loading.passing import passing_folder

TEXTS, TABLES = (".doc", ".wps", ".rtf", ".odt"), (".xls", ".et", ".ods")
"""What is turned into docx, and into xlsx."""
SECONDS = 20
_MEMORY = 512 << 20
"""Bytes of private data; the libraries it maps come on top."""
_SPACE = 2 << 30
_LARGEST = 64 << 20
"""Bytes of any file that it writes."""
_PROGRAMS = ("soffice", "libreoffice")
_PACKAGES = ("libreoffice-writer-nogui", "libreoffice-calc-nogui")
_MISSING = "；所有表格都这样时，是没有安装 LibreOffice 的表格部分（Debian：libreoffice-calc-nogui）"
_FILTERS = {".docx": "docx:MS Word 2007 XML", ".xlsx": "xlsx:Calc MS Excel 2007 XML"}
_READERS = {".xls": "MS Excel 97", ".et": "MS Excel 97", ".ods": "calc8"}
"""Without one named, whatever is no table is read as text parted by commas."""
_PROFILE = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry" xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<item oor:path="/org.openoffice.Office.Common/Security/Scripting"><prop oor:name="MacroSecurityLevel"><value>3</value></prop></item>
<item oor:path="/org.openoffice.Office.Common/Security/Scripting"><prop oor:name="DisableMacrosExecution"><value>true</value></prop></item>
<item oor:path="/org.openoffice.Office.Common/Security/Scripting"><prop oor:name="DisableActiveContent"><value>true</value></prop></item>
<item oor:path="/org.openoffice.Office.Common/Security/Scripting"><prop oor:name="BlockUntrustedRefererLinks"><value>true</value></prop></item>
<item oor:path="/org.openoffice.Office.Writer/Content/Update"><prop oor:name="Link"><value>0</value></prop></item>
</oor:items>
"""


def program() -> str | None:
    """LibreOffice's program, None where it is not installed."""
    return next(filter(None, map(shutil.which, _PROGRAMS)), None)


def modern(data: bytes, suffix: str, name: str) -> tuple[str, bytes]:
    """The file as ".docx" or, if it is a table, as ".xlsx". suffix: one of `TEXTS` or `TABLES`. name: for errors.

    Raises DocumentError, also where LibreOffice is not installed.
    """
    command = program()
    table = suffix in TABLES
    if command is None:
        raise DocumentError(
            f"读“{name}”要用 LibreOffice，但这台机器上没有安装。",
            f"Debian 或 Ubuntu：apt-get install {_PACKAGES[table]}；其他系统请安装 LibreOffice 并使 soffice 在 PATH 中；"
            f"或另存为 {'xlsx' if table else 'docx'} 再试。",
        )
    target = ".xlsx" if table else ".docx"
    with passing_folder() as folder:
        return target, _converted(command, folder, data, suffix, target, name)


def _converted(office: str, folder: Path, data: bytes, suffix: str, target: str, name: str) -> bytes:
    profile = folder / "profile"
    (profile / "user").mkdir(parents=True)
    (profile / "user" / "registrymodifications.xcu").write_text(_PROFILE, encoding="utf-8")
    source = folder / f"in{suffix}"
    source.write_bytes(data)
    command = [office, f"-env:UserInstallation={profile.as_uri()}", "--headless", "--norestore", "--nolockcheck", "--nodefault",
               *([f"--infilter={_READERS[suffix]}"] if suffix in _READERS else []), "--convert-to", _FILTERS[target], "--outdir", str(folder), str(source)]
    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder), "TMPDIR": str(folder), "LANG": "C.UTF-8"}
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               env=environment, cwd=folder, start_new_session=True)
    try:
        _limit(process.pid)
        process.wait(SECONDS)
    except subprocess.TimeoutExpired as error:
        raise DocumentError(f"转换“{name}”超过 {SECONDS} 秒，已放弃。", f"文件可能有问题；请用办公软件打开后另存为 {target[1:]} 再试。") from error
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    result = folder / f"in{target}"
    if not result.is_file() or not 0 < result.stat().st_size <= _LARGEST:
        raise DocumentError(f"“{name}”转换不了，可能已损坏或设有密码。", f"请用办公软件打开它，去掉密码，另存为 {target[1:]} 再试{_MISSING if target == '.xlsx' else ''}。")
    return result.read_bytes()


def _limit(process: int) -> None:
    """Limits a process that has just started and all it will start."""
    with suppress(ProcessLookupError):
        for what, most in ((resource.RLIMIT_DATA, _MEMORY), (resource.RLIMIT_AS, _SPACE), (resource.RLIMIT_CPU, SECONDS),
                           (resource.RLIMIT_FSIZE, _LARGEST), (resource.RLIMIT_CORE, 0)):
            resource.prlimit(process, what, (most, most))
