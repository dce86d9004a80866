"""Loading: encodings, the five seeds, government pages, and labelled structure of real documents."""

import json
import re
import tarfile
from pathlib import Path

import pytest

from rag.errors import DocumentError
from rag.loading import load
from rag.loading.dates import DATE, iso
from rag.loading.numbering import mark
from rag.schema import Document, Section
from rag.text import compact
from tests.conftest import ROOT, SHARED

SEEDS = sorted((ROOT / "seeds").glob("*.txt"))
shared = pytest.mark.skipif(not SHARED.is_dir(), reason="shared data absent")


def seed(number: int) -> Document:
    return load(SEEDS[number], f"seeds/{SEEDS[number].name}")[0]


def loaded(tmp_path: Path, text: str, name: str = "a.txt") -> Document:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return load(path, name)[0]


def names(document: Document) -> list[str]:
    return [s.path[-1] for s in document.sections if s.path]


def words(document: Document, section: Section) -> str:
    return compact(document.text[section.start : section.end])


# ---------------------------------------------------------------- files and encodings

@pytest.mark.parametrize("data", [
    "一、节日期间值班。".encode(), "一、节日期间值班。".encode("utf-8-sig"), "一、节日期间值班。".encode("utf-16"),
    b"\xfe\xff" + "一、节日期间值班。".encode("utf-16-be"), "一、节日期间值班。".encode("gb18030"),
])
def test_every_encoding_gives_the_same_text(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.txt").write_bytes(data)
    assert load(tmp_path / "a.txt", "a.txt")[0].text == "一、节日期间值班。"


def test_big5_only_where_a_page_declares_it(tmp_path: Path) -> None:
    page = '<meta charset="big5"><body><h1>公告</h1><p>春節期間應當安排專人值班，並公布電話。</p>'
    (tmp_path / "a.html").write_bytes(page.encode("big5"))
    assert "春節期間應當安排專人值班" in load(tmp_path / "a.html", "a.html")[0].text


def test_gb2312_pages_are_read_as_gb18030(tmp_path: Path) -> None:
    page = '<meta http-equiv="Content-Type" content="text/html; charset=gb2312"><body><p>朱镕基、喆、㐂，均须登记。</p>'
    (tmp_path / "a.htm").write_bytes(page.encode("gb18030"))
    assert "朱镕基、喆、㐂" in load(tmp_path / "a.htm", "a.htm")[0].text


@pytest.mark.parametrize(("name", "data", "said"), [
    ("a.txt", b"", "空文件"),
    ("a.txt", b" \n\t ", "空文件"),
    ("a.txt", b"PK\x03\x04\x00\x00\x08", "不是文本文件"),
    ("a.txt", b"\x01\x02\x03\x04\x05abc\x06\x07" * 9, "不是文本文件"),
    ("a.txt", bytes(range(128, 256)) * 20, "编码"),
    ("a.txt", "打印本页 关闭窗口\n".encode(), "没有正文"),
    ("a.exe", b"MZ", "不支持"),
    ("a.html", ("<div>" * 9000).encode(), "嵌套过深"),
])
def test_what_cannot_be_read_is_said_in_chinese_with_a_hint(tmp_path: Path, name: str, data: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DocumentError) as caught:
        load(tmp_path / name, name)
    assert said in caught.value.message
    assert caught.value.hint


def test_unknown_format_lists_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_bytes(b"x")
    with pytest.raises(DocumentError, match="txt、md、html"):
        load(tmp_path / "a.xyz", "a.xyz")


def test_missing_folder_and_too_large(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="不存在"):
        load(tmp_path / "nothing.txt", "nothing.txt")
    (tmp_path / "folder.txt").mkdir()
    with pytest.raises(DocumentError, match="文件夹"):
        load(tmp_path / "folder.txt", "folder.txt")
    (tmp_path / "big.txt").write_text("好" * 100, encoding="utf-8")
    with pytest.raises(DocumentError, match="上限"):
        load(tmp_path / "big.txt", "big.txt", max_bytes=99)


def test_the_id_depends_on_the_bytes_alone(tmp_path: Path) -> None:
    one, two = loaded(tmp_path, "一、值班。", "a.txt"), loaded(tmp_path, "一、值班。", "b.md")
    assert one.id == two.id
    assert one.id != loaded(tmp_path, "一、值班！", "c.txt").id


def test_line_ends_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("标题\r\n\r\n一、值班。\r\n".encode())
    document = load(tmp_path / "a.txt", "a.txt")[0]
    assert document.text == "标题\r\n\r\n一、值班。\r\n"
    assert names(document) == ["一、"]


# ---------------------------------------------------------------- the five seeds

def test_seed_0_headings_are_first_sentences() -> None:
    document = seed(0)
    meta = document.meta
    parts = [s for s in document.sections if s.kind == "part"]
    assert [s.path for s in parts] == [(h,) for h in (
        "一、确保疫情防控措施调整转段平稳有序", "二、用情用心关爱困难群众生产生活", "三、全力满足群众节日物质文化需求",
        "四、统筹做好群众安全出行保障", "五、抓紧抓实公共安全和社会稳定工作", "六、纠“四风”树新风转作风倡导良好社会风尚",
        "七、加强值班值守和应急处突")]
    assert words(document, parts[6]).endswith("安排好节日期间值班执勤并保证服务质量。")
    assert compact(meta.title or "") == "中共吉林省委办公厅吉林省人民政府办公厅关于做好2023年元旦春节期间有关工作的通知"
    assert meta.issuers == ("中共吉林省委办公厅", "吉林省人民政府办公厅")
    assert (meta.issued_on, meta.document_number, meta.kind) == ("2022-12-30", None, "通知")
    assert (meta.years, meta.festivals) == ((2023,), ("元旦", "春节"))
    assert meta.addressees[0] == "各市（州）党委和人民政府"
    assert len(meta.addressees) == 6
    assert "吉林省" in meta.places
    assert document.sections[-1].kind == "signature"


def test_seed_1_inline_items_and_telephone_numbers_stand_alone() -> None:
    document = seed(1)
    assert document.meta.title is None
    assert document.name == "兰州市民政局 兰民发〔2021〕239号"
    assert document.meta.issued_on == "2021-12-31"
    assert document.meta.years == (2022,)
    assert document.meta.addressees == ("各县区民政局", "局机关各科室", "局属各单位")
    first = [s for s in document.sections if s.parent == 0]
    assert [s.label for s in first] == ["一要", "二要", "三要", "四要", "五要"]
    assert first[1].path[-1] == "二要严控聚集性活动"
    assert words(document, first[1]).endswith("家庭聚餐聚会等不超过10人。")
    second = next(i for i, s in enumerate(document.sections) if s.label == "二、")
    assert [s.label for s in document.sections if s.parent == second] == ["一要", "二要", "三要", "四要", "五要", "六要", "七要"]
    contacts = next(s for s in document.sections if s.kind == "contacts")
    assert words(document, contacts) == "值班室电话:0931-8826009紧急联系人:王峥13919009008孙崎栋13109309898"
    seventh = next(s for s in document.sections if s.label == "七、")
    assert contacts.parent == -1 and seventh.end <= contacts.start
    assert not any("打印本页" in document.text[b.start : b.end] for b in document.body)


def test_seed_2_title_of_two_lines_and_a_sentence_cut_in_two() -> None:
    document = seed(2)
    assert document.meta.title == "长治市上党区卫生健康和体育局关于做好2023年春节期间有关工作的通知"
    assert document.meta.issuers == ("长治市上党区卫生健康和体育局",)
    assert document.meta.issued_on is None
    assert document.meta.addressees == ("区医疗集团", "区直各医疗卫生机构")
    assert [s.label for s in document.sections] == [f"{n}、" for n in "一二三四五六七八九"]
    whole = next(b for b in document.body if "新时代中国特色" in document.text[b.start : b.end])
    assert "新时代中国特色社会主义思想为指导" in compact(document.text[whole.start : whole.end])


def test_seed_3_articles_of_a_page() -> None:
    document = seed(3)
    articles = [s for s in document.sections if s.kind == "article"]
    assert [s.path for s in articles] == [(), ("用心用情用力保障和改善民生 全省两会第一场新闻发布会举行",), ()]
    assert words(document, articles[0]).startswith("1月25日，省委、省政府召开安全生产专题会议")
    assert "吉林日报记者黄鹭王艺博" in words(document, articles[0])
    assert words(document, articles[1]).startswith("民生工作一直是“两会”期间群众关心的热点。")
    assert words(document, articles[2]).startswith("1月25日，省十四届人大三次会议举行第二次全体会议。")
    items = [s for s in document.sections if s.parent == 0]
    assert [s.label for s in items] == [f"{n}要" for n in "一二三四五六七八九十"]
    assert document.meta.title is None
    assert document.meta.kind == "报道"
    assert not any("下转" in document.text[b.start : b.end] for b in document.body)
    assert any(compact(document.text[b.start : b.end]).endswith("研究部署我省安全生产工作。省委书记景俊海出席会议并讲话。"
               "他强调，要深入贯彻习近平总书记关于安全生产的重要论述，坚持人民至上、生命至上，深刻吸取教训，压紧压实责任，"
               "认真排查隐患，坚决遏制重特大事故发生，坚决把统筹发展和安全落实到各领域各环节，确保人民群众生命财产安全和社会大局稳定。"
               "省委副书记、省长胡玉亭主持会议并讲话。") for b in document.body)


def test_seed_4_items_run_on_across_parts() -> None:
    document = seed(4)
    top = [s for s in document.sections if s.parent == -1 and s.kind == "part"]
    assert [s.label for s in top] == ["一、", "二、", "三、", "四、"]
    items = [s for s in document.sections if s.level == 2]
    assert [s.label for s in items] == [f"{n}、" for n in range(1, 14)]
    assert [document.sections[s.parent].label for s in items] == ["一、"] * 2 + ["二、"] * 4 + ["三、"] * 3 + ["四、"] * 4
    assert items[0].path[-1] == "1、"
    meta = document.meta
    assert (meta.title or "").endswith("提供坚强政治保证的通知")
    assert document.text[meta.proof["title"].start : meta.proof["title"].end] == meta.title
    assert (meta.published_on, meta.issued_on, meta.issuers) == ("2020-01-29", "2020-01-29", ("中共吉林省委",))
    assert not any("发布日期" in document.text[b.start : b.end] for b in document.body)


# ---------------------------------------------------------------- numbers and their look-alikes

@pytest.mark.parametrize("text", [
    "1.5万元以下的罚款", "一、二级市场供应", "2023.1.1起施行", "2023年元旦", "一是全的开始", "0931-8826009", "1-2亿元企业",
    "第三条规定的情形", "第七条、第八条", "3.5%的利率", "10日内办理", "2020、2021年度", "第一步骤是准备", "第二步是关键",
])
def test_quantities_dates_and_citations_open_no_part(text: str) -> None:
    assert mark(text) is None


@pytest.mark.parametrize(("text", "kind", "number"), [
    ("二十三、加强", "一、", 23), ("（十二）办理", "（一）", 12), ("1. 规上企业", "1.", 1), ("13、各级党委", "1.", 13),
    ("（3）地点", "（1）", 3), ("④其他", "①", 4), ("第一百二十条之一 资助", "条", 120), ("第二章 规划", "章", 2),
    ("1.1 编制目的", "1.1", 1), ("1.2025年第一批名单", "1.", 1), ("一．总则", "一、", 1), ("2)材料", "1）", 2), ("第一步：准备", "步", 1), ("步骤3 上传", "步", 3),
])
def test_numbers_that_open_parts(text: str, kind: str, number: int) -> None:
    found = mark(text)
    assert found is not None
    assert (found.kind, found.number) == (kind, number)


def test_steps_hold_what_is_numbered_inside_them(tmp_path: Path) -> None:
    text = "办事指南\n四、申领方法\n第一步：准备\n准备照片。\n第二步：办理\n（一）网上办理\n登录网站。\n（二）现场办理\n前往网点。\n第三步：领卡\n携带证件。"
    document = loaded(tmp_path, text)
    assert [(s.label, s.level) for s in document.sections] == [
        ("四、", 1), ("第一步：", 2), ("第二步：", 2), ("（一）", 3), ("（二）", 3), ("第三步：", 2)]


def test_ordinary_words_are_no_enumeration(tmp_path: Path) -> None:
    document = loaded(tmp_path, "通知\n此前有关单位反映，问题之一是经费不足。一要坚持节俭，但不是唯一要求。二级市场保持平稳。")
    assert document.sections == ()


def test_numbering_that_restarts_and_jumps(tmp_path: Path) -> None:
    text = "办事指南\n面向企业\n一、社保补贴\n按月申领。\n二、培训补贴\n按年申领。\n面向个人\n一、创业补贴\n一次申领。\n四、求职补贴\n一次申领。"
    document = loaded(tmp_path, text)
    assert [s.path for s in document.sections] == [
        ("面向企业",), ("面向企业", "一、社保补贴"), ("面向企业", "二、培训补贴"),
        ("面向个人",), ("面向个人", "一、创业补贴"), ("面向个人", "四、求职补贴")]


def test_the_text_after_a_list_belongs_to_the_article(tmp_path: Path) -> None:
    text = "某条例\n第一条 职工行使下列权利：\n（一）参加工会；\n（二）民主选举。\n企业应当保障前款规定的权利。\n第二条 本条例自公布之日起施行。"
    document = loaded(tmp_path, text)
    assert [s.path[-1] for s in document.sections] == ["第一条", "（一）", "（二）", "第二条"]
    assert words(document, document.sections[0]).endswith("企业应当保障前款规定的权利。")
    assert words(document, document.sections[2]) == "（二）民主选举。"


def test_issued_documents_and_attachments_are_parts_of_their_own(tmp_path: Path) -> None:
    text = ("某市人民政府关于印发《某市值班办法》的通知\n某政发〔2022〕8号\n各区人民政府：\n现将《某市值班办法》印发给你们，请遵照执行。\n"
            "附件：1.值班表\n2.通讯录\n某市人民政府\n二〇二二年三月一日\n（此件公开发布）\n某市值班办法\n第一条 值班实行24小时制。\n"
            "附件1\n值班表\n一、白班。早八点到岗，晚六点离岗。\n二、夜班。晚六点到岗，早八点离岗。")
    document = loaded(tmp_path, text)
    assert [(s.kind, s.path) for s in document.sections] == [
        ("attachment", ("附件",)), ("signature", ("落款",)), ("attachment", ("某市值班办法",)), ("part", ("某市值班办法", "第一条")),
        ("attachment", ("附件1 值班表",)), ("part", ("附件1 值班表", "一、白班")), ("part", ("附件1 值班表", "二、夜班"))]
    assert document.meta.issued_on == "2022-03-01"
    assert document.meta.document_number == "某政发〔2022〕8号"


@pytest.mark.parametrize("number", ["京政办发〔2020〕7号", "京政办发［2020］7号", "京政办发[2020]7号", "京政办发（2020）7号", "京政办发(2020)第7号"])
def test_document_numbers_in_every_bracket(tmp_path: Path, number: str) -> None:
    document = loaded(tmp_path, f"某市人民政府关于值班的通知\n{number}\n各区：\n根据国办发〔2019〕1号文件，现通知如下。")
    assert document.meta.document_number == number


def test_cited_numbers_are_not_the_document_s_own(tmp_path: Path) -> None:
    document = loaded(tmp_path, "某局关于值班的通知\n各科室：\n根据《关于值班的通知》（国办发〔2019〕1号）要求，现通知如下。")
    assert document.meta.document_number is None


# ---------------------------------------------------------------- one-line texts, tables, markdown

def test_a_document_in_one_line_falls_into_its_paragraphs(tmp_path: Path) -> None:
    text = ("某市商务局关于稳定商务发展的通知 某商发〔2020〕3号 各有关单位： 为做好疫情防控期间商务工作，现就有关事项通知如下： 一、保障供应 "
            "1.实施监测补货。加强零售终端和一、二级市场对接，补货金额达到1.5万元的予以补助。 2.增加储备。支持企业投放 300 吨蔬菜。 "
            "二、减轻负担 按照规定减免租金。 某市商务局 2020年2月5日 【打印本页】 【关闭窗口】")
    document = loaded(tmp_path, text)
    assert names(document) == ["一、保障供应", "1.实施监测补货", "2.增加储备", "二、减轻负担", "落款"]
    meta = document.meta
    assert (meta.title, meta.document_number, meta.issued_on) == ("某市商务局关于稳定商务发展的通知", "某商发〔2020〕3号", "2020-02-05")
    assert document.text[document.body[-1].end :].strip() == "【打印本页】 【关闭窗口】"


def test_tables_keep_their_column_heads(tmp_path: Path) -> None:
    page = ("<html><body><div class=nav><a href=/>首页</a><a href=/a>要闻</a></div><div><h1>救助标准公告</h1>"
            "<p>现将2025年城乡救助标准公告如下，请遵照执行。</p><table><tr><th>对象</th><th>标准</th></tr>"
            "<tr><td rowspan=2>低保</td><td>1309元</td></tr><tr><td>1200元</td></tr></table>"
            "<p><a href='/f/1.docx'>申请表</a></p></div><script>var a=1</script><footer>版权所有</footer></body></html>")
    document = loaded(tmp_path, page, "a.html")
    assert document.text.splitlines() == [
        "救助标准公告", "现将2025年城乡救助标准公告如下，请遵照执行。", "对象：低保；标准：1309元", "对象：低保；标准：1200元", "申请表"]


def test_markdown_headings(tmp_path: Path) -> None:
    document = loaded(tmp_path, "# 某条例\n\n## 第一章  总   则\n\n第一条 为了规范，制定本条例。\n\n## 说明\n\n**重点**内容。\n\n**一、范围**\n\n全市。", "a.md")
    assert document.meta.title == "某条例"
    assert [s.path for s in document.sections] == [("第一章 总则",), ("第一章 总则", "第一条"), ("说明",), ("说明", "一、范围")]


# ---------------------------------------------------------------- against other people's truth

@shared
def test_government_pages_give_their_stated_metadata() -> None:
    folder = SHARED / "docs" / "gov_cn_html"
    rows = [json.loads(line) for line in (folder / "index.jsonl").read_text(encoding="utf-8").splitlines()]
    right = dict.fromkeys(("title", "docno", "issuer", "written", "published"), 0)
    for row in rows:
        meta = load(folder / row["file"], row["file"])[0].meta
        right["title"] += compact(meta.title or "") == compact(row["title"])
        right["docno"] += meta.document_number == row["docno"]
        right["issuer"] += meta.issuer == row["issuer"]
        for name, found in (("written", meta.issued_on), ("published", meta.published_on)):
            date = DATE.search(row[name])
            right[name] += date is not None and found == iso(date)
    assert min(right.values()) >= 0.95 * len(rows), right


@shared
def test_pages_read_without_their_header_table() -> None:
    folder = SHARED / "docs" / "gov_cn_html"
    rows = [json.loads(line) for line in (folder / "index.jsonl").read_text(encoding="utf-8").splitlines()]
    right = 0
    for row in rows:
        meta = load(folder / row["file"].replace(".html", ".content.html"), row["file"])[0].meta
        right += compact(meta.title or "") == compact(row["title"]) and meta.document_number == row["docno"]
    assert right >= 0.95 * len(rows)


@shared
def test_saved_pages_lose_their_navigation() -> None:
    for path in sorted((SHARED / "docs" / "guangzhou_gov_html").glob("*.html")):
        document = load(path, path.name)[0]
        assert document.meta.title
        assert not re.search(r"版权所有|ICP备|网站地图|分享到|当前所在的位置", document.text), path.name


def _labelled(source: str, folder: Path) -> Document:
    """The document that a label speaks of, from a folder, a line of a corpus or an archive."""
    kind, _, rest = source.partition("/")
    if kind == "seeds":
        return load(ROOT / source, source)[0]
    if kind == "ncp_policy_qa_dev":
        with (SHARED / kind / "corpus.jsonl").open(encoding="utf-8") as file:
            text = next(d["text"] for d in map(json.loads, file) if d["id"] == rest)
        return loaded(folder, text)
    if ".tar.gz/" in source:
        archive, _, member = source.partition(".tar.gz/")
        with tarfile.open(SHARED / f"{archive}.tar.gz") as tar:
            (folder / "a.md").write_bytes(tar.extractfile(member).read())  # type: ignore[union-attr]
        return load(folder / "a.md", source)[0]
    return load(SHARED / source, source)[0]


def _heading(document: Document, section: Section) -> tuple[int, str]:
    return section.start, section.path[-1].replace(" ", "")


@shared
def test_structure_of_48_labelled_documents(tmp_path: Path) -> None:
    labels = [json.loads(line) for line in (ROOT / "tests" / "structure_labels.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(labels) >= 40
    hits = found = wanted = 0
    wrong: list[str] = []
    for label in labels:
        document = _labelled(label["source"], tmp_path)
        have = {_heading(document, s) for s in document.sections if s.kind == "part"}
        want = {(a, compact(document.text[a:b])) for a, b in label["headings"]}
        hits, found, wanted = hits + len(have & want), found + len(have), wanted + len(want)
        for name in ("title", "document_number", "issued_on", "addressees"):
            span = document.meta.proof.get(name)
            if name in label and label[name] != ([span.start, span.end] if span else None):
                wrong.append(f"{label['source']}: {name}")
        if "issuers" in label and tuple(label["issuers"]) != document.meta.issuers:
            wrong.append(f"{label['source']}: issuers")
    assert hits >= 0.98 * found, f"precision {hits / found:.4f}"
    assert hits >= 0.98 * wanted, f"recall {hits / wanted:.4f}"
    assert len(wrong) <= 0.02 * 5 * len(labels), wrong


@shared
def test_every_article_of_the_laws_is_a_section(tmp_path: Path) -> None:
    """The index of the collection counts the articles of each law."""
    rows = [json.loads(line) for line in (SHARED / "docs" / "lawrefbook" / "index.jsonl").read_text(encoding="utf-8").splitlines()]
    counts = {row["path"]: row["articles"] for row in rows if row["tar"] == "local_regulations_2.tar.gz"}
    differing = articles = 0
    with tarfile.open(SHARED / "docs" / "lawrefbook" / "local_regulations_2.tar.gz") as tar:
        for member in [m for m in tar if m.name in counts][::15]:
            (tmp_path / "a.md").write_bytes(tar.extractfile(member).read())  # type: ignore[union-attr]
            sections = load(tmp_path / "a.md", member.name)[0].sections
            articles += counts[member.name]
            differing += abs(sum(s.label.endswith("条") or "条之" in s.label for s in sections) - counts[member.name])
    assert articles > 2000
    assert differing <= 0.005 * articles


# ---------------------------------------------------------------- hostile texts: quadratic work would never end here

@pytest.mark.parametrize("text", [
    "（" * 150_000 + "】" * 150_000, "一、" * 200_000, "一要好。" * 80_000, "1. a\n" * 60_000, "附件\n" * 100_000, "《" * 400_000,
    "好 " * 200_000, "好，\n" * 100_000, "通知-" * 120_000, "目录\n" + "第一章 好\n" * 60_000, "教育局\n" * 80_000 + "2020年1月1日",
    "。".join(f"{'一二三四五六七八九十'[i % 10]}要好" for i in range(80_000)),
], ids=lambda text: text[:6].replace("\n", " "))
def test_hostile_texts_end(tmp_path: Path, text: str) -> None:
    assert loaded(tmp_path, text).body


def test_a_section_without_a_name_loses_nothing_inside_it() -> None:
    """In the tree of the page what lies in an article without a headline hangs one level higher."""
    from ui.pages.documents import _tree

    document = seed(3)
    shown = str(_tree(document.sections))
    assert all(f'data-section="{n}"' in shown for n, section in enumerate(document.sections) if section.path)
