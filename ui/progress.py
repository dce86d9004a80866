"""A progress bar on standard error that tells files, passages, rate and time left."""

from typing import Self

from tqdm import tqdm


class Bar:
    """Shows what `build_index` reports; silent when standard error is not a terminal."""

    def __init__(self, title: str) -> None:
        self._bar = tqdm(desc=title, unit="段", disable=None, leave=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def update(self, progress) -> None:  # noqa: ANN001 - rag.index.Progress, imported late
        """Takes one `rag.index.Progress`."""
        self._bar.total = progress.passages_total or None
        self._bar.set_postfix_str(f"文件 {progress.files}/{progress.files_total}", refresh=False)
        self._bar.update(progress.passages - self._bar.n)
