"""Missing cells and distinct texts of a column, counted block by block."""

from __future__ import annotations

from collections import Counter
from typing import Any

from gatsparse.data.graph_files.arrow import compute
from gatsparse.data.graph_files.texts import all_values, canonical, null_texts


class TextCounts:
    """The counts; which cells are missing is known after the last block.

    As for :func:`~gatsparse.data.graph_files.texts.read_texts`, ``NA`` is missing and ``1.0`` is
    ``1`` if the column has no words.

    Args:
        most (int): Distinct texts up to which all of them are kept.
    """

    def __init__(self, most: int) -> None:
        self.count = 0
        self._most = most
        self._empty = 0
        self._marked: Counter[str] = Counter()
        self._only_values = True
        self._texts: set[str] = set()
        self._values: set[str] = set()

    def add(self, texts: Any) -> None:
        """Adds a block of :func:`~gatsparse.data.graph_files.texts.as_texts`."""
        import pyarrow as pa

        pc = compute()
        filled = texts.filter(pc.not_equal(texts, "")).drop_null()
        self.count += len(texts)
        self._empty += len(texts) - len(filled)
        marked = pc.is_in(filled, value_set=pa.array(null_texts(), filled.type))
        self._marked.update(filled.filter(marked).to_pylist())
        others = pc.unique(filled.filter(pc.invert(marked)))
        self._only_values = self._only_values and all_values(others)
        if len(self._texts) <= self._most:
            self._texts.update(others[: self._most + 1].to_pylist())
        if self._only_values and len(self._values) <= self._most:
            self._values.update(map(canonical, others.to_pylist()))

    @property
    def missing(self) -> int:
        """Number of cells without a value."""
        return self._empty + (self._marked.total() if self._only_values else 0)

    @property
    def values(self) -> set[str]:
        """Distinct texts, or some of them if there are more than :obj:`most`."""
        return self._values if self._only_values else self._texts | self._marked.keys()
