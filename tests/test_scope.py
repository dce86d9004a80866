"""Which documents a question's slots allow."""

import datetime as dt
from dataclasses import replace

import pytest

from rag.config import Settings
from rag.index import Index
from rag.pipeline import Pipeline, build_index
from rag.places import compatible, find_places, misplaced
from rag.premises import of_another_year
from rag.query import understand
from rag.schema import Document, Metadata, Span
from rag.scope import in_words, of_document, places_of, same_title, short_for, slots
from rag.text import sentences

NOTICE = Metadata(
    title="关于做好2023年元旦春节期间有关工作的通知", issuers=("兰州市民政局",), document_number="兰民发〔2022〕1号",
    issued_on="2022-12-30", years=(2023,), festivals=("元旦", "春节"),
)


@pytest.mark.parametrize(("question", "verdicts"), [
    ("兰州2023年春节怎么值班", {"年份": True, "节日": True, "地区": True}),
    ("上海2022年端午怎么值班", {"年份": False, "节日": False, "地区": False}),
    ("2022年印发的通知", {"年份": True}),
    ("兰州市民政局怎么要求", {"单位": True}),
    ("兰州市教育局怎么要求", {"单位": False}),
    ("城关区春节怎么值班", {"节日": True, "地区": False}),
    ("兰州市城关区民政局怎么要求", {"单位": False}),
    ("甘肃的通知怎么说", {"地区": True}),
    ("兰民发[2022]1号讲什么", {"文号": True}),
    ("兰民发〔2022〕2号讲什么", {"文号": False}),
    ("《关于做好2023年元旦春节期间有关工作的通知》讲什么", {"标题": True}),
    ("《2024年放假安排》讲什么", {"标题": False}),
])
def test_verdicts(question: str, verdicts: dict[str, bool]) -> None:
    query = understand(question, today=dt.date(2023, 1, 1))
    assert {s.name: of_document(s, query, "id", NOTICE, places_of(NOTICE)) for s in slots(query)} == verdicts


def test_a_document_that_does_not_say_is_neither() -> None:
    query = understand("兰州2023年春节怎么值班")
    assert [of_document(s, query, "id", Metadata(), ()) for s in slots(query)] == [None, None, None]


def test_a_passage_may_speak_of_what_its_document_is_not_about() -> None:
    (place,) = slots(understand("西安旅居史的人怎么办"))
    assert of_document(place, understand("西安旅居史的人怎么办"), "id", NOTICE, places_of(NOTICE)) is False
    assert in_words(place, "有陕西省西安市旅居史的来兰人员")


def test_places() -> None:
    assert find_places("西藏自治区税务局、广西壮族自治区融安县") == ["西藏", "广西", "融安县"]
    assert find_places("兰州市民政局与陕西省西安市、怀柔区") == ["兰州", "陕西", "西安", "怀柔区"]
    assert find_places("长治市上党区卫生局") == ["长治", "上党区"]
    assert find_places("北京时间八点，黄山路，南京西路派出所") == []
    assert find_places("增城区、昆山市和长白朝鲜族自治县") == ["增城区", "昆山市", "长白朝鲜族自治县"]
    assert find_places("云南山区的新城区建设，各县区，和平区域") == ["云南"]
    assert compatible("广州", ("增城区",)) and compatible("甘肃", ("城关区",)) and not compatible("上党区", ("长治", "潞州区"))
    assert find_places("duty requirements in Lanzhou, Shaanxi and Hong Kong") == ["兰州", "陕西", "香港"]
    assert compatible("甘肃", ("兰州",)) and not compatible("兰州", ("甘肃",))


@pytest.mark.parametrize(("text", "wrong"), [
    ("云南省黄冈市浠水县征用了哪家医院？", ("云南", "黄冈")), ("兰州市上党区怎么值班？", ("兰州", "上党区")),
    ("陕西武汉的物资怎么保障？", ("陕西", "武汉")), ("湖北省黄冈市浠水县征用了哪家医院？", None), ("吉林长春朝阳区怎么值班？", None),
    ("浙江重庆两地专家怎么会诊？", None), ("广州深圳的通知有什么不同？", None), ("济南市长清区的电话？", None), ("吉林市的通知", None),
    ("西藏自治区拉萨市城关区", None), ("苏州工业园区怎么办理？", None), ("上海市南京西路派出所", None),
])
def test_places_that_do_not_lie_in_each_other(text: str, wrong: tuple[str, str] | None) -> None:
    assert misplaced(text) == wrong


@pytest.mark.parametrize(("said", "office", "meant"), [
    ("卫体局", "卫生健康和体育局", True), ("人社局", "人力资源和社会保障局", True), ("发改委", "发展和改革委员会", True),
    ("教育局", "卫生健康和体育局", False), ("体卫局", "卫生健康和体育局", False),
])
def test_offices_by_their_short_names(said: str, office: str, meant: bool) -> None:
    assert short_for(said, office) is meant


def test_of_another_year() -> None:
    """In a report of several years a sentence is of the year that it, or the last before it that names one, begins with."""
    text = "2023年，全省建成市场30个。\n2024年，将建成市场50个。累计投入9亿元。"
    report, query = Document("d", "a.txt", "0" * 64, text, Metadata(), ()), understand("2023年建成多少个市场")
    spans = [Span(s.start, s.end) for s in sentences(text)]
    assert [of_another_year(query, report, span) for span in spans] == [False, True, True]
    assert not of_another_year(understand("建成多少个市场"), report, spans[1])
    assert not of_another_year(query, replace(report, meta=Metadata(years=(2023,))), spans[1])


