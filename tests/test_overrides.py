"""Corrections beside a document: what they change, what they must not, and what is said about wrong ones."""

from pathlib import Path

import pytest
from index_fakes import CountingEmbedder, memory_folder, write

from rag.config import Settings
from rag.index import Index, Report, check
from rag.loading.overrides import parse
from rag.pipeline import build_index
from rag.validity import status_of

NOTICE = """某市民政局关于做好2023年春节期间值班工作的通知
某民发〔2023〕1号

各县（区）民政局：
    一、值班要求
    实行24小时专人值班，领导干部在岗带班，重要情况及时报告。
    二、信息报送
    值班电话为0123-4567890，请于2023年1月15日前报送值班表。

某市民政局
2023年1月10日
"""


@pytest.fixture(autouse=True, scope="module")
def in_memory(tmp_path_factory: pytest.TempPathFactory):
    """Passing files are kept in memory."""
    tmp_path_factory.getbasetemp()
    with memory_folder():
        yield


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """A folder with one notice and another document."""
    write(tmp_path / "docs" / "a.txt", NOTICE)
    write(tmp_path / "docs" / "b.txt", NOTICE.replace("民政局", "教育局").replace("某民发", "某教发"))
    return tmp_path / "docs"


class Library:
    """An index over a folder, and what was embedded for it."""

    def __init__(self, home: Path, docs: Path) -> None:
        self.settings, self.docs, self.embedder = Settings(home=home), docs, CountingEmbedder()

    def update(self, *paths: Path, **more: object) -> Report:
        self.embedder.texts.clear()
        return build_index(self.settings, paths or [self.docs], embedder=self.embedder, **more)

    @property
    def index(self) -> Index:
        return Index.open(self.settings.index)

    def meta(self, source: str):
        return next(e.meta for e in self.index.metas.values() if e.source == source)


@pytest.fixture
def library(tmp_path: Path, docs: Path) -> Library:
    """The index, brought up to date once."""
    library = Library(tmp_path / "home", docs)
    library.update()
    return library


def test_every_field_can_be_corrected_and_survives(library: Library) -> None:
    write(library.docs / "a.txt.wenju.toml", """
        issuer = ["某市民政局", "某市财政局"]
        document_number = "某民发〔2023〕11号"
        issued_on = 2023-01-11
        addressees = "各县民政局"
        status = "已被废止"
        status_reason = "由某民发〔2024〕1号代替。"
        groups = ["办公室", "救灾科", "办公室"]
    """)
    before = library.meta("docs/a.txt")
    report = library.update()
    assert (report.changed, report.unchanged, report.failed) == (("docs/a.txt",), ("docs/b.txt",), ())
    assert report.embedded == 0 and not library.embedder.texts and check(library.settings.index) == []
    meta = library.meta("docs/a.txt")
    assert (meta.issuers, meta.document_number, meta.issued_on) == (("某市民政局", "某市财政局"), "某民发〔2023〕11号", "2023-01-11")
    assert (meta.addressees, meta.groups, meta.title) == (("各县民政局",), ("办公室", "救灾科"), before.title)
    assert not {"issuers", "document_number", "issued_on", "addressees", "status"} & set(meta.proof) and "title" in meta.proof
    (entry,) = (e for e in library.index.metas.values() if e.source == "docs/a.txt")
    status = status_of(entry, "2023-01-01", library.index.collection)
    assert (status.kind, status.reason, status.document_id) == ("superseded", "由某民发〔2024〕1号代替。", None)
    assert library.update().unchanged == ("docs/a.txt", "docs/b.txt")
    write(library.docs / "a.txt", NOTICE.replace("24小时", "二十四小时"))
    assert library.update().changed == ("docs/a.txt",) and library.meta("docs/a.txt").groups == ("办公室", "救灾科")
    assert library.update(library.docs / "a.txt").unchanged == ("docs/a.txt",)


def test_what_the_text_says_otherwise_can_be_corrected_too(library: Library) -> None:
    write(library.docs / "a.txt.wenju.toml", """
        published_on = 2023-01-12
        effective_on = 2023-01-15
        expires_on = "2023-12-31"
        kind = "函"
        secrecy = "秘密★1年"
        urgency = "特急"
        period = "2023年全年"
        years = [2022, 2023]
        festivals = ["元旦"]
        places = ["某省", "某市"]
        copied_to = ["省民政厅"]
    """)
    assert library.update().embedded == 0
    meta = library.meta("docs/a.txt")
    assert (meta.published_on, meta.effective_on, meta.expires_on, meta.period) == ("2023-01-12", "2023-01-15", "2023-12-31", "2023年全年")
    assert (meta.kind, meta.secrecy, meta.urgency, meta.copied_to) == ("函", "秘密★1年", "特急", ("省民政厅",))
    assert (meta.years, meta.festivals, meta.places) == ((2022, 2023), ("元旦",), ("某省", "某市"))
    assert not {"published_on", "effective_on", "expires_on", "period"} & set(meta.proof)
    (entry,) = (e for e in library.index.metas.values() if e.source == "docs/a.txt")
    kinds = [status_of(entry, day, library.index.collection).kind for day in ("2023-01-14", "2023-01-15", "2024-01-01")]
    assert kinds == ["not_yet", "in_force", "expired"]


