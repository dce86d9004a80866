"""Thirty notices that three groups share among themselves, and two pipelines to compare: one that hides, one that never knew."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import combinations
from pathlib import Path

from rag.config import Settings
from rag.index import Index, refresh
from rag.loading import load
from rag.loading.validity import with_validity
from rag.passages import cut
from rag.pipeline import Pipeline
from rag.protocols import Embedder, Encoded
from rag.schema import Document

GROUPS = ("人事", "财务", "监察")
_SHARES: tuple[tuple[str, ...], ...] = ((), *((g,) for g in GROUPS), *combinations(GROUPS, 2))
_TOPICS = ("值班", "消防", "采购", "档案", "培训", "巡查", "防汛", "车辆", "食堂", "保密", "会务", "体检", "绿化", "信访", "网络")
_OFFICES = ("青石县应急管理局", "白杨县财政局", "云岭市人事局", "松江市机关事务局", "石桥县教育局")
_SECRETS = ("鹭岛", "麒麟", "紫薇", "苍穹", "玄武", "琥珀", "翡翠", "珊瑚", "凤凰", "瀑布", "榕树", "蓝鲸", "雪莲", "银杏", "牡丹",
            "骏马", "孔雀", "桂花", "芙蓉", "翠竹", "海棠", "杜鹃", "白鹤", "黄鹂", "画眉", "喜鹊", "云雀", "百灵", "海豚", "羚羊")


def groups_of(number: int) -> tuple[str, ...]:
    """Who may see notice `number`: nobody in particular, one group, or two."""
    return _SHARES[number % len(_SHARES)]


def visible(groups: Sequence[str]) -> list[int]:
    """Numbers of the notices that a member of `groups` may see."""
    return [n for n in range(30) if not groups_of(n) or set(groups_of(n)) & set(groups)]


def secret(number: int) -> str:
    """A word that no other notice has."""
    return f"{_SECRETS[number]}行动"


def questions(number: int) -> list[str]:
    """Questions that notice `number`, if it may be seen, answers, changes the ranking of, or is counted by."""
    topic, office, word = _TOPICS[number % 15], _OFFICES[number % 5], secret(number)
    third = f"{office}{2015 + number % 9}年{topic}电话是多少？" if number % 3 == 0 else f"{topic}工作有哪些要求？"
    return [f"{word}的{topic}要求是什么？", f"哪些文件提到了“{word}”？", third]


def notice(number: int) -> str:
    """The text of one notice."""
    topic, office, year, word = _TOPICS[number % 15], _OFFICES[number % 5], 2015 + number % 9, secret(number)
    return (
        f"关于做好{year}年{topic}工作的通知\n{office[0]}办发〔{year}〕{number + 3}号\n各乡镇、各部门：\n"
        f"    为做好{topic}工作，现将有关要求通知如下。\n"
        f"    一、明确{topic}责任\n    各单位要落实{topic}责任制，{word}期间每天检查{number + 2}次，发现问题立即整改。\n"
        f"    二、加强{word}保障\n    {word}由{office}牵头，{topic}电话：0{number + 510}-88{number:02d}{number:02d}12。\n"
        f"    三、严肃{topic}纪律\n    对{topic}工作不力的，予以通报批评。\n{_repeal(number)}"
        f"{office}\n{year}年{number % 12 + 1}月{number % 27 + 1}日\n"
    )


def _repeal(number: int) -> str:
    """The later notices repeal the earlier ones of their matter."""
    old = number - 15
    if old < 0:
        return ""
    return f"    本通知自印发之日起施行，《关于做好{2015 + old % 9}年{_TOPICS[old]}工作的通知》（{_OFFICES[old % 5][0]}办发〔{2015 + old % 9}〕{old + 3}号）同时废止。\n"


class Remembering:
    """An embedder that computes each text once: equal texts have equal vectors whatever batch they come in."""

    def __init__(self, embedder: Embedder) -> None:
        self.name, self.digest, self.dimension = embedder.name, embedder.digest, embedder.dimension
        self._embedder, self._known = embedder, {}
        self.embed_query = lru_cache(maxsize=None)(embedder.embed_query)

    def embed_passages(self, texts: Sequence[str], contexts: Sequence[str]) -> Iterator[Encoded]:
        """See `Embedder`."""
        pairs = list(zip(texts, contexts, strict=True))
        new = list(dict.fromkeys(p for p in pairs if p not in self._known))
        made = self._embedder.embed_passages([t for t, _ in new], [c for _, c in new])
        self._known |= dict(zip(new, made, strict=True))
        return iter([self._known[p] for p in pairs])


def pipeline_of(folder: Path, numbers: Sequence[int], embedder: Embedder) -> Pipeline:
    """A pipeline over these notices and no others, each with its groups."""
    files = folder / "files"
    files.mkdir(parents=True)
    for n in numbers:
        (files / f"{n:02d}.txt").write_text(notice(n), encoding="utf-8")

    def shared(path: Path, source: str) -> list[Document]:
        mine = groups_of(int(path.stem))
        read = [with_validity(document) for document in load(path, path.name)]
        return [replace(document, meta=replace(document.meta, groups=mine)) for document in read]

    settings = Settings(home=folder / "home", today="2023-01-10")
    refresh(settings.index, [files], shared, cut, embedder)
    return Pipeline(settings, Index.open(settings.index), embedder)


def answer_of(ask: Callable[[str], object], question: str) -> object:
    """What a question gets, or the error it is refused with."""
    try:
        return ask(question)
    except Exception as error:
        return repr(error)
