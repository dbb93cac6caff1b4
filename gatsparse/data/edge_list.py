"""Files of directed edges of any size, read in blocks."""

from __future__ import annotations

import operator
from contextlib import closing, contextmanager, nullcontext
from typing import TYPE_CHECKING, Literal, NamedTuple, overload

import torch
from torch import Tensor

from gatsparse.data.edge_files.collect import Edges, Relabeled, index_dtype
from gatsparse.data.edge_files.columns import Columns
from gatsparse.data.edge_files.files import Paths, find_files, open_file
from gatsparse.data.edge_files.places import ReadFiles, check_range
from gatsparse.data.edge_files.reader import INT64_MAX, EdgeListError, Reader
from gatsparse.data.relabeled import RelabeledEdges, RelabeledGraph
from gatsparse.extras import require_extra
from gatsparse.graph import CSRGraph

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

__all__ = ["EdgeListError", "RelabeledEdges", "RelabeledGraph", "read_edge_list", "read_graph"]

Duplicates = Literal["error", "keep"]

_FEW_NODES = 10_000
_NODES_PER_EDGE = 20


@overload
def read_edge_list(
    path: Paths,
    *,
    num_nodes: int | None = None,
    columns: Columns | None = None,
    base: int | None = None,
    relabel: Literal[False] = False,
    block_size: int = 2**22,
    progress: bool = False,
) -> Tensor: ...


@overload
def read_edge_list(
    path: Paths,
    *,
    num_nodes: int | None = None,
    columns: Columns | None = None,
    base: int | None = None,
    relabel: Literal[True],
    block_size: int = 2**22,
    progress: bool = False,
) -> RelabeledEdges: ...


