"""What the benchmarks share: one embedder, the plain library beside it, an index, questions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from eval.sets import find_set, load_set
from rag.config import DEFAULT_EMBEDDER, Settings, load_settings
from rag.embedding import SentenceEmbedder
from rag.index import Index
from rag.pipeline import Pipeline, build_index
from rag.weights import restore

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_WARMING = 8


@dataclass(frozen=True, slots=True)
class Parts:
    """questions: asked once each. warming: others, asked before anything is measured."""

    settings: Settings
    embedder: SentenceEmbedder
    plain: "SentenceTransformer"
    questions: Sequence[str]
    warming: Sequence[str]

    def pipeline(self) -> Pipeline:
        """A pipeline that has answered nothing yet."""
        return Pipeline(replace(self.settings, generator="extractive"), Index.open(self.settings.index), self.embedder)

    def of(self, home: Path) -> "Parts":
        """The same over the index of another home."""
        return replace(self, settings=replace(self.settings, home=home))


def prepared(home: Path, docs: Path, name: str, most: int) -> Parts:
    """An index of `docs` in `home`, asked the first `most` questions of an eval set that stand alone."""
    from sentence_transformers import SentenceTransformer

    own = load_settings()
    settings = replace(own, home=home)
    embedder = SentenceEmbedder.load(own)
    build_index(settings, [docs], embedder=embedder)
    asker = Pipeline(settings, Index.open(settings.index), embedder)
    items = load_set(find_set(name), asker.text_of).items
    said = list(dict.fromkeys(i.question for i in items if not i.history and not i.filters))[: most + _WARMING]
    folder = restore(own.models) if own.embedder == DEFAULT_EMBEDDER else own.embedder
    plain = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    return Parts(settings, embedder, plain, said[_WARMING:], said[:_WARMING])
