"""Labels, categories and names of splits as text, written in the same way in every format."""

from __future__ import annotations

from typing import Any

import numpy as np

from gatsparse.data.graph_files.arrow import compute
from gatsparse.data.graph_files.table import GraphFileError, Table


def read_texts(table: Table, name: str, column: Any) -> Any:
    """Returns a column as large strings; missing cells and empty texts are null.

    In columns of numbers, ``NaN`` and ``NA`` are missing, too, and ``1.0`` is ``"1"``: programs
    write integers so if a cell of their column is missing. Booleans are ``"true"`` and ``"false"``.

    Args:
        table (Table): The table.
        name (str): Name of the column.
        column (pyarrow.Array or numpy.ndarray): Its rows, or some of them.

    Raises:
        GraphFileError: If a row has several values, or a text is not UTF-8.
    """
    import pyarrow as pa
    from pyarrow.csv import ConvertOptions

    pc = compute()
    if isinstance(column, np.ndarray):
        if column.shape[1] != 1:
            raise GraphFileError(
                f"{table.path}: column {name!r}: expected one value in each row, got "
                f"{column.shape[1]}"
            )
        column = pa.array(np.ascontiguousarray(column[:, 0]))
    if str(column.type) == "extension<arrow.uuid>":
        texts = [None if value is None else str(value) for value in column.to_pylist()]
        return pa.array(texts, pa.large_string())
    if pa.types.is_floating(column.type):
        column = _without_fraction(column)
    try:
        texts = column.cast(pa.large_string())
    except pa.ArrowInvalid as error:
        raise GraphFileError(
            f"{table.path}: column {name!r}: expected UTF-8 ({error}): convert or remove the column"
        ) from error
    missing = pc.equal(texts, "")
    if table.columns[name] in ("number", "vector"):
        missing = pc.is_in(texts, value_set=pa.array(ConvertOptions().null_values, texts.type))
        lower = pc.utf8_lower(texts)
        is_boolean = pc.is_in(lower, value_set=pa.array(["true", "false"], texts.type))
        texts = pc.if_else(is_boolean, lower, texts)
        texts = pc.replace_substring_regex(texts, r"^\s*([+-]?[0-9]+)(?:\.0*)?\s*$", r"\1")
    return pc.if_else(missing, None, texts)


def _without_fraction(numbers: Any) -> Any:
    """Numbers as int64 if all are whole, because text of large ones would have an exponent."""
    import pyarrow as pa

    values = numbers.cast(pa.float32()) if pa.types.is_float16(numbers.type) else numbers
    values = compute().if_else(compute().is_nan(values), None, values)
    try:
        return values.cast(pa.int64())
    except pa.ArrowInvalid:
        return values