def read_edge_list(
    path: Paths,
    *,
    num_nodes: int | None = None,
    columns: Columns | None = None,
    base: int | None = None,
    relabel: bool = False,
    block_size: int = 2**22,
    progress: bool = False,
) -> Tensor | RelabeledEdges:
    r"""Reads files of directed edges, one block after another.

    Every block is checked when it is read, and an error names the place in the file. Only the
    result and a few blocks are in memory at a time. The suffix determines the format:

    * ``.npy``: integers ``[2, E]`` or ``[E, 2]`` of any width, byte and memory order; ``[2, 2]``
      is read as ``[2, E]``. Pickled objects are rejected.
    * ``.parquet``, ``.pq``: two columns of integers without nulls.
    * ``.csv``, ``.tsv``, ``.txt``, ``.edges``, ``.edgelist``, ``.el``: an edge per line. The
      delimiter (``,``, ``;``, ``|``, a tab or blanks) is detected in the first line. Integers
      may be quoted. Blank lines and lines that start with ``#``, ``%`` or ``//`` are skipped.
      Without a line of names, the first two columns are read and others are ignored, and so are
      attributes in braces, as networkx writes them.
    * ``.mtx``, and other text that starts with ``%%MatrixMarket``: entry :math:`(i, j)` is the
      edge :math:`i \to j`, also if its value is 0. Each entry of a symmetric matrix outside the
      diagonal is followed by its mirror image. Ids start at 1 in the file and at 0 in the result.
    * Text may be compressed: ``.gz``, ``.bz2``, ``.xz``, ``.zst``.

    Columns that have names, in a first line or in a comment above the edges, are found by name:
    ``src`` and ``dst``, ``source`` and ``target``, ``from`` and ``to``, ``u`` and ``v``, ``row``
    and ``col``, ``head`` and ``tail`` and the like, in any order, case and number, also as parts
    of names such as ``from_user_id``. Without such names, the file must have exactly two columns
    (in Parquet: of integers). Names that differ by a number or letter, such as ``node_a`` and
    ``node_b``, are used in that order; names of nodes, such as ``user`` and ``item`` or
    ``gene_id`` and ``drug_id``, in the order of the columns. Any other name, such as ``weight`` or
    an unknown word, is rejected unless :obj:`columns` is given.

    A first line of integers is read as an edge. If it holds column names, as written by
    ``DataFrame.to_csv(index=False)`` for columns ``0`` and ``1``, pass ``columns=("0", "1")`` or
    rename the columns first.

    Parquet and text need pyarrow: ``pip install 'gatsparse[large]'``.

    Args:
        path (str, PathLike or list): A file, a list of files, or a folder, whose files are read in
            the order of their names (``part-2`` before ``part-10``); names that start with ``.``
            or ``_`` are ignored.
        num_nodes (int, optional): Number of nodes :math:`N`, which no index may reach.
            (default: the number of rows of Matrix Market, else any index that int64 holds)
        columns (tuple, optional): The columns of sources and destinations: two names, or two
            positions counted from 0.
        base (int, optional): The id of the first node in the file, 0 or 1, which becomes node 0.
            (default: 1 for Matrix Market, else 0)
        relabel (bool, optional): If set, ids may be arbitrary 64-bit integers. The distinct ids in
            ascending order become nodes 0 to :math:`N - 1`.
        block_size (int, optional): Approximate maximum number of edges to read at a time.
        progress (bool, optional): If set, prints which file is read, and shows a progress bar on
            a terminal.

    Returns:
        Tensor or RelabeledEdges: :obj:`edge_index` ``[2, E]``, sources and destinations in the
        order of the file. It is int32 where :obj:`num_nodes` or, if not given, every index fits,
        else int64. With :obj:`relabel`, the ids of the nodes are returned, too.

    Raises:
        EdgeListError: If the file is truncated, damaged or ambiguous, or something in it is not an
            edge. The message names the line (counted from 1), the row (from 0), or the edge
            (from 0) and its byte.
        OSError: If the file cannot be opened.
        TypeError, ValueError: If an argument is invalid.
        ImportError: If pyarrow, or rich for :obj:`progress`, is needed and missing.

    Example:
        >>> from pathlib import Path
        >>> from gatsparse.data import read_edge_list
        >>> _ = Path("edges.csv").write_text("source,target\n0,1\n1,2\n")
        >>> read_edge_list("edges.csv")
        tensor([[0, 1],
                [1, 2]], dtype=torch.int32)
    """
    edges, _ = _read(path, num_nodes, columns, base, relabel, block_size, progress)
    if edges.node_ids is None:
        return edges.edge_index
    return RelabeledEdges(edges.edge_index, edges.node_ids)


@overload
def read_graph(
    path: Paths,
    *,
    num_nodes: int | None = None,
    columns: Columns | None = None,
    base: int | None = None,
    relabel: Literal[False] = False,
    duplicates: Duplicates = "error",
    block_size: int = 2**22,
    progress: bool = False,
) -> CSRGraph: ...


@overload
def read_graph(
    path: Paths,
    *,
    num_nodes: int | None = None,
    columns: Columns | None = None,
    base: int | None = None,
    relabel: Literal[True],
    duplicates: Duplicates = "error",
    block_size: int = 2**22,
    progress: bool = False,
) -> RelabeledGraph: ...


