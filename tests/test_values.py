"""The value that is asked for: of the right shape, alone, with what bounds it."""

import pytest

from rag.query import understand
from rag.values import asked_for, has_value, section_asked, single_value


@pytest.mark.parametrize(("question", "text", "value"), [
    ("评标委员会由几人组成？", "成员人数应当为5人以上单数", "5人以上"),
    ("利息能扣多少年？", "扣除期限最长不超过240个月", "不超过240个月"),
    ("子女教育扣多少钱？", "按照每个子女每月1000元的标准定额扣除", "每个子女每月1000元"),
    ("申请表什么时候报？", "于4月18日12:00前报送", "4月18日12:00前"),
    ("办法从哪天起施行？", "本办法自2017年10月1日起施行", "2017年10月1日起"),
    ("辞职要提前多少天？", "提前30个工作日提交申请", "30个工作日"),
    ("多少天能办好？", "自受理之日起五个工作日内作出决定", "五个工作日内"),
    ("假期放几天？", "4月29日至5月1日放假，共3天", "3天"),
    ("事件分为几级？", "分为特别重大、重大、较大和一般四级", "四级"),
    ("造成多少直接经济损失？", "倒房34户，直接经济损失1875余万元", "1875余万元"),
    ("什么时候截止缴费？", "缴费时间为2025年10月下旬至2025年12月20日", "2025年12月20日"),
    ("供水热线打多少？", "拨打供水热线96510", "96510"),
])
def test_one_value_is_said_with_its_bounds(question: str, text: str, value: str) -> None:
    assert single_value(understand(question), text) == value


@pytest.mark.parametrize(("question", "text"), [
    ("发生了几起事故，死了几人？", "发生事故8起、死亡6人"),  # two are asked for
    ("每人发多少元？", "一等奖500元，二等奖300元"),  # two are there
])
def test_no_value_stands_for_two(question: str, text: str) -> None:
    assert single_value(understand(question), text) is None


def test_the_number_of_a_document_is_no_day() -> None:
    query = understand("改造什么时候实施？")
    assert not has_value(query, "建议字:〔2023〕8号") and not has_value(query, "见市政府令第8号") and has_value(query, "8号开工")


def test_a_mobile_number_is_asked_for_as_one() -> None:
    shape = asked_for(understand("郑老师的手机号是多少？"))
    assert shape.search("手机：13912345678") and not shape.search("办公电话：81891096")


def test_what_often_has_a_section_of_its_own() -> None:
    assert section_asked(understand("全面推进政务公开的目标是什么？")) == "目标" and section_asked(understand("目标定在哪一年？")) == ""


def test_a_bound_that_is_asked_for_must_be_said() -> None:
    most, least = understand("创业贷款最多能贷多少？"), understand("室温最低多少度？")
    assert has_value(most, "个人贷款额度最高30万元") and not has_value(most, "按利率的50%给予贴息")
    assert has_value(least, "室温不低于18度") and not has_value(least, "检测误差2度")
