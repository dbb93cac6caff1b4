"""Files that a command writes, checked before any work."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path


def check_out(out: Path, suffixes: Sequence[str]) -> None:
    """Checks that a file can be written.

    Args:
        out (Path): The file.
        suffixes (list of str): Ends of its name.

    Raises:
        ConfigError: If its name ends differently, or its folder is missing or read-only.
    """
    from gatsparse.config_types import ConfigError

    if out.suffix.lower() not in suffixes:
        expected = " or ".join(suffixes)
        raise ConfigError(f"out: expected a file that ends in {expected}, got {out}")
    if out.is_dir():
        raise ConfigError(f"out: expected the name of a file, got the folder {out}")
    if not out.parent.is_dir():
        raise ConfigError(f"out: expected a file in a folder that exists, got {out}: create it")
    if not os.access(out.parent, os.W_OK):
        raise ConfigError(f"out: expected a file in a folder to write to, got {out}")
