"""zip in the index: members are documents of their own, and live and die with their archive."""

from pathlib import Path

import pytest

from rag.errors import PartlyRead
from rag.index import Index, check, refresh, withdraw
from rag.loading import load
from rag.passages import cut
from tests.index_fakes import CountingEmbedder, HashEmbedder
from tests.office_files import docx_of, zipped

ONE, TWO, THREE = "关于值班的通知\n一、实行24小时值班。", "关于休假的通知\n一、按时休假。", "关于会议的通知\n一、按时参加会议。"


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "a.zip").write_bytes(zipped({"里面/一.txt": ONE, "二.docx": docx_of(TWO.splitlines()), "又是一.txt": ONE}))
    return folder


def index_of(docs: Path, embedder: HashEmbedder | None = None, **more):
    return refresh(docs.parent / "home" / "index", [docs], load, cut, embedder or HashEmbedder(), **more)


def known(docs: Path) -> dict[str, tuple[str, ...]]:
    folder = docs.parent / "home" / "index"
    assert check(folder, HashEmbedder()) == []
    return {entry.source: entry.also_at for entry in Index.open(folder).metas.values()}


def test_members_are_documents_and_the_same_bytes_are_kept_once(docs: Path) -> None:
    assert index_of(docs).new == ("docs/a.zip",)
    assert known(docs) == {"docs/a.zip/二.docx": (), "docs/a.zip/又是一.txt": ("docs/a.zip/里面/一.txt",)}
    again = index_of(docs)
    assert again.unchanged == ("docs/a.zip",) and again.embedded == 0


def test_a_changed_archive_embeds_only_what_is_new(docs: Path) -> None:
    index_of(docs)
    (docs / "a.zip").write_bytes(zipped({"里面/一.txt": ONE, "三.txt": THREE}))
    embedder = CountingEmbedder()
    report = index_of(docs, embedder)
    assert report.changed == ("docs/a.zip",) and set(known(docs)) == {"docs/a.zip/里面/一.txt", "docs/a.zip/三.txt"}
    assert all("会议" in text for text in embedder.texts)


def test_a_moved_archive_takes_its_members_along(docs: Path) -> None:
    index_of(docs)
    (docs / "b.zip").write_bytes((docs / "a.zip").read_bytes())
    report = index_of(docs)
    assert [(d.source, d.kept) for d in report.duplicate] == [("docs/b.zip", "docs/a.zip")]
    assert known(docs)["docs/a.zip/二.docx"] == ("docs/b.zip/二.docx",)
    (docs / "a.zip").unlink()
    index_of(docs)
    assert known(docs) == {"docs/b.zip/二.docx": (), "docs/b.zip/又是一.txt": ("docs/b.zip/里面/一.txt",)}


def test_a_file_that_is_also_a_member_is_kept_once(docs: Path) -> None:
    (docs / "z.txt").write_text(ONE, encoding="utf-8")
    report = index_of(docs)
    assert [(d.source, d.kept) for d in report.duplicate] == [("docs/z.txt", "docs/a.zip/又是一.txt")]
    assert known(docs)["docs/a.zip/又是一.txt"] == ("docs/a.zip/里面/一.txt", "docs/z.txt")
    assert [d.source for d in index_of(docs).duplicate] == ["docs/z.txt"]
    (docs / "a.zip").unlink()
    index_of(docs)
    assert known(docs) == {"docs/z.txt": ()}


def test_a_member_of_two_archives_outlives_either(docs: Path) -> None:
    (docs / "b.zip").write_bytes(zipped({"三.txt": THREE, "同.txt": ONE, "坏.jpg": b"x"}))
    index_of(docs)
    assert known(docs)["docs/a.zip/又是一.txt"] == ("docs/a.zip/里面/一.txt", "docs/b.zip/同.txt")
    (docs / "a.zip").unlink()
    (docs / "b.zip").rename(docs / "c.zip")
    report = index_of(docs)
    assert report.embedded == 0 and [f.source for f in report.failed] == ["docs/c.zip/坏.jpg"]
    assert known(docs) == {"docs/c.zip/三.txt": (), "docs/c.zip/同.txt": ()}


def test_members_that_fail_are_reported_every_time_and_the_others_stand(docs: Path) -> None:
    (docs / "a.zip").write_bytes(zipped({"一.txt": ONE, "图.jpg": b"\xff\xd8\xff", "坏.docx": b"PK\x03\x04bad"}))
    for _ in range(2):
        failed = index_of(docs).failed
        assert [f.source for f in failed] == ["docs/a.zip/图.jpg", "docs/a.zip/坏.docx"] and all("。" in f.reason for f in failed)
        assert set(known(docs)) == {"docs/a.zip/一.txt"}


def test_members_go_one_by_one_and_come_back_with_their_archive(docs: Path) -> None:
    (docs / "z.txt").write_text(ONE, encoding="utf-8")
    index_of(docs)
    assert index_of(docs, remove=["docs/a.zip/里面/一.txt"]).withdrawn == ("docs/a.zip（其中 1 份）", "docs/z.txt")
    assert known(docs) == {"docs/a.zip/二.docx": ()}
    assert index_of(docs, recipe="another").withdrawn == ("docs/a.zip（其中 1 份）", "docs/z.txt") and set(known(docs)) == {"docs/a.zip/二.docx"}
    refresh(docs.parent / "home" / "index", [docs / "a.zip"], load, cut, HashEmbedder(), recipe="another")
    assert set(known(docs)) == {"docs/a.zip/二.docx", "docs/a.zip/又是一.txt"}
    assert index_of(docs, recipe="another").duplicate[0].source == "docs/z.txt"


@pytest.mark.parametrize("wanted", ["docs/a.zip", "docs/copy.zip"])
def test_an_archive_goes_as_a_whole(docs: Path, wanted: str) -> None:
    (docs / "copy.zip").write_bytes((docs / "a.zip").read_bytes())
    index_of(docs)
    report = refresh(docs.parent / "home" / "index", [], load, cut, HashEmbedder(), remove=[wanted])
    assert (report.documents, report.removed) == (0, ("docs/a.zip", "docs/copy.zip"))
    assert index_of(docs).withdrawn == ("docs/a.zip", "docs/copy.zip")


def test_an_archive_whose_members_are_all_withdrawn_is_empty(docs: Path) -> None:
    index_of(docs)
    folder = docs.parent / "home" / "index"
    assert withdraw(folder, list(Index.open(folder).metas)).documents == 0
    for recipe in ("", "another"):
        report = index_of(docs, recipe=recipe)
        assert [f.source for f in report.failed] == ["docs/a.zip"] and "撤下" in report.failed[0].reason and known(docs) == {}
    refresh(folder, [docs / "a.zip"], load, cut, HashEmbedder())
    assert len(known(docs)) == 2


def test_names_written_by_windows_are_read(tmp_path: Path) -> None:
    data = zipped({"XXXX.txt": ONE}).replace(b"XXXX.txt", "值班".encode("gb18030") + b".txt")
    (tmp_path / "a.zip").write_bytes(data)
    assert load(tmp_path / "a.zip", "a.zip")[0].source == "a.zip/值班.txt"


def test_an_archive_of_failures_alone_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zipped({"a.jpg": b"x"}))
    with pytest.raises(PartlyRead, match="1 个文件读不出来"):
        load(tmp_path / "a.zip", "a.zip")
