"""Tables in files: named columns, read in blocks of rows, and the place of each cell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

#: Content of a column: numbers or booleans, dates and times, text, a vector in each row, or none of
#: these.
Kind = Literal["number", "time", "text", "vector", "unsupported"]

#: Type in which a column is read: text and ids as they are, or float64 with
#: null for missing cells.
Wanted = Literal["text", "number"]

#: Some rows: an Arrow array for each column; a vector column is a NumPy array ``[rows, size]``.
Rows = dict[str, Any]


class GraphFileError(ValueError):
    r"""A file of a graph that is damaged, contradictory, or does not fit the other files.

    Example:
        >>> from pathlib import Path
        >>> from gatsparse.data import GraphFileError, GraphFiles, load_files
        >>> Path("broken").mkdir()
        >>> _ = Path("broken/nodes.csv").write_text("id,age,label\na,1,x\nb,?,y\n")
        >>> _ = Path("broken/edges.csv").write_text("source,target\na,b\n")
        >>> try:
        ...     load_files(GraphFiles("broken"))
        ... except GraphFileError as error:  # doctest: +NORMALIZE_WHITESPACE
        ...     print(error)
        broken/nodes.csv: line 3: column 'age': expected a number as in other cells, got '?':
        correct it, or list the column under dataset.categorical
    """


class Table(Protocol):
    """Named columns in a file."""

    path: Path

    @property
    def columns(self) -> Mapping[str, Kind]:
        """The columns in their order, and their content."""
        ...

    def blocks(self, wanted: Mapping[str, Wanted]) -> Iterator[Rows]:
        """Yields the rows of some columns, block by block.

        Args:
            wanted (dict): The columns to read, and the type of each. Vector columns are always
                read as numbers.

        Raises:
            GraphFileError: If a cell has another type, or the file is truncated or damaged.
        """
        ...

    def place(self, row: int) -> str:
        """Where a row is in the file, such as ``"line 7"``; rows are counted from 0."""
        ...


def read_columns(table: Table, wanted: Mapping[str, Wanted]) -> Rows:
    """Returns all rows of some columns of a table.

    Raises:
        GraphFileError: As in :meth:`Table.blocks`.
    """
    import pyarrow as pa

    parts = list(table.blocks(wanted))
    if not parts:
        types = {"text": pa.large_string(), "number": pa.float64()}
        return {name: pa.nulls(0, types[kind]) for name, kind in wanted.items()}
    return {
        name: np.concatenate([part[name] for part in parts])
        if table.columns[name] == "vector"
        else _joined([part[name] for part in parts], pa)
        for name in wanted
    }


def _joined(parts: list[Any], pa: Any) -> Any:
    if any(pa.types.is_string(part.type) for part in parts):  # 32-bit offsets may overflow
        parts = [part.cast(pa.large_string()) for part in parts]
    return pa.concat_arrays(parts)


def prefetched(blocks: Iterator[Rows]) -> Iterator[Rows]:
    """Yields blocks; the next one is read in another thread at the same time."""
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(next, blocks, None)
        while (rows := following.result()) is not None:
            following = pool.submit(next, blocks, None)
            yield rows


def require_column(table: Table, name: str, key: str) -> None:
    """Raises :class:`GraphFileError` unless a table has a column.

    Args:
        table (Table): The table.
        name (str): Name of the column.
        key (str): Key of the configuration that names it, for the message.
    """
    if name not in table.columns:
        from difflib import get_close_matches

        close = get_close_matches(name, table.columns, n=1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        raise GraphFileError(
            f"dataset.{key}: expected a column of {table.path}, got {name!r}{hint}; "
            f"its columns are {listed(list(table.columns))}"
        )


def listed(names: list[str], most: int = 12) -> str:
    """Names, quoted; of many names only the first."""
    shown = ", ".join(map(repr, names[:most]))
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def to_numbers(array: pa.Array) -> pa.Array:
    """Converts integers, booleans and floating-point numbers to float64."""
    import pyarrow as pa

    if pa.types.is_boolean(array.type):
        array = array.cast(pa.int8())
    return array.cast(pa.float64(), safe=False)
