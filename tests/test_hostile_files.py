"""Hostile files: each gives a typed error in Chinese with a hint, within its time and memory, and the batch goes on."""

import io
import os
import resource
import shutil
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rag.errors import DocumentError, PartlyRead
from rag.index import refresh
from rag.loading import load, ocr
from rag.loading.sandbox import Sandbox
from rag.passages import cut
from tests.index_fakes import HashEmbedder
from tests.office_files import docx_of, ofd_of, zipped


@pytest.fixture(autouse=True)
def without_ocr(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever installs it grants it minutes; what is tested here is the reading that everybody has."""
    monkeypatch.setattr(ocr, "installed", lambda: False)


GOOD = "关于值班的通知\n一、节日期间实行24小时值班。"
BOMB = ('<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "哈哈哈哈哈哈哈哈哈哈">' + "".join(
    f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9)) + "]><document><body>&j;</body></document>")
OUTSIDE = '<?xml version="1.0"?><!DOCTYPE b [<!ENTITY x SYSTEM "file:///etc/passwd">]><document><body><p><r><t>&x;</t></r></p></body></document>'


def pdf(objects: list[str | bytes], trailer: str = "") -> bytes:
    """A PDF file of these objects, numbered from 1; the first is the catalogue."""
    out, places = io.BytesIO(b"%PDF-1.7\n"), []
    out.seek(0, io.SEEK_END)
    for number, content in enumerate(objects, 1):
        places.append(out.tell())
        out.write(f"{number} 0 obj\n".encode() + (content if isinstance(content, bytes) else content.encode()) + b"\nendobj\n")
    start = out.tell()
    out.write(f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode() + b"".join(b"%010d 00000 n \n" % at for at in places))
    out.write(f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R {trailer} >>\nstartxref\n{start}\n%%EOF".encode())
    return out.getvalue()


def many_pages(count: int) -> bytes:
    kids = " ".join(f"{n + 3} 0 R" for n in range(count))
    page = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>"
    return pdf(["<< /Type /Catalog /Pages 2 0 R >>", f"<< /Type /Pages /Count {count} /Kids [{kids}] >>", *([page] * count)])


def looped() -> bytes:
    return pdf(["<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Count 3 /Kids [3 0 R 2 0 R 2 0 R] >>",
                "<< /Type /Pages /Parent 2 0 R /Count 2 /Kids [2 0 R 3 0 R] >>"])


def locked_pdf() -> bytes:
    return pdf(["<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Count 1 /Kids [3 0 R] >>", "<< /Type /Page /Parent 2 0 R >>",
                f"<< /Filter /Standard /V 1 /R 2 /O <{'41' * 32}> /U <{'42' * 32}> /P -44 >>"], "/Encrypt 4 0 R /ID [<00> <00>]")


def scanned_pdf() -> bytes:
    image = b"<< /Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray /BitsPerComponent 8 /Length 1 >>\nstream\n\x00\nendstream"
    draw = b"q 595 0 0 842 0 0 cm /I Do Q"
    return pdf(["<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
                "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /XObject << /I 5 0 R >> >> /Contents 4 0 R >>",
                b"<< /Length %d >>\nstream\n%s\nendstream" % (len(draw), draw), image])


def bomb() -> bytes:
    return zipped({f"{n}.txt": b"\0" * (64 << 20) for n in range(6)})


def lying_bomb() -> bytes:
    """An archive whose one member claims to be small and is not."""
    data = bytearray(zipped({"a.txt": b" " * (300 << 20)}))
    size = struct.pack("<I", 300 << 20)
    while (at := data.find(size)) >= 0:
        data[at : at + 4] = struct.pack("<I", 1000)
    return bytes(data)


def locked_docx() -> bytes:
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 1000 + "EncryptedPackage".encode("utf-16-le") + b"\0" * 1000


def deep_docx() -> bytes:
    return docx_with("<document><body>" + "<sdt><sdtContent>" * 100_000 + "</sdtContent></sdt>" * 100_000 + "</body></document>")


def docx_with(xml: str) -> bytes:
    return zipped({"word/document.xml": xml})


def zip_with_flag(flag: int) -> bytes:
    """An archive whose member is marked as encrypted."""
    data = bytearray(zipped({"a.txt": GOOD}))
    for sign, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(sign) + place
        data[at : at + 2] = struct.pack("<H", struct.unpack_from("<H", data, at)[0] | flag)
    return bytes(data)


HOSTILE: dict[str, tuple[bytes, str]] = {
    "zip bomb.zip": (bomb(), "压缩炸弹"),
    "lying bomb.zip": (lying_bomb(), "损坏"),
    "slip.zip": (zipped({"../../etc/evil.txt": GOOD, "good.txt": GOOD}), "压缩包之外"),
    "windows slip.zip": (zipped({"..\\evil.txt": GOOD}), "压缩包之外"),
    "absolute.zip": (zipped({"/etc/evil.txt": GOOD}), "压缩包之外"),
    "nested.zip": (zipped({"inner.zip": zipped({"a.txt": GOOD})}), "压缩包里的压缩包"),
    "password.zip": (zip_with_flag(1), "密码"),
    "many.zip": (zipped({f"{n}.txt": "" for n in range(2001)}), "2000 个文件"),
    "broken.zip": (zipped({"a.txt": GOOD})[:-30], "损坏"),
    "empty.zip": (zipped({}), "没有文件"),
    "entities.docx": (docx_with(BOMB), "DOCTYPE"),
    "outside.docx": (docx_with(OUTSIDE), "DOCTYPE"),
    "entities.ofd": (zipped({"OFD.xml": BOMB}), "DOCTYPE"),
    "entities.xlsx": (zipped({"xl/workbook.xml": BOMB}), "DOCTYPE"),
    "utf-16 entities.docx": (zipped({"word/document.xml": BOMB.replace("<?xml version=\"1.0\"?>", "").encode("utf-16")}), "DOCTYPE"),
    "deep.docx": (deep_docx(), "嵌套过深"),
    "huge.docx": (docx_with("<document><body>" + "<p a='' b='' c='' d='' e='' f='' g='' h='' i=''/>" * 1_500_000 + "</body></document>"), "内存"),
    "password.docx": (locked_docx(), "密码"),
    "broken.docx": (docx_of(["一、值班"])[:-200], "损坏"),
    "no parts.ofd": (zipped({"OFD.xml": "<OFD><DocBody><DocRoot>../../a.xml</DocRoot></DocBody></OFD>"}), "损坏"),
    "loop.pdf": (looped(), "没有"),
    "ten thousand pages.pdf": (many_pages(10_000), "2000 页"),
    "password.pdf": (locked_pdf(), "密码"),
    "scanned.pdf": (scanned_pdf(), "扫描件"),
    "blank.pdf": (many_pages(3), "没有文字"),
    "broken.pdf": (b"%PDF-1.7\n" + os.urandom(3000), "损坏"),
    "text.pdf": (b"plain text", "不是PDF文件"),
    "pdf.docx": (many_pages(1), "其实是PDF"),
    "docx.pdf": (docx_of(["一、值班"]), "其实是docx"),
    "ofd.docx": (ofd_of(["一、值班"]), "其实是OFD"),
    "program.doc": (b"MZ" + bytes(1000), "其实是程序"),
    "page.xls": ("<html><body>值班</body></html>".encode(), "其实是网页"),
    "password.xls": (locked_docx(), "密码"),
    "text.ods": (b"plain text", "不是ods文件"),
    "page.doc": ("<html><body>值班</body></html>".encode(), "其实是网页"),
    "picture.txt": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(500), "不是文本文件"),
    "empty.docx": (b"", "空文件"),
    "tags.html": (("<div>" * 9000).encode(), "嵌套过深"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_each_is_refused_in_chinese_with_a_hint_in_time_and_memory(tmp_path: Path, name: str) -> None:
    data, said = HOSTILE[name]
    (tmp_path / name).write_bytes(data)
    began, before = time.monotonic(), _largest()
    with pytest.raises(DocumentError) as caught:
        load(tmp_path / name, name)
    assert said in caught.value.message and caught.value.hint
    assert time.monotonic() - began < 20
    assert _largest() - before < 256 << 10, "this process stayed small"
    assert load(_good(tmp_path), "good.docx")[0].text.startswith("关于值班"), "the next file is read as ever"


def _largest() -> int:
    """The most memory this process has had, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _good(folder: Path) -> Path:
    path = folder / "good.docx"
    path.write_bytes(docx_of(GOOD.splitlines()))
    return path


def test_the_batch_goes_on(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    for name, (data, _) in HOSTILE.items():
        (docs / name).write_bytes(data)
    (docs / "good.txt").write_text(GOOD, encoding="utf-8")
    (docs / "好.docx").write_bytes(docx_of(["关于休假的通知", "一、按时休假。"]))
    os.mkfifo(docs / "pipe.txt")
    (docs / "link.txt").symlink_to("/etc/passwd")
    (docs / "公告\u202etxt.exe").write_text(GOOD, encoding="utf-8")
    (docs / "断\n行.txt").write_text(GOOD + "好", encoding="utf-8")
    report = refresh(tmp_path / "home" / "index", [docs], load, cut, HashEmbedder())
    assert report.new == ("docs/good.txt", "docs/好.docx") and report.documents == 2
    failed = {failure.source: failure.reason for failure in report.failed}
    assert len(failed) == len(HOSTILE) + 4
    assert "不是普通文件" in failed["docs/pipe.txt"] and "符号链接" in failed["docs/link.txt"]
    assert "方向控制符" in failed["docs/公告\ufffdtxt.exe"] and "控制字符" in failed["docs/断\ufffd行.txt"]
    assert all(reason.count("。") >= 2 for reason in failed.values()), "each says what happened and what to do"


# ---------------------------------------------------------------- members of archives

def test_odd_names_in_an_archive_are_refused_one_by_one(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in ("里面/文件.txt", "公告\u202etxt.md", "长" * 300 + ".txt", "__MACOSX/x.txt", "里面/图.jpg", "里面/空.txt"):
            archive.writestr(name, "" if "空" in name else GOOD)
        link = zipfile.ZipInfo("link.txt")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr(zipfile.ZipInfo("nul\x01.txt"), GOOD)
    (tmp_path / "a.zip").write_bytes(out.getvalue())
    with pytest.raises(PartlyRead) as caught:
        load(tmp_path / "a.zip", "docs/a.zip")
    assert [d.source for d in caught.value.documents] == ["docs/a.zip/里面/文件.txt"]
    said = {source.removeprefix("docs/a.zip/"): error for source, error in caught.value.refused}
    assert all(error.hint for error in said.values()) and len(said) == 6
    assert "过长" in next(error.message for source, error in said.items() if source.startswith("长长"))
    assert "符号链接" in said["link.txt"].message and "不支持" in said["里面/图.jpg"].message and "空文件" in said["里面/空.txt"].message


def test_a_name_with_a_nul_in_an_archive(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zipped({"aXb.txt": GOOD}).replace(b"aXb.txt", b"a\0b.txt"))
    with pytest.raises(DocumentError, match="控制字符"):
        load(tmp_path / "a.zip", "a.zip")


# ---------------------------------------------------------------- the file system

def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        folder.chmod(0o755)
        (folder / "closed.txt").write_text(GOOD, encoding="utf-8")
        (folder / "closed.txt").chmod(0)
        with _nobody(), pytest.raises(DocumentError, match="读不出来") as caught:
            load(folder / "closed.txt", "closed.txt")
        assert "权限" in caught.value.hint
    finally:
        shutil.rmtree(folder)


@contextmanager
def _nobody() -> Iterator[None]:
    """Root may read everything: its rights are laid down meanwhile."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_pipe_is_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.txt")
    with pytest.raises(DocumentError, match="不是普通文件"):
        load(tmp_path / "a.txt", "a.txt")


HOLDER = """
import sys, time
from rag.loading.passing import passing_folder
with passing_folder() as folder:
    (folder / "secret.txt").write_text("内部")
    print(folder, flush=True)
    time.sleep(60)
"""


def test_what_a_killed_process_was_unpacking_goes_with_the_next_and_what_is_in_use_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "wenju-passing-link").symlink_to(tmp_path)
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[1])}
    holders = [subprocess.Popen([sys.executable, "-c", HOLDER], env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    folders = [Path(holder.stdout.readline().strip()) for holder in holders]
    holders[0].kill()
    holders[0].wait()
    assert all((folder / "secret.txt").exists() for folder in folders)
    (tmp_path / "a.zip").write_bytes(zipped({"a.txt": GOOD}))
    assert load(tmp_path / "a.zip", "a.zip")[0].text == GOOD
    assert not folders[0].exists() and (folders[1] / "secret.txt").exists()
    holders[1].terminate()
    for holder in holders:
        holder.communicate()
    load(tmp_path / "a.zip", "a.zip")
    assert [path.name for path in tmp_path.glob("wenju-*")] == ["wenju-passing-link"], "and no link is followed"


# ---------------------------------------------------------------- the reading process

def test_a_process_that_hangs_is_ended_and_replaced() -> None:
    sandbox = Sandbox(seconds=2)
    assert sandbox.read(".csv", "姓名,电话\n张三,1".encode(), "a.csv").text
    process = sandbox._process
    os.kill(process.pid, signal.SIGSTOP)
    with pytest.raises(DocumentError, match="超过 2 秒"):
        sandbox.read(".csv", b"a,b\n1,2", "b.csv")
    assert process.poll() is not None
    assert sandbox.read(".csv", b"a,b\n1,2", "c.csv").text
    sandbox.close()


def test_a_file_is_read_again_when_somebody_kills_the_process() -> None:
    sandbox = Sandbox()
    assert sandbox.read(".csv", b"a,b\n1,2", "a.csv").text
    os.kill((first := sandbox._process).pid, signal.SIGKILL)
    assert sandbox.read(".csv", b"a,b\n1,2", "b.csv").text and sandbox._process is not first
    sandbox.close()


def test_a_process_that_dies_is_replaced() -> None:
    """Of its own, or killed again and again: the file's error. Another file is read as ever."""
    sandbox = Sandbox()
    asked = sandbox._running

    def dying(by: signal.Signals) -> Callable[[], subprocess.Popen]:
        def started() -> subprocess.Popen:
            os.kill((process := asked()).pid, by)
            return process
        return started

    for by in (signal.SIGSEGV, signal.SIGKILL):
        sandbox._running = dying(by)
        with pytest.raises(DocumentError, match="异常退出"):
            sandbox.read(".csv", b"a,b\n1,2", "b.csv")
        sandbox._running = asked
        assert sandbox.read(".csv", b"a,b\n1,2", "c.csv").text
    sandbox.close()


def test_too_little_memory_is_an_error_of_the_file() -> None:
    sandbox = Sandbox(memory=128 << 20)
    with pytest.raises(DocumentError, match="内存"):
        sandbox.read(".csv", b"a,b\n" * (24 << 20), "big.csv")
    assert sandbox.read(".csv", b"a,b\n1,2", "c.csv").text
    sandbox.close()


def test_the_process_inherits_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WENJU_OPENAI_API_KEY", "secret")
    with (tmp_path / "open.txt").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        sandbox = Sandbox()
        sandbox.read(".csv", b"a,b\n1,2", "a.csv")
        here = Path(f"/proc/{sandbox._process.pid}")
        assert b"secret" not in (here / "environ").read_bytes()
        assert not any(fd.readlink().name == "open.txt" for fd in (here / "fd").iterdir())
        assert b"torch" not in (here / "maps").read_bytes()
    sandbox.close()