def read_graph(
    path: Paths,
    *,
    num_nodes: int | None = None,
    columns: Columns | None = None,
    base: int | None = None,
    relabel: bool = False,
    duplicates: Duplicates = "error",
    block_size: int = 2**22,
    progress: bool = False,
) -> CSRGraph | RelabeledGraph:
    r"""Reads files of directed edges, as :func:`read_edge_list` does, and sorts them.

    Args:
        path, columns, base, relabel, block_size, progress: See :func:`read_edge_list`.
        num_nodes (int, optional): Number of nodes. (default: the number of rows of Matrix Market,
            else one more than the largest index)
        duplicates (str, optional): ``"error"`` to reject a file that contains an edge twice, or
            ``"keep"`` to keep every copy as a separate edge.

    Returns:
        CSRGraph or RelabeledGraph: The graph; with :obj:`relabel`, also the ids of its nodes.

    Raises:
        EdgeListError: As in :func:`read_edge_list`; if an edge is in the file twice and
            :obj:`duplicates` is ``"error"``, naming both places; or if neither :obj:`num_nodes`
            nor :obj:`relabel` is given and the largest index is so large that almost all nodes
            would be without an edge.
        MemoryError: If a graph of so many nodes does not fit in memory.
        OSError, TypeError, ValueError, ImportError: As in :func:`read_edge_list`.

    Example:
        >>> from pathlib import Path
        >>> from gatsparse.data import read_graph
        >>> _ = Path("edges.csv").write_text("source,target\n0,1\n1,2\n")
        >>> read_graph("edges.csv", num_nodes=4)
        CSRGraph(num_src=4, num_dst=4, num_edges=2, device='cpu')
    """
    if duplicates not in ("error", "keep"):
        raise ValueError(f"duplicates: expected 'error' or 'keep', got {duplicates!r}")
    edges, files = _read(path, num_nodes, columns, base, relabel, block_size, progress)
    num_nodes, node_ids = edges.num_nodes, edges.node_ids
    if num_nodes is None:
        _check_density(edges, files)
    graph = _build(edges.edge_index, num_nodes)
    base = edges.base
    del edges  # the search needs memory, too
    pair = graph.find_duplicate() if duplicates == "error" else None
    if pair is not None:
        first, second = pair
        src, dst = (
            node + base if node_ids is None else int(node_ids[node])
            for node in _edge(graph, second)
        )
        raise EdgeListError(
            f"{files.place(second)}: expected every edge once, got {src} -> {dst} "
            f"again, first at {files.place(first, after=second)} "
            "(duplicates='keep' keeps both)"
        )
    return graph if node_ids is None else RelabeledGraph(graph, node_ids)


class _Contents(NamedTuple):
    edge_index: Tensor
    node_ids: Tensor | None
    num_nodes: int | None  # given, declared by a file, or counted
    base: int


def _read(
    path: Paths,
    num_nodes: int | None,
    columns: Columns | None,
    base: int | None,
    relabel: bool,
    block_size: int,
    progress: bool,
) -> tuple[_Contents, ReadFiles]:
    if num_nodes is not None:
        num_nodes = _check_integer("num_nodes", num_nodes, 0, INT64_MAX)
    if base is not None:
        base = _check_integer("base", base, 0, 1)
    if columns is not None:
        _check_columns(columns)
    if not isinstance(relabel, bool):
        raise TypeError(f"relabel: expected True or False, got {relabel!r}")
    if relabel and (num_nodes is not None or base is not None):
        name = "base" if num_nodes is None else "num_nodes"
        raise ValueError(f"{name}: expected None with relabel=True, which determines the nodes")
    block_size = _check_integer("block_size", block_size, 1, INT64_MAX)
    readers = [open_file(file, columns, block_size, relabel) for file in find_files(path)]
    files = ReadFiles(readers)
    if relabel:
        return _read_relabeled(files, progress), files
    declared = [reader.num_nodes for reader in readers if reader.num_nodes is not None]
    edges, bases = Edges(), set()
    for reader in readers:
        first_id = _base(reader, base)
        bases.add(first_id)
        bounds = [count for count in (num_nodes, reader.num_nodes) if count is not None]
        files.first.append(edges.count)
        with _progress(reader.path, progress) as show, closing(reader.blocks()) as stream:
            for ends, done in stream:
                highest = check_range(ends, edges.count, first_id, min(bounds, default=None), files)
                edges.append(ends, highest, first_id)
                show(done, edges.count)
    if len(bases) > 1:
        raise EdgeListError(f"{path}: ids start at 0 in some files and at 1 in others; pass base=1")
    if num_nodes is None and len(declared) == len(readers):
        num_nodes = max(declared)
    dtype = index_dtype(edges.highest if num_nodes is None else num_nodes)
    edge_index = torch.from_numpy(edges.join(dtype))
    return _Contents(edge_index, None, num_nodes, bases.pop()), files


