"""Files that are written: their names, and atomic writing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TextIO

from gatsparse.config_types import ConfigError


def check_suffix(path: Path, suffixes: Sequence[str]) -> None:
    """Raises :class:`ConfigError` unless the name of a file ends in one of some suffixes."""
    if path.suffix.lower() not in suffixes:
        expected = " or ".join(suffixes)
        raise ConfigError(f"out: expected a file that ends in {expected}, got {path}")


def temporary_of(path: Path) -> Path:
    """Returns the temporary file of :func:`write_atomically`."""
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Writes a temporary file and renames it when it is complete and on disk. Whenever the process
    ends, the file is the old one or the new one. The temporary file is ``.<name>.<pid>.tmp``; it is
    removed if writing fails.

    Args:
        path (Path): The file.
        write (callable): Writes into the open file.

    Raises:
        OSError: If it cannot be written, such as on a full disk; the message names :obj:`path`.
    """
    temporary = temporary_of(path)
    with named_errors(path, temporary):
        try:
            with temporary.open("wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise


@contextmanager
def named_errors(path: Path, temporary: Path | None = None) -> Iterator[None]:
    """Adds the name of a file to an :class:`OSError` without one, as a full disk raises it, or with
    that of its temporary file.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename not in (None, str(temporary)):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextmanager
def open_rows(path: Path) -> Iterator[TextIO]:
    """Opens a file for rows of text, each of which is written at its end; if the file cannot be
    closed, such as on a full disk, the error names it.
    """
    file = path.open("w", encoding="utf-8", newline="", buffering=1)
    try:
        yield file
    finally:
        with named_errors(path):
            file.close()
