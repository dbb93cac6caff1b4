"""Edges in a Parquet file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gatsparse.data.edge_files.columns import find_columns, recognize_columns
from gatsparse.data.edge_files.reader import Block, EdgeListError, shortened
from gatsparse.data.parquet_columns import ParquetColumns

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    import numpy as np

    from gatsparse.data.edge_files.columns import Columns


class Parquet:
    """Two columns of integers, read row group by row group."""

    base = None
    num_nodes = None

    def __init__(self, path: Path, columns: Columns | None, block_size: int) -> None:
        from pyarrow import types

        self.path = path
        self._block_size = block_size
        self._file = ParquetColumns(path, EdgeListError)
        fields = self._file.fields
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
        batches = self._file.batches(self._columns, self._block_size, by_group=True)
        for row, batch in batches:
            src, dst = (self._values(batch, name, row) for name in self._columns)
            read = row + batch.num_rows
            yield Block((src, dst), read / max(read, self._file.num_rows))

    def where(self, edge: int, end: int = 0) -> str:  # noqa: ARG002 - both in one row
        """Row of an edge."""
        return f"row {edge}"

    def _values(self, batch: Any, name: str, row: int) -> np.ndarray:
        column = batch.column(name)
        if column.null_count > 0:
            row += int(column.is_null().to_numpy(zero_copy_only=False).argmax())
            raise EdgeListError(
                f"{self.path}: row {row}: column {name!r}: expected an integer, got null"
            )
        return column.to_numpy()
