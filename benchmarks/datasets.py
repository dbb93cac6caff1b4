"""Data sets by name or by import path."""

from __future__ import annotations

from gatsparse.data import NAMES
from gatsparse.data.import_path import imported, is_import_path


def check(key: str, name: str, others: tuple[str, ...] = ()) -> None:
    """Checks that a data set is known.

    Args:
        key (str): Key of the configuration, for the message.
        name (str): Name or import path.
        others (tuple): Further names that are accepted.

    Raises:
        ValueError: If it is unknown.
    """
    if is_import_path(name):
        if not callable(imported(key, name)):
            raise ValueError(f"{key}: expected {name!r} to be a function that returns the data")
    elif name not in (*others, *NAMES):
        raise ValueError(
            f"{key}: expected one of {', '.join((*others, *NAMES))}, or an import path such as "
            f"my_module:my_dataset, got {name!r}"
        )
