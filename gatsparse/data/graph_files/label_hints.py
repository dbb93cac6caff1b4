"""Labels that are no classes: real numbers, and lists of labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

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


def hint_at_lists(classes: Sequence[str]) -> str:
    """Returns a hint if classes look like lists of labels, else an empty text.

    A class is one if another one shares a part of it: ``a;b`` next to ``a`` or ``b;c``. A title
    that contains a separator has no such parts.

    Args:
        classes (list of str): The classes.
    """
    for separator in _SEPARATORS:
        parts = {name: {part.strip() for part in name.split(separator)} for name in classes}
        count = Counter(part for names in parts.values() for part in names)
        for name in classes:
            if len(parts[name]) > 1 and any(count[part] > 1 for part in parts[name]):
                return (
                    f"labels such as {name!r} are classes of their own: set task: multi_label and "
                    f'dataset.label_separator: "{separator}" if a cell lists several labels'
                )
    return ""


def _is_whole(text: str) -> bool:
    try:
        return float(text).is_integer()
    except ValueError:  # true or false
        return True
