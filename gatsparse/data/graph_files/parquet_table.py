"""Tables in Parquet files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gatsparse.data.graph_files.table import GraphFileError, Kind, Rows, Wanted, to_numbers
from gatsparse.data.parquet_columns import ParquetColumns

_ROWS = 2**22  # of a block
_THREADED = 2**17  # rows from which pyarrow uses threads


class ParquetTable:
    """Columns of a Parquet file. Columns of lists of numbers of the same size are vectors.

    Args:
        path (Path): The file.

    Raises:
        GraphFileError: If the file is truncated or damaged.
        OSError: If it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = ParquetColumns(path, GraphFileError)
        names = [field.name for field in self._file.fields]
        if twice := [name for name in names if names.count(name) > 1]:
            raise GraphFileError(
                f"{path}: expected different names of columns, got {twice[0]!r} twice"
            )
        self.columns: dict[str, Kind] = {
            field.name: _kind(field.type) for field in self._file.fields
        }

    def blocks(self, wanted: Mapping[str, Wanted]) -> Iterator[Rows]:
        """Yields the rows of some columns, see :meth:`Table.blocks`."""
        threads = self._file.num_rows > _THREADED
        for row, batch in self._file.batches(list(wanted), _ROWS, threads=threads):
            yield {name: self._column(batch, name, kind, row) for name, kind in wanted.items()}

    def place(self, row: int) -> str:
        """Number of a row, from 0."""
        return f"row {row}"

    def _column(self, batch: Any, name: str, wanted: Wanted, row: int) -> Any:
        import pyarrow as pa

        column = batch.column(name)
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        kind = self.columns[name]
        if kind == "vector":
            return self._vectors(column, name, row)
        if kind == "unsupported" or (wanted == "number" and kind != "number"):
            raise GraphFileError(
                f"{self.path}: column {name!r}: expected {_EXPECTED[wanted]}, got {column.type}"
            )
        return to_numbers(column) if wanted == "number" else column

    def _vectors(self, column: Any, name: str, row: int) -> np.ndarray:
        if column.null_count > 0:
            row += int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))
            raise GraphFileError(f"{self.path}: row {row}: column {name!r}: expected a list")
        values = to_numbers(column.flatten())
        sizes = np.asarray(column.value_lengths())
        differ = np.flatnonzero(sizes != sizes[0]) if len(sizes) > 0 else []
        if len(differ) > 0:
            raise GraphFileError(
                f"{self.path}: row {row + differ[0]}: column {name!r}: expected {sizes[0]} numbers "
                f"as in row {row}, got {sizes[differ[0]]}"
            )
        return values.to_numpy(zero_copy_only=False).reshape(len(sizes), -1)


_EXPECTED = {"text": "text or integers", "number": "numbers"}


def _kind(dtype: Any) -> Kind:
    from pyarrow import types

    if types.is_dictionary(dtype):
        dtype = dtype.value_type
    if types.is_list(dtype) or types.is_large_list(dtype) or types.is_fixed_size_list(dtype):
        return "vector" if _kind(dtype.value_type) == "number" else "unsupported"
    if types.is_integer(dtype) or types.is_floating(dtype) or types.is_boolean(dtype):
        return "number"
    if types.is_decimal(dtype) or types.is_null(dtype):
        return "number"
    if types.is_temporal(dtype):
        return "time"
    text = types.is_string(dtype) or types.is_large_string(dtype) or types.is_binary(dtype)
    return "text" if text or str(dtype) == "extension<arrow.uuid>" else "unsupported"
