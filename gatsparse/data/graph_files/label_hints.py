"""Labels that are no classes: real numbers, and lists of labels."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from gatsparse.data.graph_files.arrow import compute
from gatsparse.data.graph_files.table import GraphFileError, Table
from gatsparse.data.labels import Task

_SEPARATORS = (";", "|")


def require_classes(
    table: Table, name: str, texts: object, found: Sequence[str], task: Task
) -> None:
    """Raises if a column of numbers has one that is not whole.

    Args:
        table (Table): The table.
        name (str): Its column of labels.
        texts (pyarrow.Array): The labels of all rows.
        found (list of str): The different labels.
        task (str): The task.

    Raises:
        GraphFileError: With the first such number.
    """
    value = next((text for text in found if not _is_whole(text)), None)
    if value is not None:
        row = int(compute().index(texts, value).as_py())
        cure = "set task: regression, or write" if task == "classification" else "write"
        raise GraphFileError(
            f"{table.path}: {table.place(row)}: column {name!r}: expected a class, got the real "
            f"number {value}: {cure} classes as text or as whole numbers"
        )


def separator_in(texts: Collection[str]) -> str | None:
    """Returns the character that separates labels in cells, or None if they are single labels.

    Lists of labels have fewer different parts than different cells; names in which a separator
    occurs have more.

    Args:
        texts (list of str): The different cells.
    """
    for separator in _SEPARATORS:
        parts = {part.strip() for text in texts for part in text.split(separator)} - {""}
        if any(separator in text for text in texts) and len(parts) < len(texts):
            return separator
    return None


def hint_at_lists(classes: Sequence[str]) -> str:
    """Returns a hint if classes look like lists of labels, else an empty text."""
    if (separator := separator_in(classes)) is None:
        return ""
    example = next(name for name in classes if separator in name)
    return (
        f"labels such as {example!r} are classes of their own: set task: multi_label and "
        f'dataset.label_separator: "{separator}" if a cell lists several labels'
    )


def _is_whole(text: str) -> bool:
    try:
        return float(text).is_integer()
    except ValueError:  # true or false
        return True
