"""Days, terms, relations and status: read from the text, computed against a day and a collection."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import SHARED

from rag.loading import load
from rag.loading.overrides import completed
from rag.schema import Document, Metadata, Relation, Span
from rag.text import compact
from rag.validity import Collection, status_of

TITLE = "某市人民政府办公室关于印发某市公共租赁住房管理办法的通知"


def read(tmp_path: Path, body: str, title: str = TITLE, number: str = "某府办规〔2024〕3号", day: str = "2024年2月20日",
         name: str = "a.txt") -> Document:
    """A notice with this body, through the real loader."""
    text = f"{title}\n{number}\n\n各县（市、区）人民政府，市政府各部门：\n　　{body}\n\n某市人民政府办公室\n{day}\n"
    (tmp_path / name).write_text(text, encoding="utf-8")
    (document,) = completed(load(tmp_path / name, f"docs/{name}"), b"", "")
    return document


def said(document: Document, span: Span) -> str:
    return compact(document.text[span.start : span.end])


@pytest.mark.parametrize(("body", "effective", "expires", "proof"), [
    ("本办法自2024年3月1日起施行，有效期5年。", "2024-03-01", "2029-02-28", "本办法自2024年3月1日起施行，有效期5年"),
    ("本办法自印发之日起施行，有效期至2026年12月31日。", "2024-02-20", "2026-12-31", "本办法自印发之日起施行，有效期至2026年12月31日"),
    ("本通知自发布之日起施行，试行两年。", "2024-02-20", "2026-02-19", "本通知自发布之日起施行，试行两年"),
    ("本通知自2024年2月29日起执行，有效期为一年。", "2024-02-29", "2025-02-27", "本通知自2024年2月29日起执行，有效期为一年"),
    ("本方案自二〇二四年三月一日起试行，试行期六个月。", "2024-03-01", "2024-08-31", "本方案自二〇二四年三月一日起试行，试行期六个月"),
    ("本公告执行期限为2023年1月1日至2027年12月31日。", None, "2027-12-31", "本公告执行期限为2023年1月1日至2027年12月31日"),
    ("本通知自2021年1月1日起施行至2025年12月31日。", "2021-01-01", "2025-12-31", "本通知自2021年1月1日起施行至2025年12月31日"),
    ("本通知有效期1年。", None, "2025-02-19", "本通知有效期1年"),
    ("现予公布，自2024年3月1日起施行。", "2024-03-01", None, ""),
    ("第十条　本 办法自2024年 3月1日起施行，有 效期3年。", "2024-03-01", "2027-02-28", "本办法自2024年3月1日起施行，有效期3年"),
    ("本办法由市财政局负责解释，自公布之日起施行。", "2024-02-20", None, ""),
    ("本通知自印发之日起30日后施行，有效期3年。", "2024-03-21", "2027-03-20", "本通知自印发之日起30日后施行，有效期3年"),
    ("本办法自2024年3月1日至2026年2月28日施行。", "2024-03-01", "2026-02-28", "本办法自2024年3月1日至2026年2月28日施行"),
    ("本办法暂行一年，自2024年1月1日起执行。", "2024-01-01", "2024-12-31", "本办法暂行一年"),
    ("以上政策执行期限为2024年1月1日至2024年12月31日。", None, "2024-12-31", "以上政策执行期限为2024年1月1日至2024年12月31日"),
    ("签约服务协议有效期为1年，许可证有效期至2026年12月31日。", None, None, ""),
    ("《某省房屋条例》自2021年5月1日起施行。各单位要认真学习。", None, None, ""),
    ("将第五条修改为：“本条例自2030年1月1日起施行。”", None, None, ""),
    ("自2024年3月起，各单位每月报送一次。", None, None, ""),
])
def test_days_and_terms(tmp_path: Path, body: str, effective: str | None, expires: str | None, proof: str) -> None:
    meta = (document := read(tmp_path, body)).meta
    assert (meta.effective_on, meta.expires_on) == (effective, expires)
    assert ("effective_on" in meta.proof, "expires_on" in meta.proof) == (effective is not None, expires is not None)
    if expires:
        assert said(document, meta.proof["expires_on"]) == proof


@pytest.mark.parametrize(("history", "effective"), [
    ("1990年4月9日 国务院令第5号发布\n2001年4月12日 《国务院关于修改〈某条例〉的决定》第一次修订", "1990-04-09"),
    ("1991年4月1日 国务院批准\n1991年4月22日 某局令第6号发布", "1991-04-22"),
    ("2016年3月31日 甲市人大常委会通过 2020年5月29日 甲市人大常委会通过 2020年7月31日 甲省人大常委会批准的《关于修改〈某条例〉的决定》修正", "2016-03-31"),
    ("2002年9月28日 某省人大常委会通过\n2016年1月22日 某省人大常委会第一次会议修订", "2016-01-22"),
    ("2002年9月28日 某省人大常委会通过", "2002-09-28"),
])
def test_a_law_that_begins_when_it_is_published(tmp_path: Path, history: str, effective: str) -> None:
    """Amendments do not set its beginning anew; a revision does."""
    (tmp_path / "a.md").write_text(f"# 某条例\n\n{history}\n\n第一条 为了规范，制定本条例。\n\n第二条 本条例自公布之日起施行。", encoding="utf-8")
    (document,) = completed(load(tmp_path / "a.md", "a.md"), b"", "")
    assert document.meta.effective_on == effective


def test_the_term_of_what_is_issued_wins_over_the_letter_that_issues_it(tmp_path: Path) -> None:
    document = read(tmp_path, "本通知自印发之日起执行。\n　　第一条 为了规范管理，制定本办法。\n　　第二条 本办法自2024年5月1日起施行，有效期5年。")
    assert (document.meta.effective_on, document.meta.expires_on) == ("2024-05-01", "2029-04-30")


def test_the_header_of_a_page_tells(tmp_path: Path) -> None:
    page = "<html><body><h1>{}</h1><table><tr><td>实施日期：</td><td>2019年10月16日</td></tr><tr><td>失效日期：</td><td>2024年10月15日</td></tr>" \
           "<tr><td>有效性：</td><td>{}</td></tr></table><p>{}</p></body></html>"
    for word, kind in (("失效", "expired"), ("有效", "in_force")):
        (tmp_path / "p.html").write_text(page.format(TITLE, word, "各单位要按时报送，不得迟报、漏报、瞒报。" * 9), encoding="utf-8")
        (document,) = completed(load(tmp_path / "p.html", "p.html"), b"", "")
        status = status_of(document, "2024-10-15", Collection([document]))
        assert (document.meta.effective_on, document.meta.expires_on) == ("2019-10-16", "2024-10-15") and status.kind == kind
        assert status_of(document, "2024-10-16", Collection([document])).kind == "expired"


@pytest.mark.parametrize(("body", "found"), [
    ("《某市旧办法》（某府〔2015〕7号）同时废止。", [("repeals", "某市旧办法", "某府〔2015〕7号")]),
    ("1990年1月2日发布的《某省甲条例》、2001年3月4日省人大通过，2005年修正的《某省乙条例》同时废止。",
     [("repeals", "某省甲条例", None), ("repeals", "某省乙条例", None)]),
    ("《某市关于印发〈某市旧办法〉的通知》 （某府〔2015〕7号）停止执行。", [("repeals", "某市关于印发〈某市旧办法〉的通知", "某府〔2015〕7号")]),
    ("经研究，决定废止《某市甲办法》（某府〔2011〕1号）、《某市乙办法》。", [("repeals", "某市甲办法", "某府〔2011〕1号"), ("repeals", "某市乙办法", None)]),
    ("《某市旧办法》（某府〔2015〕7号）自本办法施行之日起废止。", [("repeals", "某市旧办法", "某府〔2015〕7号")]),
    ("《某市旧办法》自2024年3月1日起停止执行。", [("repeals", "某市旧办法", None)]),
    ("原某府办规〔2023〕1号文同时废止。", [("repeals", None, "某府办规〔2023〕1号")]),
    ("依照《某省甲条例》制定的规定，建议废止。根据《某省乙条例》，停止执行相关收费。", []),
    ("《国务院关于修改和废止部分行政法规的决定》已经公布。", []),
    ("《某市旧办法》第三条同时废止。", []),
    ("省民政厅《关于设立某站的请示》（某民〔2023〕9号）收悉。", [("replies_to", "关于设立某站的请示", "某民〔2023〕9号")]),
    ("现将《某省值班工作规定》（某办〔2023〕2号）转发给你们。", [("forwards", "某省值班工作规定", "某办〔2023〕2号")]),
    ("现对《某市旧办法》（某府〔2015〕7号）作如下修改：", [("amends", "某市旧办法", "某府〔2015〕7号")]),
])
def test_relations(tmp_path: Path, body: str, found: list[tuple]) -> None:
    document = read(tmp_path, body)
    assert [(r.kind, r.title, r.number) for r in document.meta.relations] == found
    for relation in document.meta.relations:
        quote = said(document, relation.span)
        assert (relation.title or "") in quote and (relation.number or "") in quote


def test_relations_that_the_title_states(tmp_path: Path) -> None:
    amends = read(tmp_path, "各单位要认真执行。", "某市人民政府关于修改《某市旧办法》的决定").meta.relations
    forwards = read(tmp_path, "各单位要认真执行。", "某市人民政府办公室转发市民政局关于加强养老服务意见的通知").meta.relations
    assert [(r.kind, r.title) for r in amends] == [("amends", "某市旧办法")]
    assert [(r.kind, r.title) for r in forwards] == [("forwards", "市民政局关于加强养老服务意见")]


def test_the_period_a_document_speaks_of(tmp_path: Path) -> None:
    named = read(tmp_path, "请认真落实。", "某市人民政府办公室关于做好2023年元旦春节期间有关工作的通知")
    assert named.meta.period == "2023年元旦春节期间" == said(named, named.meta.proof["period"])
    opening = read(tmp_path, "2022年国庆节、中秋节假期将至，请按〔2021〕文件做好值守。", "某市人民政府办公室关于做好值守工作的通知")
    assert opening.meta.period and opening.meta.period.startswith("2022年国庆节")
    assert read(tmp_path, "1998年以来，成绩显著。", "某市人民政府办公室关于做好值守工作的通知").meta.period is None


# ---------------------------------------------------------------- status

def document(id: str, **meta: object) -> Document:
    proof = {name: Span(0, 2) for name in meta if name in ("title", "effective_on", "expires_on", "status")}
    return Document(id, f"docs/{id}.txt", id, "全文内容", Metadata(**{"proof": proof, **meta}), ())


def kinds(*documents: Document, today: str = "2024-06-01") -> list[str]:
    collection = Collection(documents)
    return [status_of(d, today, collection).kind for d in documents]


def test_the_clock_decides() -> None:
    entry = document("a", effective_on="2024-03-01", expires_on="2026-02-28")
    days = {"2024-02-29": "not_yet", "2024-03-01": "in_force", "2026-02-28": "in_force", "2026-03-01": "expired"}
    for today, kind in days.items():
        status = status_of(entry, today, Collection([entry]))
        assert status.kind == kind and (status.document_id, status.start, status.end) == ("a", 0, 2) and status.reason.endswith("。")


def test_what_says_nothing_is_unknown() -> None:
    assert kinds(document("a", title="某通知", issued_on="2001-01-01")) == ["unknown"]
    draft = document("b", title="某市养老条例（征求意见稿）", effective_on="2024-01-01")
    assert kinds(draft) == ["unknown"]


def repeal(title: str | None = None, number: str | None = None) -> tuple[Relation, ...]:
    return (Relation("repeals", title, number, Span(1, 3)),)


def test_a_document_of_the_collection_repeals_another() -> None:
    old = document("old", title="某市 旧办法", document_number="某府[2015]7号", effective_on="2015-01-01", issued_on="2014-12-01")
    for relations in (repeal(number="某府〔2015〕第7号"), repeal("《某市旧办法》"[1:-1]), repeal("某市旧办法", "某府〔2015〕7号")):
        new = document("new", title="某市新办法", document_number="某府〔2024〕2号", effective_on="2024-05-01", relations=relations)
        assert kinds(old, new) == ["superseded", "in_force"]
        status = status_of(old, "2024-06-01", Collection([old, new]))
        assert (status.document_id, status.start, status.end) == ("new", 1, 3)
        assert status.reason == "已被《某市新办法》（某府〔2024〕2号）废止（自2024年5月1日起）。"
        assert kinds(old, new, today="2024-04-30") == ["in_force", "not_yet"]
        assert kinds(old) == ["in_force"]
    draft = document("new", title="某市新办法（征求意见稿）", relations=repeal("某市旧办法"))
    other = document("new", title="某市新办法", relations=repeal("某市另一个办法", "某府〔2015〕8号"))
    assert kinds(old, draft)[0] == kinds(old, other)[0] == "in_force"


def test_only_the_one_that_is_meant_is_repealed() -> None:
    """A new edition that repeals "《…》" of its own title means the older edition; of two authors' documents neither."""
    first = document("1997", title="出版管理条例", issued_on="1997-01-02", issuers=("国务院",))
    second = document("2001", title="出版管理条例", issued_on="2001-12-25", issuers=("国务院",), relations=repeal("出版管理条例"))
    third = document("2016", title="出版管理条例", issued_on="2016-02-06", issuers=("国务院",))
    assert kinds(first, second) == ["superseded", "unknown"]
    assert kinds(first, second, third) == ["superseded", "superseded", "unknown"]
    others = [document(n, title="关于值班的通知", issuers=(n,)) for n in ("甲局", "乙局")]
    assert kinds(*others, document("new", title="新的通知", relations=repeal("关于值班的通知"))) == ["unknown"] * 3
    copies = [document(n, title="关于值班的通知", document_number="某办〔2020〕1号") for n in ("html", "txt")]
    assert kinds(*copies, document("new", title="新的通知", relations=repeal(number="某办〔2020〕1号"))) == ["superseded"] * 2 + ["unknown"]


