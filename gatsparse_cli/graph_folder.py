"""Folders and tables of a graph that are passed instead of a configuration."""

from __future__ import annotations

import shlex
from pathlib import Path


def data_instead(config: Path) -> str | None:
    """Returns an error message about a folder or table instead of a configuration, or None.

    Args:
        config (Path): An existing file or folder.
    """
    folder = config
    if not config.is_dir():
        if config.suffix.lower() in (".yaml", ".yml"):  # known without torch
            return None
        from gatsparse.data.graph_files.files import is_table

        if not is_table(config):
            return None
        folder = config.parent
    out = f"{folder.resolve().name or 'graph'}.yaml"
    command = shlex.join(["gatsparse", "inspect", str(folder), "--out", out])
    got = "a folder" if config.is_dir() else "a table"
    return f"{config}: expected a configuration, got {got}: `{command}` writes one"
