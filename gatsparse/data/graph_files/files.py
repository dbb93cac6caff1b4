"""The files of a graph: by name, or by convention in their folder."""

from __future__ import annotations

from pathlib import Path

from gatsparse.data.edge_files.files import find_files
from gatsparse.data.edge_files.lines import PACKED
from gatsparse.data.edge_files.reader import EdgeListError
from gatsparse.data.graph_files.array_table import ArrayTable
from gatsparse.data.graph_files.config import GraphFiles
from gatsparse.data.graph_files.parquet_table import ParquetTable
from gatsparse.data.graph_files.table import GraphFileError, Table
from gatsparse.data.graph_files.text_table import TextTable
from gatsparse.extras import require_extra

_TEXT = (".csv", ".tsv", ".txt")
_PARQUET = (".parquet", ".pq")
_ARRAYS = (".npz", ".npy")
_SUFFIXES = (*_TEXT, *_PARQUET, *_ARRAYS)


def open_table(path: Path, *, header: bool | None = None, edges: bool = False) -> Table:
    """Opens a table, by the suffix of its name.

    Args:
        path (Path): The file.
        header (bool, optional): Whether a text has a header, see :class:`TextTable`.
        edges (bool, optional): Whether it is a table of edges.

    Raises:
        GraphFileError: If the file is missing, damaged, or of another format.
        ImportError: If pyarrow is missing.
    """
    require_extra(f"{path}: reading it", "large", "pyarrow")
    if not path.exists():
        raise GraphFileError(f"{path}: no such file")
    if path.is_dir():
        raise GraphFileError(f"{path}: expected a file, got a folder: rename or remove it")
    suffix = _suffix(path)
    if suffix in _PARQUET:
        return ParquetTable(path)
    if suffix in _ARRAYS:
        return ArrayTable(path, edges=edges)
    if suffix in _TEXT:
        return TextTable(path, header)
    raise GraphFileError(
        f"{path}: expected a table with a name that ends in {', '.join(_SUFFIXES)}, or in a suffix "
        f"of text followed by {', '.join(PACKED)}"
    )


def is_table(path: Path) -> bool:
    """Whether a file has the name of a table."""
    return _suffix(path) in _SUFFIXES


def nodes_file(files: GraphFiles) -> Path | None:
    """Returns the table of nodes, or None if the folder has none.

    Raises:
        GraphFileError: If the folder is missing, or has several.
    """
    _require_folder(files.path)
    return files.path / files.nodes if files.nodes is not None else _by_name(files.path, "nodes")


def graphs_file(files: GraphFiles) -> Path | None:
    """Returns the table of graphs, or None if the folder has none.

    Raises:
        GraphFileError: If the folder is missing, or has several.
    """
    _require_folder(files.path)
    return files.path / files.graphs if files.graphs is not None else _by_name(files.path, "graphs")


def edge_files(files: GraphFiles) -> list[Path]:
    """Returns the tables of edges, in order.

    Raises:
        GraphFileError: If there are none, or several files that are named edges.
    """
    _require_folder(files.path)
    if isinstance(files.edges, list):
        return [files.path / name for name in files.edges]
    path = files.path / files.edges if files.edges is not None else _by_name(files.path, "edges")
    if path is None:
        names = sorted(file.name for file in files.path.iterdir())[:12]
        raise GraphFileError(
            f"{files.path}: expected a table of edges such as edges.csv or edges.parquet, got "
            f"{', '.join(names) or 'an empty folder'}: rename it, or set dataset.edges"
        )
    if not path.exists():
        raise GraphFileError(f"{path}: no such file (dataset.edges)")
    try:
        return find_files(path)
    except EdgeListError as error:
        raise GraphFileError(str(error)) from error


def _by_name(folder: Path, stem: str) -> Path | None:
    found = [
        path
        for path in sorted(folder.iterdir())
        if path.name == stem or (path.name.partition(".")[0] == stem and _suffix(path) in _SUFFIXES)
    ]
    if len(found) > 1:
        raise GraphFileError(
            f"{folder}: expected one file named {stem}, got "
            f"{', '.join(path.name for path in found)}: set dataset.{stem}"
        )
    return found[0] if found else None


def _suffix(path: Path) -> str:
    name = path.name.lower()
    for packed in PACKED:
        name = name.removesuffix(packed)
    return Path(name).suffix


def _require_folder(path: Path) -> None:
    if not path.is_dir():
        got = "a file" if path.exists() else "no such folder"
        raise GraphFileError(f"dataset.path: expected the folder of the files, got {path}: {got}")
