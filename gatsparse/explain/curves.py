"""The rows of a training, one for each epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gatsparse.checks import check_instance, check_number


def checked_curves(curves: Any, keys: Sequence[str]) -> list[Mapping[str, Any]]:
    """Returns rows that have finite numbers for some keys.

    Args:
        curves (list of dict): The rows.
        keys (list of str): The keys.

    Raises:
        TypeError: If :obj:`curves` is not a list of dictionaries, or a value is not a number.
        ValueError: If there is no row, a key is missing, or a value is not finite.
    """
    if isinstance(curves, (str, bytes, Mapping)) or not isinstance(curves, Sequence):
        raise TypeError(f"curves: expected a list of dictionaries, got {type(curves).__name__}")
    if not curves:
        raise ValueError("curves: expected at least one row, got none")
    for row in curves:
        check_instance("curves", row, Mapping, "a list of dictionaries")
        missing = [key for key in keys if key not in row]
        if missing:
            raise ValueError(f"curves: expected rows with {list(keys)}, got one without {missing}")
        for key in keys:
            check_number(f"curves[{key!r}]", row[key])
    return list(curves)
