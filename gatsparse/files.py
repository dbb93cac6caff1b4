"""Files that are complete whenever they have their name."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Writes a file that gets its name when it is complete and on disk: whenever the process
    ends, the file is the old one or the new one. While it is written it is ``.<name>.<pid>.tmp``,
    which is removed if writing fails.

    Args:
        path (Path): The file.
        write (callable): Writes into the open file.

    Raises:
        OSError: If it cannot be written, such as on a full disk; the message names :obj:`path`.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with named_errors(path):
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
def named_errors(path: Path) -> Iterator[None]:
    """Names a file in every :class:`OSError`; that of a full disk has no name."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
