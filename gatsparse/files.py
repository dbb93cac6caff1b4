"""Files that are complete whenever they have their name."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Writes a file that gets its name when it is complete and on disk: whenever the process
    ends, the file is the old one or the new one. What is being written is ``.<name>.<pid>.tmp``.

    Args:
        path (Path): The file.
        write (callable): Writes into the open file.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with temporary.open("wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
