"""Wording that the page, the Markdown and the command line share."""

from eval.bootstrap import Estimate
from eval.metrics import BY_NAME
from eval.metrics.refusal import OperatingPoint

HEADLINES = ("correct", "answer_recall", "right_document", "must_include_all", "hit@1", "refusal_recall",
             "false_refusals")  # fmt: skip
"""What is looked at first."""
BREAKDOWN = ("correct", "cited", "answer_recall", "must_include_all", "first_line", "right_document", "hit@1", "hit@5")
STATUS = {"answered": "已作答", "no_evidence": "未作答", "clarify": "反问"}
STAGE = {"parsing": "解析", "retrieval": "检索", "reranking": "重排", "gate": "门槛", "composition": "成文"}


def figure(name: str, value: float) -> str:
    """A metric's value as people read it: 93.3% or 0.8123."""
    metric = BY_NAME[name]
    if name == "answer_tokens":
        return f"{value:.1f}"
    return f"{100 * value:.1f}%" if metric.share else f"{value:.4f}"


def with_interval(name: str, estimate: Estimate) -> str:
    """A figure with its interval: 93.3%（90.1%–96.0%）."""
    return f"{figure(name, estimate.value)}（{figure(name, estimate.low)}–{figure(name, estimate.high)}）"


def plainly(estimate: Estimate) -> str:
    """A figure that is no metric of a question, with its interval: 0.0412（0.0210–0.0655）."""
    return f"{estimate.value:.4f}（{estimate.low:.4f}–{estimate.high:.4f}）"


def operating_line(point: OperatingPoint) -> str:
    """What a threshold gives, as a sentence."""
    gives = f"该拒则拒 {point.refusal_recall:.1%}，误拒 {point.false_refusals:.1%}"
    return f"误拒不超过 {point.budget:.0%} 时，阈值取 {point.threshold:.4f}：{gives}。"
