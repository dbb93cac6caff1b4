"""Data sets by name or by import path."""

from __future__ import annotations

from torch_geometric.data import Data

from benchmarks.import_path import imported, is_import_path
from gatsparse.data import NAMES


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


def own(name: str) -> Data:
    """Returns the data set of a function that an import path names; features are not normalized.

    Args:
        name (str): Import path, such as ``"my_module:my_dataset"``.
    """
    data = imported("datasets", name)()
    if not isinstance(data, Data):
        raise TypeError(f"{name}: expected torch_geometric.data.Data, got {type(data).__name__}")
    return data
