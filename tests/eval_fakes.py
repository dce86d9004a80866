"""An asker that computes, for tests of the evaluation: sentences ranked by shared character bigrams, no weights.

It is deterministic, right often enough, wrong often enough, and can be made worse on purpose.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rag.errors import QuestionError
from rag.schema import (
    Answer,
    Citation,
    Claim,
    Document,
    Hit,
    Interpreted,
    Metadata,
    Passage,
    Retrieval,
    Span,
    Trace,
)
from rag.text import bigrams, sentences

TEXTS = {
    "docs/a.txt": "春节值班通知\n一、值班。春节期间实行24小时专人值班。领导干部外出要报备。\n二、电话。值班室电话是0931-8826009。\n",
    "docs/b.txt": "防火工作通知\n加强烟花爆竹安全监管。消防安全大检查在节前进行。\n重要情况要在一小时内报告市民政局值班室。\n",
    "docs/c.txt": "养老服务安排\n为8000户困难老年人家庭实施适老化改造。建设30个社区\n养老服务中心。\n",
}


@dataclass(frozen=True)
class Entry:
    id: str
    source: str


@dataclass(frozen=True)
class Examined:
    answer: Answer
    hits: Sequence[Hit]


@dataclass
class BigramAsker:
    """`texts`: source → text. Answers with the best sentence when its confidence reaches `threshold`.

    skip: questions whose number (in order of asking) is a multiple of it are answered from the worst hit: a seeded fault.
    """

    texts: Mapping[str, str] = field(default_factory=lambda: TEXTS)
    threshold: float = 0.5
    skip: int = 0
    asked: list[str] = field(default_factory=list)
    told: list[tuple[str, Sequence[str]]] = field(default_factory=list)

    def text_of(self, source: str) -> str:
        return self.texts[source]

    def documents(self) -> Sequence[Entry]:
        return [Entry(source, source) for source in self.texts]

    def passages(self, source: str) -> Sequence[Passage]:
        text = self.texts[source]
        return [Passage(source, -1, (), s.start, s.end, text[s.start : s.end]) for s in sentences(text)]

    def prepare(self, questions: Iterable[tuple[str, Sequence[str]]]) -> None:
        self.told.extend(questions)

    def describe(self) -> Mapping[str, str]:
        return {"generation": "g1", "generator": "bigrams", "threshold": str(self.threshold), "skip": str(self.skip)}

    def search(self, query: str, k: int = 10, filters: Mapping[str, str] | None = None) -> Retrieval:
        wanted = set(bigrams(query))
        if not wanted:
            raise QuestionError("问题是空的。")
        found = []
        for source, text in self.texts.items():
            document = Document(source, source, "", text, Metadata(title=text.split("\n")[0]), ())
            for span in sentences(text):
                passage = Passage(source, -1, (), span.start, span.end, text[span.start : span.end])
                common = len(wanted & set(bigrams(passage.text))) / len(wanted)
                found.append((-common, len(found), document, passage))
        found.sort(key=lambda f: f[:2])
        hits = tuple(
            Hit(row, passage, document, -score, (Trace("bigrams", rank, -score),))
            for rank, (score, row, document, passage) in enumerate(found[:k], 1)
        )
        return Retrieval(query, hits, {"search": 1.0})

    def examine(
        self, question: str, history: Sequence[str] = (), filters: Mapping[str, str] | None = None, depth: int = 10
    ) -> Examined:
        answer = self.ask(question, history)
        return Examined(answer, self.search(answer.interpreted.standalone_question, depth).hits)

    def ask(self, question: str, history: Sequence[str] = ()) -> Answer:
        self.asked.append(question)
        standalone = (history[-1] if history else "") + question
        hits = self.search(standalone, 50).hits
        hit = hits[-1] if self.skip and not len(self.asked) % self.skip else hits[0]
        confidence = round(hits[0].score, 4)
        understood = Interpreted(standalone)
        if confidence < self.threshold:
            return Answer(question, "no_evidence", "", (), (), confidence, "bigrams", "g1", understood,
                          {"total": 1.5}, "没有找到依据。")  # fmt: skip
        cited = citation(hit.document.source, hit.passage.text, Span(hit.passage.start, hit.passage.end))
        return Answer(question, "answered", f"{cited.quote}[1]", (Claim(cited.quote, (1,)),), (cited,), confidence,
                      "bigrams", "g1", understood, {"total": 1.5})  # fmt: skip


def citation(source: str, quote: str, span: Span, number: int = 1, title: str | None = None) -> Citation:
    """A citation with what tests care about."""
    return Citation(number, source, source, title, None, None, None, (), quote, span.start, span.end, None, 1.0)


def cite(asker: BigramAsker, source: str, quote: str, number: int = 1, title: str | None = None) -> Citation:
    """A true citation of a quote in a source."""
    start = asker.texts[source].index(quote)
    return citation(source, quote, Span(start, start + len(quote)), number, title)


QUESTIONS = (
    {"id": "q1", "question": "春节期间值班实行什么？", "gold": [{"source": "docs/a.txt", "quote": "春节期间实行24小时专人值班"}],
     "must_include": ["24小时"], "tags": ["duty"]},
    {"id": "q2", "question": "值班室电话是多少？", "gold": [{"source": "docs/a.txt", "quote": "值班室电话是0931-8826009"}],
     "must_include": ["0931-8826009"], "type": "who", "tags": ["duty", "phone"]},
    {"id": "q3", "question": "消防安全大检查什么时候进行？", "gold": [{"source": "docs/b.txt", "quote": "节前进行"}], "type": "when"},
    {"id": "q4", "question": "社区养老服务中心建设几个？",
     "gold": [{"source": "docs/c.txt", "quote": "建设30个社区养老服务中心"}], "must_include": ["30个"], "type": "count"},
    {"id": "q5", "question": "困难老人家里改造多少户？",
     "gold": [{"source": "docs/c.txt", "quote": "8000户"}], "must_include": ["8000户"], "type": "count"},
    {"id": "q6", "question": "外出要报备吗？", "history": ["领导干部要注意什么？"],
     "gold": [{"source": "docs/a.txt", "quote": "领导干部外出要报备"}], "type": "yesno"},
    {"id": "q7", "question": "值班和防火各怎么说？", "all_gold": True, "type": "compare",
     "gold": [{"source": "docs/a.txt", "quote": "实行24小时专人值班"}, {"source": "docs/b.txt", "quote": "加强烟花爆竹安全监管"}]},
    {"id": "q8", "question": "高铁票多少钱一张？", "answerable": False, "type": "no_answer"},
    {"id": "q9", "question": "值班室电话是哪年开通的？", "answerable": False, "type": "near_miss", "tags": ["phone"]},
)  # fmt: skip
