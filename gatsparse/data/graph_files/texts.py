"""Labels, categories and names of splits as text, written in the same way in every format."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache
from typing import Any

import numpy as np

from gatsparse.data.graph_files.arrow import compute
from gatsparse.data.graph_files.table import GraphFileError, Table, read_columns

_NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_SPACES = " \t\n\f\r"  # as in numbers of pyarrow; others, such as no-break spaces, are text
_VALUE = rf"^[{_SPACES}]*(?:{_NUMBER}|(?i:true|false))[{_SPACES}]*$"
_INTEGER = re.compile(r"([+-]?)(0|[1-9][0-9]*)(?:\.0*)?")
_PADDED = re.compile(r"[+-]?0[0-9]")


def read_texts(table: Table, name: str, column: Any, known: Collection[str] = ()) -> Any:
    """Returns a column as large strings; missing cells are null, see :func:`read_cells`.

    Numbers and booleans of a column without other values are :func:`canonical`. Those that are
    equal to one of the :obj:`known` texts are written like it; next to known words, such as the
    versions 3.1 and beta, only whole numbers and booleans are.

    Args:
        table (Table): The table.
        name (str): Name of the column.
        column (pyarrow.Array or numpy.ndarray): All of its rows, or with :obj:`known` some of them:
            which texts are missing, and how numbers are written, depends on the other rows.
        known (list of str, optional): Categories or classes of the training.

    Raises:
        GraphFileError: If a row has several values, or a text is not UTF-8.
    """
    return read_spelled(table, name, column, known)[0]


def read_spelled(
    table: Table, name: str, column: Any, known: Collection[str] = ()
) -> tuple[Any, Any]:
    """Returns the texts of :func:`read_texts`, and the different cells as they are written."""
    encoded = read_cells(table, name, column, known).dictionary_encode()
    return spell(encoded.dictionary, known).take(encoded.indices), encoded.dictionary


def spell(texts: Any, known: Collection[str] = ()) -> Any:
    """Returns the different texts of a column as :func:`read_texts` writes them."""
    import pyarrow as pa

    pc = compute()
    values = pc.match_substring_regex(texts, _VALUE)
    if not pc.any(values).as_py():
        return texts
    only_values = pc.all(values).as_py()
    same = canonical if all(map(_is_value, known)) else _canonical_name
    names, equal = set(known), {}
    for name in known:
        number = same(name)
        equal[number] = number if number in equal else name  # both 1.0 and 1.00 are known

    def written(text: str) -> str:
        if text in names:
            return text
        number = same(text)
        return equal.get(number, number if only_values else text)

    both = zip(texts.to_pylist(), values.to_pylist(), strict=True)
    return pa.array([written(text) if is_value else text for text, is_value in both], texts.type)


def read_cells(table: Table, name: str, column: Any, known: Collection[str] = ()) -> Any:
    """Returns a column as large strings as they are written; missing cells are null.

    Empty texts are missing and, if all other cells are numbers or booleans, ``NA``, ``NaN`` and the
    like.

    Args:
        table, name, column, known: As in :func:`read_texts`.

    Raises:
        GraphFileError: As in :func:`read_texts`.
    """
    texts = as_texts(table, name, column)
    return compute().if_else(_missing(texts, known), None, texts)


def as_texts(table: Table, name: str, column: Any) -> Any:
    """Returns a column as large strings as they are written; missing cells may be null or a text.

    Args:
        table, name, column: As in :func:`read_texts`, also for some of the rows only.

    Raises:
        GraphFileError: As in :func:`read_texts`.
    """
    import pyarrow as pa

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
    try:
        texts = _float_texts(column) if pa.types.is_floating(column.type) else column
        return texts.cast(pa.large_string())
    except pa.ArrowInvalid as error:
        raise GraphFileError(
            f"{table.path}: column {name!r}: expected UTF-8 ({error}): convert or remove the column"
        ) from error


def all_values(texts: Any) -> bool:
    """Returns whether all of some texts are numbers or booleans."""
    pc = compute()
    return pc.all(pc.match_substring_regex(texts, _VALUE), min_count=0).as_py()


@cache
def null_texts() -> frozenset[str]:
    """Returns the texts such as ``NA`` and ``nan`` that mean a missing number."""
    from pyarrow.csv import ConvertOptions

    return frozenset(ConvertOptions().null_values) - {""}


def not_a_number(table: Table, name: str, use: str) -> str:
    """Returns a message about a column that is not of numbers, which names a cell of text.

    Args:
        table (Table): The table.
        name (str): Name of the column.
        use (str): What the numbers are for.
    """
    kind = table.columns[name]
    if kind != "text":
        return f"{table.path}: column {name!r}: expected numbers {use}, got {kind}"
    cells = read_cells(table, name, read_columns(table, {name: "text"})[name]).to_pylist()
    rows = [row for row, cell in enumerate(cells) if cell is not None]
    row = next((row for row in rows if not is_number(cells[row])), rows[0])
    return (
        f"{table.path}: {table.place(row)}: column {name!r}: expected numbers {use}, got the text "
        f"{cells[row][:40]!r}"
    )


def is_number(text: str) -> bool:
    """Returns whether a text is a decimal number; ``nan``, ``inf`` and ``1_000`` are not."""
    return re.fullmatch(_NUMBER, text.strip(_SPACES)) is not None


def canonical(text: str) -> str:
    """Returns the text that stands for all texts of the same number or boolean.

    Integers that begin with a zero stay as they are, as do all other texts.

    Example:
        >>> from gatsparse.data.graph_files.texts import canonical
        >>> [canonical(text) for text in ("1.0", "1e2", ".50", "007", "True", "v 1.0")]
        ['1', '100', '0.5', '007', 'true', 'v 1.0']
    """
    word = text.strip(_SPACES)
    if word.lower() in ("true", "false"):
        return word.lower()
    if (integer := _INTEGER.fullmatch(word)) is not None:  # exact, also above 2**53
        sign, digits = integer.groups()
        return f"-{digits}" if sign == "-" and digits != "0" else digits
    if not is_number(word):
        return text
    number = float(word)
    if _PADDED.match(word) or not np.isfinite(number):
        return word
    return str(int(number)) if number.is_integer() else repr(number)


def _canonical_name(text: str) -> str:
    """As :func:`canonical`, but 3.10 is not 3.1: they may be versions."""
    number = canonical(text)
    return text if is_number(number) and _INTEGER.fullmatch(number) is None else number


def _is_value(text: str) -> bool:
    return re.fullmatch(_VALUE, text) is not None


def _float_texts(numbers: Any) -> Any:
    """Floating-point numbers as the shortest texts; NaN is null, and whole numbers are exact."""
    import pyarrow as pa

    pc = compute()
    if pa.types.is_float16(numbers.type):
        numbers = numbers.cast(pa.float32())
    numbers = pc.if_else(pc.is_nan(numbers), None, numbers)
    wide = numbers.cast(pa.float64())
    whole = pc.equal(wide, pc.round(wide))
    return pc.if_else(whole, wide.cast(pa.large_string()), numbers.cast(pa.large_string()))


def _missing(texts: Any, known: Collection[str]) -> Any:
    """Returns which cells are missing."""
    import pyarrow as pa

    pc = compute()
    empty = pc.equal(texts, "")
    names = ["", *null_texts()]
    names = [name for name in names if name not in known]
    marked = pc.is_in(texts, value_set=pa.array(names, texts.type))
    if not pc.any(pc.xor(marked, pc.fill_null(empty, False))).as_py():
        return empty
    others = texts.filter(pc.invert(marked)).drop_null()
    return marked if all_values(others) else empty