def _read_relabeled(files: ReadFiles, progress: bool) -> _Contents:
    edges = Relabeled()
    for reader in files.readers:
        files.first.append(edges.count)
        with _progress(reader.path, progress) as show, closing(reader.blocks()) as stream:
            for ends, done in stream:
                with _naming(reader.path):
                    edges.append(ends)
                show(done, edges.count)
    with _naming(files.readers[0].path):
        edge_index, node_ids = edges.join()
    ids = torch.from_numpy(node_ids)
    return _Contents(torch.from_numpy(edge_index), ids, len(node_ids), 0)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise EdgeListError(f"{path}: {error}") from error


def _base(reader: Reader, base: int | None) -> int:
    if reader.base is None:
        return 0 if base is None else base
    if base is not None and base != reader.base:
        raise ValueError(
            f"base: expected {reader.base} or None, as ids of {reader.path} start at "
            f"{reader.base}, got {base}"
        )
    return reader.base


def _check_density(edges: _Contents, files: ReadFiles) -> None:
    """Raises EdgeListError if almost all nodes up to the largest index have no edge."""
    edge_index = edges.edge_index
    num_edges = edge_index.size(1)
    highest = int(edge_index.max()) if num_edges > 0 else -1
    if highest >= max(_FEW_NODES, _NODES_PER_EDGE * num_edges):
        edge = int((edge_index == highest).any(dim=0).nonzero()[0])
        raise EdgeListError(
            f"{files.place(edge)}: the largest node id is {highest + edges.base}, but there are "
            f"only {num_edges} edges: pass relabel=True to number the nodes that have an edge, or "
            f"num_nodes={highest + 1} (or more) if the others exist, too"
        )


def _build(edge_index: Tensor, num_nodes: int | None) -> CSRGraph:
    try:
        return CSRGraph.from_edge_index(edge_index, num_nodes)
    except RuntimeError as error:
        if "can't allocate memory" not in str(error):
            raise
        raise MemoryError(
            f"a graph of {num_nodes} nodes and {edge_index.size(1)} edges does not fit in memory; "
            "relabel=True leaves out the nodes without edges"
        ) from error


def _check_integer(name: str, value: int, least: int, most: int) -> int:
    try:
        value = operator.index(value)
    except TypeError as error:
        raise TypeError(f"{name}: expected an integer, got {value!r}") from error
    if not least <= value <= most:
        bound = "2**63 - 1" if most == INT64_MAX else most
        raise ValueError(f"{name}: expected {least} .. {bound}, got {value}")
    return value


def _check_columns(columns: Columns) -> None:
    kinds = set(map(type, columns)) if isinstance(columns, (tuple, list)) else set()
    if kinds not in ({str}, {int}):
        raise TypeError(f"columns: expected two names or two positions, got {columns!r}")
    if len(columns) != 2 or columns[0] == columns[1]:
        raise ValueError(f"columns: expected two different columns, got {columns!r}")
    if any(isinstance(column, int) and column < 0 for column in columns):
        raise ValueError(f"columns: expected positions from 0, got {columns!r}")


def _edge(graph: CSRGraph, position: int) -> tuple[int, int]:
    """Source and destination of the edge at a position of the input."""
    entry = int((graph.perm == position).nonzero())
    dst = int(torch.searchsorted(graph.rowptr, entry, right=True)) - 1
    return int(graph.col[entry]), dst


def _progress(path: Path, wanted: bool) -> AbstractContextManager[Callable[[float, int], None]]:
    """Function that shows the fraction of the file read and the number of edges, if requested."""
    if not wanted:
        return nullcontext(lambda _done, _num_edges: None)
    require_extra("progress=True", "data", "rich")
    from gatsparse.data.edge_files.progress import progress_bar

    return progress_bar(path)
