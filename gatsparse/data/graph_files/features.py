"""Features of nodes and edges from columns of a table."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from gatsparse.data.graph_files.arrow import compute, index_in
from gatsparse.data.graph_files.name_hints import hints_at_names
from gatsparse.data.graph_files.schema import Column
from gatsparse.data.graph_files.table import (
    GraphFileError,
    Rows,
    Table,
    Wanted,
    listed,
    read_columns,
)
from gatsparse.data.graph_files.texts import is_number, null_texts, read_cells, read_texts

_MOST_CATEGORIES = 1000
_LARGEST = float(np.finfo(np.float32).max)
_ALMOST_NUMBER = re.compile(r"[+-]?[0-9]+([., '_][0-9]{3})*([.,][0-9]+)? ?%?")  # 1,234 or 0,5 or 5%

Missing = Literal["error", "mean", "zero"]


def choose_columns(table: Table, names: Iterable[str], categorical: Iterable[str]) -> list[Column]:
    """Returns the columns of features, without what is learned from their rows.

    Args:
        table (Table): The table.
        names (list of str): Names of its columns.
        categorical (list of str): Those that are categories; columns of text are, too.

    Raises:
        GraphFileError: If a column is neither of numbers nor of text.
    """
    columns, categorical = [], set(categorical)
    for name in names:
        kind = table.columns[name]
        if kind in ("time", "unsupported"):
            raise GraphFileError(
                f"{table.path}: column {name!r}: expected numbers or text for a feature, got "
                f"{'times' if kind == 'time' else 'another type'}: list it under dataset.ignore"
            )
        if kind == "vector":
            columns.append(Column(name, "vector"))
        else:
            category = kind == "text" or name in categorical
            columns.append(Column(name, "category" if category else "number"))
    return columns


def wanted_types(columns: Sequence[Column]) -> dict[str, Wanted]:
    """Returns the types in which columns of features are read."""
    return {column.name: "text" if column.kind == "category" else "number" for column in columns}


def learn_columns(
    table: Table,
    rows: Rows,
    columns: Sequence[Column],
    *,
    standardize: bool,
    categorical: Collection[str] = (),
) -> list[Column]:
    """Returns the columns with their categories, means and standard deviations.

    Args:
        table (Table): The table, for messages.
        rows (dict): Its columns.
        columns (list of Column): Columns of :func:`choose_columns`.
        standardize (bool): Whether numbers are standardized.
        categorical (list of str, optional): Columns that the user calls categories.

    Raises:
        GraphFileError: If a column of text has too many different values, or has numbers, too, and
            is not one of :obj:`categorical`.
    """
    return [
        _learn_categories(table, rows[column.name], column, mixed=column.name in categorical)
        if column.kind == "category"
        else replace(column, size=rows[column.name].shape[1])
        if column.kind == "vector"
        else _learn_number(rows[column.name], column, standardize=standardize)
        for column in columns
    ]


def _learn_categories(table: Table, texts: Any, column: Column, *, mixed: bool) -> Column:
    texts = read_texts(table, column.name, texts)
    categories = [text for text in compute().unique(texts).to_pylist() if text is not None]
    words = [text for text in categories if not is_number(text)]
    if not mixed and words == categories != [] and all(map(_ALMOST_NUMBER.fullmatch, words)):
        raise _cell_error(
            table,
            column,
            int(compute().index(texts, categories[0]).as_py()),
            f"a number such as 1234.5, got {categories[0][:40]!r}",
            "write numbers with a decimal point and without other signs, or list the column under "
            "dataset.categorical",
        )
    if not mixed and 0 < len(words) < len(categories):
        word = next(text for text in words if text not in null_texts())
        raise _cell_error(
            table,
            column,
            int(compute().index(texts, word).as_py()),
            f"a number as in other cells, got {word[:40]!r}",
            "correct it, or list the column under dataset.categorical",
        )
    if len(categories) > _MOST_CATEGORIES:
        raise GraphFileError(
            f"{table.path}: column {column.name!r}: expected at most {_MOST_CATEGORIES} "
            f"categories, got {len(categories)} different texts, such as {categories[0][:40]!r}: "
            "list it under dataset.ignore, or turn it into numbers"
        )
    return replace(column, categories=sorted(categories), size=len(categories))


def hints_at_categories(table: Table, rows: Rows, columns: Sequence[Column]) -> Iterator[str]:
    """Yields notes on categories that may be meant otherwise.

    Args:
        table, rows, columns: As in :func:`learn_columns`.
    """
    for column in columns:
        if column.kind == "category":
            cells = read_cells(table, column.name, rows[column.name])
            yield from hints_at_names(column.name, compute().unique(cells).to_pylist())


def _learn_number(numbers: Any, column: Column, *, standardize: bool) -> Column:
    values = numbers.to_numpy(zero_copy_only=False)
    known = values[np.isfinite(values)]
    known = known[np.abs(known) <= _LARGEST]  # larger numbers are errors later
    mean = float(known.mean()) if len(known) > 0 else 0.0
    differ = len(known) > 0 and known.min() < known.max()
    std = float(known.std()) if differ else 1.0
    if not standardize:
        return replace(column, fill=mean)
    return replace(column, fill=mean, mean=mean, std=std or 1.0)


def encode(
    table: Table, rows: Rows, columns: Sequence[Column], missing: Missing, first_row: int = 0
) -> Tensor:
    """Returns the features of some rows.

    Args:
        table (Table): The table, for messages.
        rows (dict): Its columns.
        columns (list of Column): The columns, see :func:`learn_columns`.
        missing (str): What becomes of unknown categories and missing numbers.
        first_row (int, optional): Number of the first of the rows, for messages.

    Returns:
        Tensor: float32 ``[rows, features]``.

    Raises:
        GraphFileError: If a number is missing or not finite, or a category is missing or unknown,
            and :obj:`missing` is ``"error"``; the message names the cell.
    """
    count = len(rows[columns[0].name]) if columns else 0
    out = np.zeros((count, sum(column.size for column in columns)), np.float32)
    start = 0
    for column in columns:
        part = out[:, start : start + column.size]
        if column.kind == "category":
            _encode_categories(table, rows[column.name], column, part, missing, first_row)
        elif column.kind == "vector":
            _encode_vectors(table, rows[column.name], column, part, first_row)
        else:
            _encode_numbers(table, rows[column.name], column, part[:, 0], missing, first_row)
        start += column.size
    return torch.from_numpy(out)


def _encode_numbers(
    table: Table, numbers: Any, column: Column, out: np.ndarray, missing: Missing, first_row: int
) -> None:
    values = numbers.to_numpy(zero_copy_only=False)
    empty = np.isnan(values)
    fill = {"error": None, "mean": column.fill, "zero": 0.0}[missing]
    if fill is not None:
        values = np.where(empty, fill, values)
    elif empty.any():
        known = "mean or zero" if column.fill is not None else "zero"
        raise _cell_error(
            table,
            column,
            (row := first_row + int(empty.argmax())),
            f"a number, got {_missing_cell(table, column, row)}",
            f"fill it, or set dataset.missing to {known}",
        )
    with np.errstate(over="ignore"):
        out[:] = (values - column.mean) / column.std
    _check_finite(table, column, out[:, None], first_row)


def _encode_vectors(
    table: Table, values: np.ndarray, column: Column, out: np.ndarray, first_row: int
) -> None:
    if values.shape[1] != column.size:
        raise GraphFileError(
            f"{table.path}: column {column.name!r}: expected {column.size} numbers in each row, "
            f"got {values.shape[1]}"
        )
    with np.errstate(over="ignore"):
        out[:] = values
    _check_finite(table, column, out, first_row)


def _check_finite(table: Table, column: Column, values: np.ndarray, first_row: int) -> None:
    wrong = ~np.isfinite(values).all(axis=1)
    if wrong.any():
        row = int(wrong.argmax())
        raise _cell_error(
            table,
            column,
            first_row + row,
            "numbers that are finite in float32",
            "correct it, or leave the column out",
        )


def _encode_categories(
    table: Table, texts: Any, column: Column, out: np.ndarray, missing: Missing, first_row: int
) -> None:
    import pyarrow as pa

    categories = pa.array(column.categories, pa.large_string())
    texts = read_texts(table, column.name, texts, column.categories)
    codes = index_in(texts, categories)
    unknown = codes < 0
    if unknown.any():
        _require_same_booleans(table, texts, column, first_row)
    if missing == "error" and unknown.any():
        row = int(unknown.argmax())
        text = texts[row].as_py()
        got = repr(text) if text else _missing_cell(table, column, first_row + row)
        raise _cell_error(
            table,
            column,
            first_row + row,
            f"one of {listed(column.categories, 5)}, got {got}",
            "set dataset.missing to zero to give it no category",
        )
    nodes = np.flatnonzero(~unknown)
    out[nodes, codes[nodes]] = 1.0


def _require_same_booleans(table: Table, texts: Any, column: Column, first_row: int) -> None:
    """Raises if booleans are 0 and 1 in one graph, and false and true in the other."""
    booleans, numbers = {"false", "true"}, {"0", "1"}
    found, known = set(compute().unique(texts).to_pylist()), set(column.categories)
    for expected, other in ((booleans, numbers), (numbers, booleans)):
        if known & expected and found & other and not known & other:
            value = min(found & other)
            raise _cell_error(
                table,
                column,
                first_row + int(compute().index(texts, value).as_py()),
                f"{listed(sorted(known & expected))} as in the training, got {value!r}",
                "write booleans as in the training",
            )


def _missing_cell(table: Table, column: Column, row: int) -> str:
    """The content of a cell without a value, for messages."""
    cell = read_columns(table, {column.name: "text"})[column.name][row].as_py()
    return "an empty cell" if cell in (None, "") else f"{str(cell)!r}, which counts as missing"


def _cell_error(table: Table, column: Column, row: int, expected: str, cure: str) -> GraphFileError:
    return GraphFileError(
        f"{table.path}: {table.place(row)}: column {column.name!r}: expected {expected}: {cure}"
    )