def test_titles() -> None:
    assert same_title("民法典", "中华人民共和国民法典") and not same_title("民法典", "中华人民共和国刑法")


def test_only_in_force_leaves_out_what_is_known_to_be_out_of_force(tmp_path, embedder) -> None:
    """A measure whose last day has passed is left out when a person asks so; one that says nothing stays."""
    folder = tmp_path / "docs"
    folder.mkdir()
    for year, until in (("2018", "，有效期至2020年12月31日"), ("2022", "")):
        text = (f"某市档案借阅管理办法（{year}年）\n\n某政发〔{year}〕5号\n\n各单位：\n第一条 档案借阅时间为{year[-2:]}个工作日，到期归还。\n"
                f"第二条 本办法自{year}年1月1日起施行{until}。\n\n某市人民政府办公厅\n{year}年1月1日\n")
        (folder / f"{year}.txt").write_text(text, encoding="utf-8")
    settings = Settings(home=tmp_path / "home", today="2023-01-10")
    build_index(settings, [folder], embedder=embedder)
    pipeline = Pipeline(settings, Index.open(settings.index), embedder)
    kinds = {e.source.rsplit("/", 1)[-1]: pipeline.status(e.id).kind for e in pipeline.documents()}
    assert kinds["2018.txt"] == "expired"
    found = pipeline.search("档案借阅时间是多少个工作日？", 10, {"in_force": "现行有效"})
    everything = pipeline.search("档案借阅时间是多少个工作日？", 10)
    assert {h.document.source[-8:] for h in everything.hits} == {"2018.txt", "2022.txt"}
    answer = pipeline.ask("档案借阅时间是多少个工作日？", (), {"in_force": "现行有效"})
    assert {c.source[-8:] for c in answer.citations} <= {"2022.txt"} and found.hits[0].document.source.endswith("2022.txt")
    assert answer.interpreted.filters["in_force"] == "现行有效"


@pytest.mark.parametrize(("asked", "title", "same"), [
    ("公路法", "中华人民共和国公路法", True),
    ("公路法", "广东省实施《公路法》办法", False),
    ("公路法", "收费公路法", False),
    ("食品安全法", "中华人民共和国食品安全法实施条例", False),
    ("刑法", "中华人民共和国刑法修正案（七）", False),
    ("个人所得税专项附加扣除暂行办法", "国务院关于印发个人所得税专项附加扣除暂行办法的通知", True),
    ("公路条例", "国务院关于修改《公路条例》的决定", False),
])
def test_a_document_about_a_law_is_not_the_law(asked: str, title: str, same: bool) -> None:
    assert same_title(asked, title) is same


def test_what_others_say_in_the_name_of_a_law_is_not_the_law() -> None:
    text = "根据《公路法》和《政府工作报告》，制定本办法。"
    law, = slots(understand("《公路法》怎么规定？"))
    report, = slots(understand("《政府工作报告》怎么说？"))
    assert not in_words(law, text) and in_words(report, text)


def test_a_report_and_a_province_tell_of_others_and_another_city_does_not(tmp_path, settings, embedder) -> None:
    documents = {
        "郑州": "郑州市交通运输局关于做好值班工作的通知\n\n各科室：\n一、值班要求\n实行24小时值班。\n\n郑州市交通运输局\n2023年1月10日\n",
        "河南": "河南省交通运输厅关于机场防疫工作的通知\n\n各市交通运输局：\n一、机场工作\n郑州机场对体温超过37.3℃的发热旅客设置隔离场所，及时送医。\n\n河南省交通运输厅\n2023年1月11日\n",
        "西安": "西安市交通运输局关于机场防疫工作的通知\n\n各科室：\n一、机场工作\n参照郑州做法，对体温超过37.5℃的发热旅客设置观察室，及时劝返。\n\n西安市交通运输局\n2023年1月12日\n",
        "捐赠": "台商企业助力抗击疫情\n南京某商会捐赠口罩。永达保险公司向郑州市慈善总会捐赠200万元。\n",
        "通行": "郑州市公安局关于办理通行事项的通告\n\n一、市内运输\n市内运输的《通行证》由指挥部交通运输组办理。\n\n郑州市公安局\n2023年1月13日\n",
        "别处": "西安市公安局关于启用通行证的通告\n\n一、启用\n自即日起启用通行证。\n\n西安市公安局\n2023年1月13日\n",
    }
    (tmp_path / "docs").mkdir()
    for name, text in documents.items():
        (tmp_path / "docs" / f"{name}.txt").write_text(text, encoding="utf-8")
    own = replace(settings, home=tmp_path / "home")
    build_index(own, [tmp_path / "docs"], embedder=embedder)
    pipeline = Pipeline(own, Index.open(own.index), embedder)

    def cited(question: str) -> set[str]:
        return {citation.source.removeprefix("docs/").removesuffix(".txt") for citation in pipeline.ask(question).citations}

    assert cited("郑州机场对发热旅客采取什么措施？") == {"河南"}
    answer = pipeline.ask("湖北省郑州机场对发热旅客采取什么措施？")
    assert answer.status == "no_evidence" and answer.reason == "郑州不在湖北，请核对问题里的地名。"
    assert pipeline.ask("湖北省郑州机场对发热旅客采取什么措施？", filters={"place": ""}).status == "answered"
    assert cited("永达保险公司向郑州捐赠了多少钱？") == {"捐赠"}
    assert cited("郑州市内运输的《通行证》由谁办理？") == {"通行"}