def test_a_changed_or_removed_correction_is_a_changed_document(library: Library) -> None:
    sidecar = library.docs / "a.txt.wenju.toml"
    for groups in ('groups = ["一"]', 'groups = ["二"]', "", "groups = []"):
        write(sidecar, groups)
        expected = tuple("".join(c for c in groups if c in "一二"))
        changed = library.update().changed
        assert changed == ("docs/a.txt",) and library.meta("docs/a.txt").groups == expected
    sidecar.unlink()
    assert library.update().changed == ("docs/a.txt",)
    assert library.index.generation == Index.open(library.settings.index).generation and library.update().changed == ()


def test_a_corrected_title_is_embedded_anew_and_only_that(library: Library) -> None:
    passages = len(library.index)
    write(library.docs / "a.txt.wenju.toml", 'title = "某市民政局关于2024年端午节值班的通知"')
    report = library.update()
    meta = library.meta("docs/a.txt")
    assert 0 < report.embedded == len(library.embedder.texts) < passages and report.passages == passages
    assert (meta.title, meta.years, meta.festivals) == ("某市民政局关于2024年端午节值班的通知", (2024,), ("端午节",))
    assert check(library.settings.index, CountingEmbedder()) == []


def test_a_correction_is_never_a_document(library: Library, tmp_path: Path) -> None:
    write(library.docs / "a.txt.wenju.toml", 'groups = ["办公室"]')
    write(library.docs / "gone.txt.wenju.toml", 'groups = ["办公室"]')
    report = library.update()
    assert report.documents == 2 and [(f.source, "旁边没有" in f.reason) for f in report.failed] == [("docs/gone.txt.wenju.toml", True)]


@pytest.mark.parametrize(("content", "words"), [
    ('titel = "某"', ("不认识的项：titel", "title、issuer")), ('title = 3', ("title 应为一段文字",)), ('title = " "', ("title",)),
    ("groups = 1", ("groups 应为一个列表",)), ("groups = [1]", ("groups",)), ('issued_on = "昨天"', ("issued_on 应为日期",)),
    ("issued_on = 2023-01-10T00:00:00", ("issued_on",)), ("expires_on = 3", ("expires_on 应为日期",)), ('years = ["今年"]', ("years 应为年份",)), ('status = "好"\nstatus_reason = "x"', ("“好”不对", "in_force")),
    ('status = "expired"', ("status_reason 要一起写",)), ('status_reason = "x"', ("一起写",)), ("title = ", ("写得不对",)),
    ("\x00", ("写得不对",)), ("# " + "x" * 70_000, ("太大",)), ("a" + "[" * 5000, ("写得不对",)),
])
def test_a_wrong_correction_keeps_its_document_out_and_says_why(library: Library, content: str, words: tuple[str, ...]) -> None:
    (library.docs / "a.txt.wenju.toml").write_text(content, encoding="utf-8")
    report = library.update()
    ((failed,),) = ([f for f in report.failed],)
    assert failed.source == "docs/a.txt" and all(word in failed.reason for word in ("a.txt.wenju.toml", *words))
    assert report.unchanged == ("docs/b.txt",) and report.documents == 1
    (library.docs / "a.txt.wenju.toml").unlink()
    assert library.update().new == ("docs/a.txt",)


def test_corrections_that_are_no_plain_file(library: Library, tmp_path: Path) -> None:
    write(tmp_path / "secret", 'groups = ["所有人"]')
    sidecar = library.docs / "a.txt.wenju.toml"
    sidecar.symlink_to(tmp_path / "secret")
    assert [f.source for f in library.update().failed] == ["docs/a.txt", "docs/a.txt.wenju.toml"]
    sidecar.unlink()
    sidecar.mkdir()
    assert "读不出来" in library.update().failed[0].reason
    sidecar.rmdir()
    sidecar.write_bytes(b"\xff\xfe")
    assert "写得不对" in library.update().failed[0].reason


def test_copies_share_a_correction_but_not_two(library: Library) -> None:
    write(library.docs / "copy" / "a.txt", NOTICE)
    write(library.docs / "copy" / "a.txt.wenju.toml", 'groups = ["办公室"]')
    report = library.update()
    assert [d.source for d in report.duplicate] == ["docs/copy/a.txt"] and library.meta("docs/a.txt").groups == ("办公室",)
    write(library.docs / "a.txt.wenju.toml", 'groups = ["所有人"]')
    report = library.update()
    assert {f.source for f in report.failed} == {"docs/a.txt", "docs/copy/a.txt"} and report.documents == 1
    assert "不一样的更正" in report.failed[0].reason
    (library.docs / "copy" / "a.txt.wenju.toml").unlink()
    library.update()
    assert library.meta("docs/a.txt").groups == ("所有人",)


def test_a_correction_moves_with_its_file_and_does_not_stay_behind(library: Library) -> None:
    write(library.docs / "a.txt.wenju.toml", 'groups = ["办公室"]')
    library.update()
    (library.docs / "a.txt").rename(library.docs / "c.txt")
    report = library.update()
    assert report.removed == ("docs/a.txt",) and report.embedded == 0 and library.meta("docs/c.txt").groups == ()
    (library.docs / "a.txt.wenju.toml").rename(library.docs / "c.txt.wenju.toml")
    assert library.update().changed == ("docs/c.txt",) and library.meta("docs/c.txt").groups == ("办公室",)


def test_parse_gives_what_was_written() -> None:
    read = parse('\ufefftitle = "  关于\t值班  的通知 "\nissued_on = "2023-01-10"'.encode(), "x")
    assert (read.title, read.issued_on, read.groups, read.issuers) == ("关于 值班 的通知", "2023-01-10", None, None)
