"""Files of edges by name: one, a list or all of a folder."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from gatsparse.data.edge_files.lines import PACKED
from gatsparse.data.edge_files.npy import Npy
from gatsparse.data.edge_files.reader import EdgeListError, Reader
from gatsparse.data.places import expand
from gatsparse.extras import require_extra

if TYPE_CHECKING:
    from gatsparse.data.edge_files.columns import Columns

Paths = str | os.PathLike[str] | list[str | os.PathLike[str]] | tuple[str | os.PathLike[str], ...]

_TEXT = (".csv", ".tsv", ".txt", ".edges", ".edgelist", ".el", ".mtx")
_PARQUET = (".parquet", ".pq")
_HADOOP = re.compile(r"part-(?:[mr]-)?[0-9]+")  # text without a suffix
_FORMATS = (
    f".npy, .parquet, .pq, {', '.join(_TEXT)}, or a suffix of text followed by {', '.join(PACKED)}"
)


def find_files(path: Paths) -> list[Path]:
    """Returns the files that hold the edges, in order: :obj:`path` itself, the files in the list,
    or the files in the folder sorted by name (``part-2`` is before ``part-10``). Names that start
    with ``.`` or ``_`` are ignored in a folder.

    Raises:
        TypeError: If :obj:`path` is neither a path nor a list of paths.
        EdgeListError: If the list or folder is empty, or the folder contains a folder.
    """
    if isinstance(path, (list, tuple)):
        if not path:
            raise EdgeListError("path: expected at least one file, got an empty list")
        return [_path(part) for part in path]
    folder = _path(path)
    if not folder.is_dir():
        return [folder]
    files = sorted((p for p in folder.iterdir() if p.name[0] not in "._"), key=_order)
    if not files:
        raise EdgeListError(f"{folder}: expected files of edges, got an empty folder")
    for file in files:
        if file.is_dir():
            raise EdgeListError(
                f"{folder}: expected files, got the folder {file.name!r} (pass a list of files)"
            )
    return files


def open_file(path: Path, columns: Columns | None, block_size: int, wide: bool) -> Reader:
    """Returns the reader of a file, which is chosen by its suffix.

    Args:
        path (Path): The file.
        columns (tuple, optional): The columns of sources and destinations, by name or position.
        block_size (int): Number of edges to read at a time.
        wide (bool): Whether ids may be arbitrary 64-bit integers.

    Raises:
        EdgeListError: If the format is not supported, or the beginning of the file is damaged.
        OSError: If the file cannot be opened.
        ImportError: If pyarrow is needed and missing.
        ValueError: If :obj:`columns` is given for a file without names.
    """
    name = path.name.lower()
    packing = next((suffix for suffix in PACKED if name.endswith(suffix)), "")
    is_text = bool(_HADOOP.fullmatch(name)) or name.removesuffix(packing).endswith(_TEXT)
    known = is_text or name.endswith((".npy", *_PARQUET))
    if not known and not path.is_dir():  # opening a folder says that it is one
        raise EdgeListError(f"{path}: expected a name that ends in one of {_FORMATS}")
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            raise EdgeListError(f"{path}: the file is empty")
    if name.endswith(".npy"):
        if columns is not None:
            raise ValueError(
                f"columns: expected None, as {path} has no column names, got {columns!r}"
            )
        return Npy(path, block_size)
    require_extra(f"{path}: reading it", "large", "pyarrow")
    from gatsparse.data.edge_files.parquet import Parquet
    from gatsparse.data.edge_files.text import Text

    if name.endswith(_PARQUET):
        return Parquet(path, columns, block_size)
    return Text(path, columns, block_size, wide)


def _path(path: object) -> Path:
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"path: expected a file, a folder or a list of files, got {path!r}")
    return expand(path)


def _order(path: Path) -> list[tuple[int, str]]:
    """Sort key of a name; numbers in it are compared by value."""
    parts = re.split(r"([0-9]+)", path.name)
    return [(int(part), "") if i % 2 else (-1, part) for i, part in enumerate(parts)]
