"""Folders that are searched for data sets, and the time limit of downloads."""

from __future__ import annotations

import os
import socket
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from gatsparse.extras import require_extra

if TYPE_CHECKING:
    from collections.abc import Iterator

_TIMEOUT_SECONDS = 30.0


def expand(path: str | os.PathLike[str]) -> Path:
    """Returns a path with a leading ``~`` or ``~user`` replaced by an existing home folder."""
    try:
        return Path(path).expanduser()
    except RuntimeError:  # no such user
        return Path(path)


def roots(root: str | Path | None) -> list[Path]:
    """Returns the folders to search, in order; the last is the user's cache.

    Args:
        root (str or Path, optional): Folder to search first.
    """
    folders = [Path("data"), Path("..", "shared", "data"), user_cache_path("gatsparse")]
    return folders if root is None else [expand(root), *folders]


def user_cache_path(name: str) -> Path:
    """The user's cache folder of an application.

    Raises:
        ImportError: If platformdirs is missing.
    """
    require_extra("gatsparse.data", "data", "platformdirs")
    import platformdirs

    return platformdirs.user_cache_path(name)


@contextmanager
def socket_timeout() -> Iterator[None]:
    """Limits the time of connections that set no limit, such as those of PyG and OGB."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_TIMEOUT_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
