"""Errors in the files of a data set."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class DatasetNotFoundError(FileNotFoundError):
    """A data set was not found in any folder and could not be downloaded.

    Example:
        >>> from gatsparse.data import DatasetNotFoundError
        >>> issubclass(DatasetNotFoundError, FileNotFoundError)
        True
    """


class DatasetCorruptError(ValueError):
    """A file of a data set is truncated or corrupt.

    Example:
        >>> from pathlib import Path
        >>> from gatsparse.data import DatasetCorruptError, load
        >>> Path("tolokers/raw").mkdir(parents=True)
        >>> _ = Path("tolokers/raw/tolokers.npz").write_text("an error page")
        >>> try:
        ...     load("tolokers", root=".")
        ... except DatasetCorruptError as error:
        ...     print(error)  # doctest: +ELLIPSIS
        tolokers/raw/tolokers.npz: truncated or corrupt ...
    """


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Converts any error of a damaged file to a :class:`DatasetCorruptError` that names it.

    A file that the system cannot open or read stays an :class:`OSError`.
    """
    try:
        yield
    except (OSError, DatasetCorruptError):
        raise
    except Exception as error:  # a damaged pickle or archive can raise anything
        raise DatasetCorruptError(
            f"{path}: truncated or corrupt ({type(error).__name__}: {error})"
        ) from error


def require(condition: bool, path: Path, expected: str) -> None:
    """Raises :class:`DatasetCorruptError` naming :obj:`path` unless :obj:`condition` holds."""
    if not condition:
        raise DatasetCorruptError(f"{path}: corrupt, {expected}")
