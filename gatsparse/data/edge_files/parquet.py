"""Edges in a Parquet file."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from gatsparse.data.edge_files.columns import find_columns, recognize_columns
from gatsparse.data.edge_files.reader import Block, EdgeListError, shortened

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    import numpy as np

    from gatsparse.data.edge_files.columns import Columns

_MAGIC = b"PAR1"
_BUFFER = 2**20  # bytes; without one, pyarrow reads a column of a row group at once


class Parquet:
    """Two columns of integers, read row group by row group."""

    base = None
    num_nodes = None

    def __init__(self, path: Path, columns: Columns | None, block_size: int) -> None:
        from pyarrow import types

        self.path = path
        self._block_size = block_size
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:  # pyarrow checks only the last bytes
                raise EdgeListError(
                    f"{path}: truncated or corrupt Parquet: no {_MAGIC!r} at byte 0"
                )
        with self._reading("footer"), self._file() as file:
            fields = list(file.schema_arrow)
            self._num_rows = file.metadata.num_rows
            self._num_groups = file.num_row_groups
        names = [field.name for field in fields]
        integers = [i for i, field in enumerate(fields) if types.is_integer(field.type)]
        if columns is None and len(integers) < 2:
            got = ", ".join(f"{field.name!r} ({field.type})" for field in fields)
            raise EdgeListError(
                f"{path}: expected two columns of integers, got {shortened(got) or 'none'}"
            )
        try:
            if columns is None:
                found = recognize_columns(names, integers)
            else:
                found = find_columns(columns, names)
            chosen = names[found[0]], names[found[1]]
            find_columns(chosen, names)  # each name must be unique
        except ValueError as error:
            raise EdgeListError(f"{path}: {error}") from error
        for index in found:
            if index not in integers:
                raise EdgeListError(
                    f"{path}: column {names[index]!r}: expected integers, got {fields[index].type}"
                )
        self._columns = chosen

    def blocks(self) -> Generator[Block]:
        """Yields all edges of the file, in its order."""
        row = 0
        with self._file() as file:
            for group in range(self._num_groups):
                batches = file.iter_batches(
                    self._block_size, row_groups=[group], columns=list(self._columns)
                )
                while True:
                    with self._reading(f"row {row} or later, row group {group}"):
                        batch = next(batches, None)
                    if batch is None:
                        break
                    src, dst = (self._values(batch, name, row) for name in self._columns)
                    row += batch.num_rows
                    yield Block((src, dst), row / max(row, self._num_rows))
        if row != self._num_rows:
            raise EdgeListError(
                f"{self.path}: corrupt Parquet, expected {self._num_rows} rows, got {row}"
            )

    def where(self, edge: int, end: int = 0) -> str:  # noqa: ARG002 - both in one row
        """Row of an edge."""
        return f"row {edge}"

    def _file(self) -> Any:
        from pyarrow.parquet import ParquetFile

        return ParquetFile(
            self.path,
            buffer_size=_BUFFER,
            pre_buffer=False,
            page_checksum_verification=True,
        )

    def _values(self, batch: Any, name: str, row: int) -> np.ndarray:
        column = batch.column(name)
        if column.null_count > 0:
            row += int(column.is_null().to_numpy(zero_copy_only=False).argmax())
            raise EdgeListError(
                f"{self.path}: row {row}: column {name!r}: expected an integer, got null"
            )
        return column.to_numpy()

    @contextmanager
    def _reading(self, place: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # a damaged file can raise anything
            raise EdgeListError(
                f"{self.path}: {place}: truncated or corrupt Parquet "
                f"({type(error).__name__}: {error})"
            ) from error
