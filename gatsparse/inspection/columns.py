"""Summaries of the columns of a table, read block by block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from gatsparse.data.graph_files.table import Kind, Table, Wanted
from gatsparse.data.graph_files.texts import as_texts, is_number
from gatsparse.inspection.text_counts import TextCounts

_MOST_DISTINCT = 1000  # values that are counted


@dataclass
class ColumnSummary:
    """Content of a column.

    Args:
        name (str): Its name.
        kind (str): Its content.
        count (int): Number of rows.
        missing (int): Cells without a value.
        values (set): Distinct values, up to a limit.
        low, high (float): Smallest and largest number.
        total, squares (float): Sum of the numbers and of their squares.
        nonzero (int): Numbers that are not 0.
        whole (bool): Whether all numbers are integers.
        width (int): Numbers in each cell; above 1 for vectors.
    """

    name: str
    kind: Kind
    count: int = 0
    missing: int = 0
    values: set[str | float] = field(default_factory=set)
    low: float = np.inf
    high: float = -np.inf
    total: float = 0.0
    squares: float = 0.0
    nonzero: int = 0
    whole: bool = True
    width: int = 1

    @property
    def num_distinct(self) -> int:
        """Number of distinct values; of more than 1,000 the number is not known."""
        return len(self.values)

    @property
    def many(self) -> bool:
        """Whether there are more distinct values than are counted."""
        return len(self.values) > _MOST_DISTINCT

    @property
    def mostly_numbers(self) -> bool:
        """Whether it is text only because of a few cells: most different texts are numbers."""
        numbers = sum(is_number(value) for value in self.values if isinstance(value, str))
        return 2 * numbers > len(self.values)

    @property
    def mean(self) -> float:
        """Mean of the numbers."""
        return self.total / max(self.count - self.missing, 1)

    @property
    def std(self) -> float:
        """Standard deviation of the numbers."""
        variance = self.squares / max(self.count - self.missing, 1) - self.mean * self.mean
        return float(np.sqrt(max(variance, 0.0)))

    def add_numbers(self, values: np.ndarray) -> None:
        """Adds the numbers of some rows; NaN is missing."""
        known = values[~np.isnan(values)]
        self.count += len(values)
        self.missing += len(values) - len(known)
        if len(known) == 0:
            return
        if not self.many:
            self.values.update(np.unique(known)[: _MOST_DISTINCT + 1].tolist())
        self.low, self.high = min(self.low, known.min()), max(self.high, known.max())
        with np.errstate(over="ignore", invalid="ignore"):  # such numbers are errors later
            self.total += float(known.sum())
            self.squares += float((known**2).sum())
        self.nonzero += int(np.count_nonzero(known))
        self.whole &= bool((known == np.round(known)).all())


def summarize_columns(table: Table, names: Sequence[str] | None = None) -> dict[str, ColumnSummary]:
    """Returns summaries of columns.

    Args:
        table (Table): The table.
        names (list of str, optional): The columns; of a vector, all numbers are counted.
            (default: all columns of numbers, times and text)

    Raises:
        GraphFileError: If the file is damaged, or a text is not UTF-8.
    """
    if names is None:
        names = [name for name, kind in table.columns.items() if kind in ("number", "text", "time")]
    summaries = {name: ColumnSummary(name, table.columns[name]) for name in names}
    wanted: dict[str, Wanted] = {
        name: "number" if summary.kind in ("number", "vector") else "text"
        for name, summary in summaries.items()
    }
    texts = {name: TextCounts(_MOST_DISTINCT) for name in wanted if wanted[name] == "text"}
    for rows in table.blocks(wanted) if wanted else ():
        for name, summary in summaries.items():
            if summary.kind == "vector":
                summary.width = rows[name].shape[1]
                summary.add_numbers(rows[name].ravel())
            elif summary.kind == "number":
                summary.add_numbers(rows[name].to_numpy(zero_copy_only=False))
            else:
                texts[name].add(as_texts(table, name, rows[name]))
    for name, counts in texts.items():
        summary = summaries[name]
        summary.count, summary.missing = counts.count, counts.missing
        summary.values = {*counts.values}
    return summaries
