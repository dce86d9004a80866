"""What was found must be what was asked for."""

import pytest

from rag.checks import shortcoming
from rag.query import understand
from rag.schema import Document, Evidence, Metadata, Span

DOCUMENT = Document("d1", "a.txt", "0" * 64, "", Metadata(), ())


def lacking(question: str, text: str) -> str:
    return shortcoming(understand(question), [Evidence(DOCUMENT, (), Span(0, 1), text, text, 1.0, 1.0)])


@pytest.mark.parametrize(("question", "text", "word"), [
    ("办公室的值班电话是多少？", "各单位要公布值班电话。", "电话号码"),
    ("值一天班补助多少钱？", "按规定发放值班补助。", "金额"),
    ("火灾造成多少人遇难？", "1月25日，第一时间传达火灾事故的指示精神。", "数量"),
    ("为什么取消了庙会？", "严控庙会等活动。", "取消"),
    ("民政局局长叫什么名字？", "民政局值班室有人值守。", "局长"),
    ("“十个严禁”具体是哪十条？", "严格贯彻落实“十个严禁”，形成廉洁过节的良好风尚。", "逐条"),
    ("孙某家住哪里？", "紧急联系人孙某，值班室有人。", "住址"),
    ("大会哪天闭幕？", "大会闭幕后抓好落实。", "日期"),
    ("每人资助5000元的钱怎么领？", "对困难家庭考生给予资助。", "5000元"),
    ("“三侧发力”是哪三侧？", "坚持“五路并进”保煤、“三侧发力”保电、“四级统筹”保供热。", "三侧发力"),
    ("“5511”代表什么？", "继续坚持“5511”工作总体思路。", "5511"),
])
def test_mentioned_is_not_stated(question: str, text: str, word: str) -> None:
    assert word in lacking(question, text)


@pytest.mark.parametrize(("question", "text"), [
    ("办公室的值班电话是多少？", "值班室电话:0931-8826009"),
    ("每人资助多少钱？", "每人资助3000元"),
    ("要服务多少人？", "为10万名残疾人提供服务"),
    ("放假几天？", "6月2日放假，与周末连休。"),
    ("“四方责任”指哪四方？", "压实属地、部门、单位、个人“四方责任”"),
    ("“四方责任”指的是什么？", "压实属地、部门、单位、个人“四方责任”"),
    ("为什么严控庙会？", "为防止疫情传播，严控庙会等活动。"),
    ("称为什么？", "这种做法称为网格化管理。"),
    ("活动为什么停办？", "因疫情，活动延期。"),
    ("专线电话为哪些车辆提供帮助？", "专线为运输车辆提供帮助。"),
    ("What is the phone number?", "各单位要公布值班电话。"),
])
def test_what_is_stated_stands(question: str, text: str) -> None:
    assert lacking(question, text) == ""