def test_what_is_not_in_the_collection_stays_text() -> None:
    new = document("new", relations=repeal("不在这里的办法", "某府〔1999〕1号"))
    (link,) = Collection([new]).links_from("new")
    assert link.targets == () and link.relation.title == "不在这里的办法"


def test_an_administrator_decides_before_all_else() -> None:
    old = replace(document("old", title="某市旧办法", effective_on="2015-01-01"), source="docs/old.txt")
    meta = replace(old.meta, status="superseded", status_reason="由新办法代替。")
    status = status_of(replace(old, meta=meta), "2024-06-01", Collection([old]))
    assert (status.kind, status.reason, status.document_id) == ("superseded", "由新办法代替。", None)


# ---------------------------------------------------------------- real documents

@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared documents are not here")
def test_real_pages_agree_with_their_own_headers() -> None:
    """Pages whose header states when the document begins and ends: the text alone must give the same days."""
    checked = 0
    for path in sorted((SHARED / "docs" / "guangzhou_gov_html").glob("*.html")):
        (whole,) = completed(load(path, path.name), b"", "")
        header = whole.meta.proof.get("expires_on")
        if header is None or not whole.text[header.start :].startswith("失效日期"):
            continue
        hidden = replace(whole, text=whole.text.replace("失效日期：", "某某日期：").replace("实施日期：", "某某日期："))
        meta = completed([hidden], b"", "")[0].meta
        checked += bool(meta.expires_on) and abs(int(meta.expires_on[:4]) - int(whole.meta.expires_on[:4])) == 0
    assert checked >= 2
    (page,) = completed(load(SHARED / "docs/guangzhou_gov_html/37_市场主体登记管理条例_国务院令746号.html", "x"), b"", "")
    assert page.meta.effective_on == "2022-03-01" and [r.kind for r in page.meta.relations] == ["repeals"] * 5
    json.dumps([r.title for r in page.meta.relations])
