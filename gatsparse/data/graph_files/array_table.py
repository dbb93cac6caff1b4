"""Tables of NumPy arrays: ``.npy`` and ``.npz`` files."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gatsparse.data.graph_files.table import GraphFileError, Kind, Rows, Wanted, to_numbers

_ROWS = 2**22  # of a block
_EDGES = ("edge_index", "edges")


class ArrayTable:
    """Arrays of an ``.npz`` file, or the columns of the array of an ``.npy`` file.

    An array ``[N]`` is a column, an array ``[N, F]`` a column of vectors. The edges of an ``.npy``
    file, and the arrays ``edge_index`` and ``edges`` of an ``.npz`` file, ``[2, E]`` or ``[E, 2]``,
    are the columns ``source`` and ``target``.

    Args:
        path (Path): The file.
        edges (bool): Whether it is a table of edges.

    Raises:
        GraphFileError: If the file is truncated or damaged, has no such array, or arrays of several
            lengths.
        OSError: If it cannot be opened.
    """

    def __init__(self, path: Path, *, edges: bool) -> None:
        self.path = path
        self._arrays = _of_edges(path) if edges else _of_nodes(path)
        self.columns: dict[str, Kind] = {
            name: _kind(path, name, array) for name, array in self._arrays.items()
        }

    def blocks(self, wanted: Mapping[str, Wanted]) -> Iterator[Rows]:
        """Yields the rows of some columns, see :meth:`Table.blocks`."""
        import pyarrow as pa

        length = len(next(iter(self._arrays.values())))
        for first in range(0, length, _ROWS):
            rows: Rows = {}
            for name, kind in wanted.items():
                part = self._arrays[name][first : first + _ROWS]
                part = np.ascontiguousarray(part, _dtype(part.dtype))
                if self.columns[name] == "vector":
                    rows[name] = part
                    continue
                column = pa.array(part, from_pandas=kind == "number")
                if kind == "number" and self.columns[name] != "number":
                    raise GraphFileError(
                        f"{self.path}: array {name!r}: expected numbers, got {part.dtype}"
                    )
                rows[name] = to_numbers(column) if kind == "number" else column
            yield rows

    def place(self, row: int) -> str:
        """Number of a row, from 0."""
        return f"row {row}"


def _load(path: Path) -> np.ndarray | dict[str, np.ndarray]:
    """The array of an ``.npy`` file, mapped, or the arrays of an ``.npz`` file."""
    try:
        loaded = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise GraphFileError(f"{path}: truncated or damaged NumPy file ({error})") from error
    if isinstance(loaded, np.ndarray):
        return loaded
    with loaded:
        return {name: _array(path, loaded, name) for name in loaded.files}


def _array(path: Path, archive: Any, name: str) -> np.ndarray:
    try:
        return archive[name]
    except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise GraphFileError(
            f"{path}: array {name!r}: truncated, damaged or of Python objects ({error})"
        ) from error


def _of_nodes(path: Path) -> dict[str, np.ndarray]:
    loaded = _load(path)
    if isinstance(loaded, np.ndarray):
        loaded = {path.stem: loaded}
    return _table(path, {name: array for name, array in loaded.items() if name not in _EDGES})


def _of_edges(path: Path) -> dict[str, np.ndarray]:
    loaded = _load(path)
    if isinstance(loaded, np.ndarray):
        return _ends(path, path.stem, loaded)
    for name in _EDGES:
        if name in loaded:
            return _ends(path, name, loaded[name])
    return _table(path, loaded)


def _table(path: Path, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Checks that arrays are columns of one table."""
    for name, array in arrays.items():
        if array.ndim not in (1, 2):
            raise GraphFileError(
                f"{path}: array {name!r}: expected [N] or [N, F], got {list(array.shape)}"
            )
    shapes = {name: list(array.shape) for name, array in arrays.items()}
    if len({len(array) for array in arrays.values()}) != 1:
        raise GraphFileError(
            f"{path}: expected arrays of the same length, or edge_index [2, E], got {shapes}"
        )
    return arrays


def _ends(path: Path, name: str, array: np.ndarray) -> dict[str, np.ndarray]:
    if array.ndim != 2 or 2 not in array.shape:
        raise GraphFileError(
            f"{path}: array {name!r}: expected edges [2, E] or [E, 2], got {list(array.shape)}"
        )
    source, target = array if array.shape[0] == 2 else array.T
    return {"source": source, "target": target}


def _dtype(dtype: np.dtype) -> np.dtype:
    """The dtype in which pyarrow reads an array: in native byte order, and of a usual size."""
    if dtype.kind == "M" and np.datetime_data(dtype)[0] not in ("D", "s", "ms", "us", "ns"):
        return np.dtype("M8[s]")
    if dtype == np.float16:
        return np.dtype(np.float32)
    if dtype.kind == "f" and dtype.itemsize > 8:
        return np.dtype(np.float64)
    return dtype.newbyteorder("=")


def _kind(path: Path, name: str, array: np.ndarray) -> Kind:
    if array.dtype.kind in "biuf":
        return "vector" if array.ndim == 2 else "number"
    if array.dtype.kind == "M":
        return "time"
    if array.dtype.kind in "US" and array.ndim == 1:
        return "text"
    raise GraphFileError(f"{path}: array {name!r}: expected numbers or text, got {array.dtype}")
