"""Functions of pyarrow that several readers use."""

from __future__ import annotations

from typing import Any


def compute() -> Any:
    """Returns :mod:`pyarrow.compute`, whose functions type checkers do not know."""
    import pyarrow.compute

    return pyarrow.compute


def empty_cells(array: Any) -> Any:
    """Returns which values are null or an empty text."""
    import pyarrow as pa

    pc = compute()
    empty = pc.is_null(array)
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        empty = pc.or_(empty, pc.equal(pc.fill_null(array, ""), ""))
    return empty


def index_in(array: Any, values: Any) -> Any:
    """Returns the position of each element of an array in :obj:`values`, int32, or -1."""
    return compute().index_in(array, value_set=values).fill_null(-1).to_numpy(zero_copy_only=False)
