"""Graphs of a table of nodes with several graphs: their ids, labels and split."""

from __future__ import annotations

from dataclasses import fields
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gatsparse.data.graph_files.config import GRAPH_COLUMNS, LABEL_COLUMNS, GraphFiles
from gatsparse.data.graph_files.files import graphs_file, open_table
from gatsparse.data.graph_files.labels import Labels, read_labels, wanted_labels
from gatsparse.data.graph_files.node_ids import NodeIds, read_ids, read_unique_ids
from gatsparse.data.graph_files.nodes import Nodes, choose_column
from gatsparse.data.graph_files.schema import GraphSchema
from gatsparse.data.graph_files.splits import Masks, empty_part, split_of_column
from gatsparse.data.graph_files.table import GraphFileError, Table, Wanted, read_columns

#: Keys of the split of nodes, which is not one of graphs.
_OF_NODES = ("train", "val", "test", "draw", "time", "train_share", "val_share", "split_seed")


class GraphTable(NamedTuple):
    """Graphs, and the graph of each node.

    Args:
        ids (NodeIds): Ids of the graphs, of which each has nodes.
        of_node (numpy.ndarray): int64 ``[N]``, sorted.
        labels (Labels, optional): Their classes.
        masks (tuple of Tensor, optional): bool ``[G]``, if the table has a split.
    """

    ids: NodeIds
    of_node: np.ndarray
    labels: Labels | None
    masks: Masks | None


def read_graphs(
    files: GraphFiles, nodes: Nodes, schema: GraphSchema | None
) -> tuple[Nodes, GraphTable]:
    """Reads the table of graphs.

    Args:
        files (GraphFiles): The configuration.
        nodes (Nodes): The nodes in the order of their table.
        schema (GraphSchema, optional): As in :func:`gatsparse.data.load_files`.

    Returns:
        tuple: The nodes in the order of their graphs, and the graphs.

    Raises:
        GraphFileError: If the table is missing, the graph of a node is unknown, a graph has no
            node, labels are missing, or the split is incomplete.
    """
    for field in fields(files):
        if field.name in _OF_NODES and getattr(files, field.name) != field.default:
            raise GraphFileError(
                f"dataset.{field.name}: expected {field.default} with task graph_classification, "
                f"got {getattr(files, field.name)!r}: write a column split into the table of "
                "graphs, or see the keys of graph"
            )
    if nodes.table is None or nodes.graph is None:
        raise GraphFileError(
            f"dataset.graph: expected a column of the table of nodes with the graph of each node, "
            f"got none of {', '.join(GRAPH_COLUMNS)} in {nodes.name}: set dataset.graph"
        )
    path = graphs_file(files)
    if path is None:
        raise GraphFileError(
            f"{files.path}: expected a table of graphs such as graphs.csv or graphs.parquet with "
            "task graph_classification: set dataset.graphs"
        )
    table = open_table(path)
    id_name = choose_column(table, None, "graphs", ("id", nodes.graph, *GRAPH_COLUMNS))
    if id_name is None:
        raise GraphFileError(f"{table.path}: expected a column id with the ids of the graphs")
    key = files.label
    if isinstance(key, list):
        raise GraphFileError(
            f"dataset.label: expected one column with task graph_classification, got {key}"
        )
    needed = schema is None or key in table.columns
    label = choose_column(table, key if needed else None, "label", LABEL_COLUMNS)
    if label is None and schema is None:
        raise GraphFileError(
            f"dataset.label: expected a column of labels, got none of {', '.join(LABEL_COLUMNS)} "
            f"in {table.path}: set dataset.label"
        )
    split = choose_column(table, files.split, "split", ("split",))
    wanted: dict[str, Wanted] = {id_name: "text"}
    if label is not None:
        wanted |= wanted_labels(table, [label], "graph_classification", None)
    if split is not None:
        wanted[split] = "text"
    rows = read_columns(table, wanted)
    ids = read_unique_ids(table, id_name, rows[id_name])
    of_node = _graph_of_nodes(nodes.table, nodes, ids, table)
    labels = None
    if label is not None:
        known = None if schema is None else schema.classes
        labels = read_labels(table, rows, [label], "graph_classification", None, known)
    masks = None if split is None else _masks(table, rows[split], split, complete=schema is None)
    order = of_node.argsort(kind="stable")
    return _ordered(nodes, order), GraphTable(ids, of_node[order], labels, masks)


def _graph_of_nodes(table: Table, nodes: Nodes, ids: NodeIds, graphs: Table) -> np.ndarray:
    assert nodes.graph is not None
    column = read_ids(table, nodes.graph, nodes.rows[nodes.graph], unit="graph")
    of_node = ids.find(column)
    if (of_node < 0).any():
        row = int((of_node < 0).argmax())
        raise GraphFileError(
            f"{table.path}: {table.place(row)}: column {nodes.graph!r}: {column[row].as_py()!r} is "
            f"not a graph of {graphs.path}: add it there"
        )
    without = np.bincount(of_node, minlength=len(ids)) == 0
    if without.any():
        row = int(without.argmax())
        raise GraphFileError(
            f"{graphs.path}: {graphs.place(row)}: expected graphs with nodes, got {ids[row]!r}, "
            f"which has none in {table.path}: remove it"
        )
    return of_node


def _masks(table: Table, column: object, name: str, *, complete: bool) -> Masks:
    masks = split_of_column(table, column, name)
    if complete and (part := empty_part(masks)) is not None:
        raise GraphFileError(
            f"{table.path}: column {name!r}: expected {part} graphs in the split, got none: "
            "correct it, or remove the column to draw a split"
        )
    return masks


def _ordered(nodes: Nodes, order: np.ndarray) -> Nodes:
    """The nodes in another order; the rows of their table stay."""
    x: Tensor = nodes.x if nodes.x.layout == torch.strided else nodes.x.to_dense()
    if (np.diff(order) == 1).all():
        return nodes._replace(x=x)
    return nodes._replace(x=x[torch.from_numpy(order)], ids=nodes.ids.take(order))
