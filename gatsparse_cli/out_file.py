"""Files that a command writes, checked before any work."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def check_out(out: Path, suffixes: Sequence[str], *, replace: bool = True) -> None:
    """Checks that a file can be written.

    Args:
        out (Path): The file.
        suffixes (list of str): Ends of its name.
        replace (bool, optional): Whether the file may exist.

    Raises:
        ConfigError: If its name ends differently, its folder is missing or read-only, or the file
            exists and may not be replaced.
    """
    from gatsparse.config_types import ConfigError
    from gatsparse.files import check_suffix, temporary_of

    check_suffix(out, suffixes)
    if out.is_dir():
        raise ConfigError(f"out: expected the name of a file, got the folder {out}")
    if not out.parent.is_dir():
        raise ConfigError(f"out: expected a file in a folder that exists, got {out}: create it")
    probe = temporary_of(out)
    try:  # also where the permissions allow it, such as in /proc
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ConfigError(
            f"out: expected a file that can be written, got {out} ({error.strerror}): choose "
            "another folder or name"
        ) from error
    if not replace and out.exists():
        raise ConfigError(f"out: expected a new file, got {out}, which exists: choose another name")
