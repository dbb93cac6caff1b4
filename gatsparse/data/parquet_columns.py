"""Columns of a Parquet file, read in batches; damage anywhere is an error that names the place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

_MAGIC = b"PAR1"
_BUFFER = 2**20  # bytes; without one, pyarrow reads a column of a row group at once


class ParquetColumns:
    """Names and types of the columns of a file, and their rows.

    Args:
        path (Path): The file.
        error (type): Class of the errors of a damaged file.

    Raises:
        error: If the file is truncated or damaged.
        OSError: If it cannot be opened.
    """

    def __init__(self, path: Path, error: type[Exception]) -> None:
        self._path, self._error = path, error
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:  # pyarrow checks only the last bytes
                raise error(f"{path}: truncated or corrupt Parquet: no {_MAGIC!r} at byte 0")
        with self._reading("footer"), self._file() as file:
            self.fields: list[pa.Field] = list(file.schema_arrow)
            self.num_rows: int = file.metadata.num_rows
            self._num_groups: int = file.num_row_groups

    def batches(
        self, names: Sequence[str], size: int, *, by_group: bool = False, threads: bool = True
    ) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Yields the number of the first row of each batch, and the batch.

        Args:
            names (list of str): The columns to read.
            size (int): Most rows of a batch.
            by_group (bool, optional): Whether batches end with their row group, so that memory is
                that of one group.
            threads (bool, optional): Whether pyarrow uses threads.
        """
        row = 0
        with self._file() as file:
            for group in range(self._num_groups) if by_group else (None,):
                batches = file.iter_batches(
                    size,
                    row_groups=None if group is None else [group],
                    columns=list(names),
                    use_threads=threads,
                )
                place = "" if group is None else f", row group {group}"
                while True:
                    with self._reading(f"row {row} or later{place}"):
                        batch = next(batches, None)
                    if batch is None:
                        break
                    yield row, batch
                    row += batch.num_rows
        if row != self.num_rows:
            raise self._error(
                f"{self._path}: corrupt Parquet, expected {self.num_rows} rows, got {row}"
            )

    def _file(self) -> Any:
        from pyarrow.parquet import ParquetFile

        return ParquetFile(
            self._path,
            buffer_size=_BUFFER,
            pre_buffer=False,
            page_checksum_verification=True,
        )

    @contextmanager
    def _reading(self, place: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # a damaged file can raise anything
            raise self._error(
                f"{self._path}: {place}: truncated or corrupt Parquet "
                f"({type(error).__name__}: {error})"
            ) from error
