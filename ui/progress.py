"""A progress bar on standard error: files done, passages embedded, rate and time left."""

from typing import TYPE_CHECKING, Self

from tqdm import tqdm

if TYPE_CHECKING:
    from rag.index import Progress

_STAGES = {"scan": "查看文件", "build": "计算向量", "publish": "写入索引"}


class Bar:
    """Shows what `build_index` reports; silent when standard error is not a terminal."""

    def __init__(self) -> None:
        self._bar: tqdm = tqdm(unit="份", disable=None, leave=False)
        self._stage = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def update(self, progress: "Progress") -> None:
        """Takes one step of the work."""
        if progress.stage != self._stage:
            self._stage = progress.stage
            self._bar.reset(progress.total)
            self._bar.set_description(_STAGES[progress.stage])
        self._bar.set_postfix_str(f"段落 {progress.embedded}" if progress.embedded else "", refresh=False)
        self._bar.update(progress.done - self._bar.n)
