"""Edges between nodes with ids of any kind, from one or several tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gatsparse.data.edge_files.collect import Edges, index_dtype
from gatsparse.data.edge_files.columns import recognize_columns
from gatsparse.data.graph_files.config import GraphFiles
from gatsparse.data.graph_files.features import encode, learn_columns
from gatsparse.data.graph_files.files import open_table
from gatsparse.data.graph_files.graphs import GraphTable
from gatsparse.data.graph_files.node_ids import NodeIds, read_ids
from gatsparse.data.graph_files.schema import Column
from gatsparse.data.graph_files.table import (
    GraphFileError,
    Rows,
    Table,
    Wanted,
    listed,
    prefetched,
    read_columns,
    require_column,
)
from gatsparse.data.graph_files.text_table import TextTable
from gatsparse.data.graph_files.texts import not_a_number
from gatsparse.data.statistics import duplicate_edges


@dataclass(frozen=True)
class FileEdges:
    """Edges, and how many were dropped.

    Args:
        edge_index (Tensor): ``[2, E]``, int32 if all nodes fit, else int64.
        edge_attr (Tensor, optional): float32 ``[E, D]``.
        columns (list of Column): Columns of :obj:`edge_attr`.
        dropped (dict): Numbers of edges that were dropped, by reason.
        unused (list of str): Columns of the tables that have no role.
        without_header (list of str): Names of the files of text whose first line is an edge.
    """

    edge_index: Tensor
    edge_attr: Tensor | None
    columns: list[Column]
    dropped: dict[str, int]
    unused: list[str]
    without_header: list[str]


class _Source(NamedTuple):
    """A table of edges, and its columns of sources and targets."""

    table: Table
    source: str
    target: str


def read_edges(
    files: GraphFiles,
    paths: Sequence[Path],
    ids: NodeIds,
    nodes_name: str,
    columns: Sequence[Column] | None = None,
    graphs: GraphTable | None = None,
) -> FileEdges:
    """Reads all edges.

    Args:
        files (GraphFiles): The configuration.
        paths (list of Path): Tables of edges.
        ids (NodeIds): Ids of the nodes.
        nodes_name (str): What defines the nodes, for messages.
        columns (list of Column, optional): Columns of edge features of a model.
        graphs (GraphTable, optional): Graphs of the nodes, between which there are no edges.

    Raises:
        GraphFileError: If a node is unknown, an edge feature is missing, an edge occurs twice, a
            header is an edge, or a file is damaged, unless the configuration allows it, or if an
            edge joins two graphs; the message names the place.
    """
    sources = [_open(path, files) for path in paths]
    if files.source is None:
        for source in sources:
            _require_header(source, ids)
    names = list(files.edge_features)
    for source in sources:
        for name in names:
            require_column(source.table, name, "edge_features")
    if columns is None:
        columns = _learn(files, sources, names)
    edges, attrs, places = Edges(), [], _Places()
    dropped = {"unknown_nodes": 0, "self_loops": 0}
    for source in sources:
        row = 0
        wanted: dict[str, Wanted] = {source.source: "text", source.target: "text"}
        wanted |= dict.fromkeys(names, "number")
        for rows in prefetched(source.table.blocks(wanted)):
            src, dst = _find_ends(files, source, rows, ids, row, nodes_name)
            keep = (src >= 0) & (dst >= 0)
            if graphs is not None:
                _check_graphs(graphs, source.table, row, (src, dst), keep, ids)
            dropped["unknown_nodes"] += int((~keep).sum())
            if files.self_loops == "drop":
                loops = keep & (src == dst)
                dropped["self_loops"] += int(loops.sum())
                keep &= ~loops
            if names:
                part = encode(source.table, rows, columns, files.missing, row)
                attrs.append(part[torch.from_numpy(keep)])
            places.add(source.table, row, edges.count, keep)
            row += len(src)
            if not keep.all():
                src, dst = src[keep], dst[keep]
            edges.append((src, dst), len(ids) - 1, 0)
    if edges.count == 0 and dropped["unknown_nodes"] > 0:
        raise GraphFileError(
            f"{paths[0]}: none of {dropped['unknown_nodes']} edges is between two nodes of "
            f"{nodes_name}: set dataset.node_id to the column of the ids of the nodes"
        )
    edge_index = torch.from_numpy(edges.join(index_dtype(max(len(ids) - 1, 0))))
    edge_attr = torch.cat(attrs) if attrs else None
    if files.duplicates != "keep":
        twice = duplicate_edges(edge_index, len(ids))
        if len(twice) > 0 and files.duplicates == "error":
            raise _duplicate_error(edge_index, ids, places, int(twice[0]))
        keep = torch.ones(edge_index.size(1), dtype=torch.bool)
        keep[twice] = False
        dropped["duplicates"] = len(twice)
        edge_index = edge_index[:, keep]
        edge_attr = None if edge_attr is None else edge_attr[keep]
    used = {*names, *(name for source in sources for name in (source.source, source.target))}
    unused = sorted({name for source in sources for name in source.table.columns} - used)
    without_header = [
        source.table.path.name
        for source in sources
        if isinstance(source.table, TextTable) and not source.table.has_header
    ]
    return FileEdges(edge_index, edge_attr, list(columns), dropped, unused, without_header)


def _open(path: Path, files: GraphFiles) -> _Source:
    table = open_table(path, edges=True)
    if files.source is not None and files.target is not None:
        for key in ("source", "target"):
            require_column(table, getattr(files, key), key)
        return _Source(table, files.source, files.target)
    if (files.source is None) != (files.target is None):
        key = "source" if files.source is None else "target"
        raise GraphFileError(f"dataset.{key}: expected the name of a column, got null")
    names = list(table.columns)
    if names[:2] == ["0", "1"] and len(names) > 2:
        raise GraphFileError(
            f"{path}: expected a header with the names of {len(names)} columns: add one, or "
            "set dataset.source and dataset.target to '0', '1', ..."
        )
    ends = recognized_ends(table)
    if ends is None:
        raise GraphFileError(
            f"{path}: cannot tell the columns of sources and targets among {listed(names)}: set "
            "dataset.source and dataset.target"
        )
    return _Source(table, *ends)


def recognized_ends(table: Table) -> tuple[str, str] | None:
    """Returns the columns of sources and targets by their names, or None if they do not tell."""
    names = list(table.columns)
    if names == ["0", "1"]:  # a text without a header
        return "0", "1"
    possible = [i for i, name in enumerate(names) if table.columns[name] in ("number", "text")]
    try:
        source, target = recognize_columns(names, possible)
    except ValueError:
        return None
    return names[source], names[target]


def is_edge(table: Table, ends: Sequence[str], ids: NodeIds) -> bool:
    """Returns whether the header of a text is an edge, such as ``n1,n2``."""
    import pyarrow as pa

    if not (isinstance(table, TextTable) and table.has_header):
        return False
    return bool((ids.find(pa.array(list(ends), pa.large_string())) >= 0).all())


def _require_header(source: _Source, ids: NodeIds) -> None:
    names = [source.source, source.target]
    if is_edge(source.table, names, ids):
        raise GraphFileError(
            f"{source.table.path}: expected a header, got the nodes {listed(names)}: add a header "
            "such as source,target, or set dataset.source and dataset.target"
        )


def _find_ends(
    files: GraphFiles, source: _Source, rows: Rows, ids: NodeIds, row: int, nodes_name: str
) -> tuple[np.ndarray, np.ndarray]:
    import pyarrow as pa

    names = source.source, source.target
    ends = [read_ids(source.table, name, rows[name], row) for name in names]
    if ends[0].type == ends[1].type:  # looked up together: each lookup hashes all ids
        both = ids.find(pa.concat_arrays(ends))
        found = both[: len(ends[0])], both[len(ends[0]) :]
    else:
        found = ids.find(ends[0]), ids.find(ends[1])
    if files.unknown_nodes == "error":
        unknown = (found[0] < 0) | (found[1] < 0)
        if unknown.any():
            at = int(unknown.argmax())
            hint = "dataset.node_id to the column of the ids, or " if ids.values is None else ""
            end = 0 if found[0][at] < 0 else 1
            raise GraphFileError(
                f"{source.table.path}: {source.table.place(row + at)}: column {names[end]!r}: "
                f"{ends[end][at].as_py()!r} is not a node of {nodes_name}: add it, or set "
                f"{hint}dataset.unknown_nodes to drop such edges"
            )
    return found


def _check_graphs(
    graphs: GraphTable,
    table: Table,
    row: int,
    ends: tuple[np.ndarray, np.ndarray],
    keep: np.ndarray,
    ids: NodeIds,
) -> None:
    """Raises if an edge that is kept joins two graphs."""
    graph_of_src, graph_of_dst = (graphs.of_node[nodes] for nodes in ends)
    wrong = keep & (graph_of_src != graph_of_dst)
    if wrong.any():
        at = int(wrong.argmax())
        src, dst = (
            f"{ids[int(nodes[at])]!r} of graph {graphs.ids[int(graphs.of_node[nodes[at]])]!r}"
            for nodes in ends
        )
        raise GraphFileError(
            f"{table.path}: {table.place(row + at)}: expected two nodes of one graph, got {src} "
            f"and {dst}"
        )


def _learn(files: GraphFiles, sources: Sequence[_Source], names: list[str]) -> list[Column]:
    """Columns of edge features; all rows are read only if a mean of them is needed."""
    for source in sources:
        for name in names:
            if source.table.columns[name] != "number":
                what = not_a_number(source.table, name, "for an edge feature")
                raise GraphFileError(f"{what}: correct it, or leave the column out")
    columns = [Column(name, "number") for name in names]
    if not names or (files.missing == "error" and not files.standardize):
        return columns
    import pyarrow as pa

    parts = [read_columns(source.table, dict.fromkeys(names, "number")) for source in sources]
    rows = {name: pa.concat_arrays([part[name] for part in parts]) for name in names}
    return learn_columns(sources[0].table, rows, columns, standardize=files.standardize)


class _Places:
    """Places in the files of edges that were kept."""

    def __init__(self) -> None:
        self._blocks: list[tuple[int, Table, int, np.ndarray | None]] = []

    def add(self, table: Table, row: int, first: int, keep: np.ndarray) -> None:
        """Adds a block that begins at a row, and whose first edge has the number :obj:`first`."""
        self._blocks.append((first, table, row, None if keep.all() else keep))

    def __getitem__(self, edge: int) -> str:
        first, table, row, keep = next(
            block for block in reversed(self._blocks) if block[0] <= edge
        )
        offset = edge - first if keep is None else int(np.flatnonzero(keep)[edge - first])
        return f"{table.path}: {table.place(row + offset)}"


def _duplicate_error(
    edge_index: Tensor, ids: NodeIds, places: _Places, edge: int
) -> GraphFileError:
    src, dst = (int(node) for node in edge_index[:, edge])
    same = (edge_index[0] == src) & (edge_index[1] == dst)
    first = int(same.nonzero()[0])
    return GraphFileError(
        f"{places[edge]}: expected every edge once, got {ids[src]} -> {ids[dst]} again, first at "
        f"{places[first]}: set dataset.duplicates to keep or drop"
    )
