"""Pairs of nodes from a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gatsparse.data import GraphFileError, NodeIds
from gatsparse.data.edge_files.columns import find_pair
from gatsparse.data.graph_files.edges import is_edge
from gatsparse.data.graph_files.files import open_table
from gatsparse.data.graph_files.node_ids import read_ids
from gatsparse.data.graph_files.table import Table, listed, read_columns


def read_pairs(path: Path, ids: NodeIds, trained: tuple[str | None, str | None]) -> Tensor:
    """Returns the pairs of nodes of a table, int64 ``[2, P]``.

    Args:
        path (Path): The table.
        ids (NodeIds): Ids of the nodes.
        trained (tuple): Names of the columns of sources and targets in the training, if it names
            them; a table may have these, or others that identify sources and targets, such as from
            and to.

    Raises:
        GraphFileError: If the columns or the rows are missing, a node is unknown, or the file is
            damaged.
    """
    table = open_table(path, edges=True)
    names = _columns(table, ids, trained)
    rows = read_columns(table, dict.fromkeys(names, "text"))
    if len(rows[names[0]]) == 0:
        raise GraphFileError(f"{path}: expected at least one pair of nodes, got none: add rows")
    ends = []
    for name in names:
        values = read_ids(table, name, rows[name])
        ends.append(ids.find(values))
        unknown = ends[-1] < 0
        if unknown.any():
            row = int(unknown.argmax())
            raise GraphFileError(
                f"{path}: {table.place(row)}: column {name!r}: {values[row].as_py()!r} is not a "
                "node of the graph: remove the pair, or predict on a graph with this node"
            )
    return torch.from_numpy(np.stack(ends))


def _columns(table: Table, ids: NodeIds, trained: tuple[str | None, str | None]) -> tuple[str, str]:
    source, target = trained
    if source in table.columns and target in table.columns:
        assert source is not None and target is not None  # noqa: PT018
        return source, target
    ends = _named_ends(table)
    if ends is not None:
        return ends
    names = list(table.columns)
    if is_edge(table, names[:2], ids):
        raise GraphFileError(
            f"{table.path}: expected a header, got the nodes {listed(names[:2])}: add a header "
            "such as source,target"
        )
    others = "" if source is None else f", or {source!r} and {target!r} as in the training"
    raise GraphFileError(
        f"{table.path}: expected the columns 'source' and 'target'{others}, got {listed(names)}: "
        "rename them"
    )


def _named_ends(table: Table) -> tuple[str, str] | None:
    """Columns whose names identify sources and targets, or those of a text without a header."""
    names = list(table.columns)
    if names == ["0", "1"]:
        return "0", "1"
    try:
        pair = find_pair(names)
    except ValueError:  # several
        return None
    return None if pair is None else (names[pair[0]], names[pair[1]])
