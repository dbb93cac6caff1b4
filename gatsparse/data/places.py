"""Where data sets are looked for, and how long a download may be silent."""

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
    """Path with a leading ``~`` or ``~user`` replaced by the home folder, if there is one."""
    try:
        return Path(path).expanduser()
    except RuntimeError:  # no such user
        return Path(path)


def roots(root: str | Path | None) -> list[Path]:
    """The folders to look in, in their order; the last is the user's cache.

    Args:
        root (str or Path, optional): A folder to look in first.
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
    """Connections without a time limit of their own, as PyG and OGB open them, have one."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_TIMEOUT_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
