"""Graphs from files: nodes, features, labels, splits and edges put together."""

from __future__ import annotations

from collections.abc import Iterator
from types import NoneType
from typing import get_args

import torch
from torch_geometric.data import Data

from gatsparse.checks import check_choice, check_instance
from gatsparse.data.graph_files.config import LABEL_COLUMNS, GraphFiles
from gatsparse.data.graph_files.edges import FileEdges, read_edges
from gatsparse.data.graph_files.files import edge_files
from gatsparse.data.graph_files.graphs import read_graphs
from gatsparse.data.graph_files.nodes import Nodes, read_nodes
from gatsparse.data.graph_files.origin import origin_of
from gatsparse.data.graph_files.schema import GraphSchema
from gatsparse.data.graph_files.splits import split_masks
from gatsparse.data.graph_files.table import GraphFileError, listed
from gatsparse.data.labels import WITHOUT_NODE_LABELS, Task
from gatsparse.extras import require_extra


def load_files(
    files: GraphFiles, task: Task = "classification", schema: GraphSchema | None = None
) -> Data:
    r"""Reads a graph from a table of nodes and tables of edges.

    Args:
        files (GraphFiles): The files, and the roles of their columns.
        task (str, optional): ``"classification"``, ``"multi_label"``, ``"regression"`` or
            ``"link_prediction"``, which reads neither labels nor a split, or
            ``"graph_classification"``, which needs a table of graphs.
        schema (GraphSchema, optional): Schema of the graph on which a model was trained. The graph
            then needs the same columns of features and the same classes, but neither labels nor a
            split.

    Returns:
        torch_geometric.data.Data: :obj:`x` float32 ``[N, F]``, or ``sparse_csr`` from a matrix of
        scipy; :obj:`edge_index` ``[2, E]``, int32 if all nodes fit, else int64; labels :obj:`y`,
        masks :obj:`train_mask`, :obj:`val_mask` and :obj:`test_mask` bool ``[N]``;
        :obj:`edge_attr` float32 ``[E, D]`` if there are edge features; :obj:`node_ids`, a
        :class:`NodeIds`; :obj:`schema`; :obj:`dropped`, the numbers of edges that were dropped, by
        reason; :obj:`notes`, lines about what was dropped, drawn or not used; and :obj:`origin`,
        by which a run of :func:`gatsparse.train.train` knows how to read other folders. With task
        graph_classification, labels and masks are those of the graphs ``[G]``, nodes are in the
        order of their graphs, :obj:`batch` int64 ``[N]`` is the graph of each node, and
        :obj:`graph_ids` are the ids of the graphs.

    Raises:
        GraphFileError: If a file is missing, damaged or contradictory. The message names the file,
            the line or row, and the column.
        ImportError: If pyarrow is missing.

    Example:
        >>> from pathlib import Path
        >>> from gatsparse.data import GraphFiles, load_files
        >>> Path("shop").mkdir()
        >>> _ = Path("shop/nodes.csv").write_text("id,price,label\nmug,3,a\ncup,2,a\npan,9,b\n")
        >>> _ = Path("shop/edges.csv").write_text("source,target\nmug,cup\ncup,pan\n")
        >>> files = GraphFiles("shop", draw="random", train_share=0.4, val_share=0.3)
        >>> data = load_files(files)
        >>> data.x.flatten().tolist(), data.y.tolist(), data.node_ids[2], data.schema.classes
        ([3.0, 2.0, 9.0], [0, 0, 1], 'pan', ['a', 'b'])
    """
    check_instance("files", files, GraphFiles, "a GraphFiles")
    check_choice("task", task, get_args(Task))
    check_instance("schema", schema, (GraphSchema, NoneType), "a GraphSchema")
    if task != "graph_classification":
        for key in ("graph", "graphs"):
            if (value := getattr(files, key)) is not None:
                raise GraphFileError(
                    f"dataset.{key}: expected null with task {task}, got {value!r}: set task: "
                    "graph_classification"
                )
    require_extra("a graph from files", "large", "pyarrow")
    paths = edge_files(files)
    nodes, graphs = read_nodes(files, task, schema), None
    if task == "graph_classification":
        nodes, graphs = read_graphs(files, nodes, schema)
    edge_columns = None if schema is None else schema.edge_columns
    edges = read_edges(files, paths, nodes.ids, nodes.name, edge_columns, graphs)
    if schema is None and edges.edge_index.size(1) == 0:
        raise GraphFileError(
            f"{paths[0]}: expected at least one edge, got none: add edges, or set dataset.edges to "
            "another table"
        )
    data = Data(x=nodes.x, edge_index=edges.edge_index)
    if edges.edge_attr is not None:
        data.edge_attr = edges.edge_attr
    labels = nodes.labels if graphs is None else graphs.labels
    notes = [
        *(labels.notes if labels else ()),
        *nodes.notes,
        *_notes_of_nodes(nodes),
        *_notes(edges),
    ]
    classes = [] if schema is None else schema.classes
    if graphs is not None:
        data.batch, data.graph_ids = torch.from_numpy(graphs.of_node), graphs.ids
        if graphs.labels is not None:
            data.y, classes = graphs.labels.y, graphs.labels.classes
        if graphs.masks is not None:
            data.train_mask, data.val_mask, data.test_mask = graphs.masks
    elif nodes.labels is not None:
        data.y, classes = nodes.labels.y, nodes.labels.classes
        masks, note = split_masks(files, nodes, task, draw=schema is None)
        if masks is not None:
            data.train_mask, data.val_mask, data.test_mask = masks
            notes += [note] if note else []
    elif schema is None and task not in WITHOUT_NODE_LABELS:
        raise GraphFileError(
            f"dataset.label: expected a column of labels, got none of {', '.join(LABEL_COLUMNS)} "
            f"in {nodes.name}{_columns(nodes)}: set dataset.label"
        )
    data.node_ids, data.notes, data.dropped = nodes.ids, notes, edges.dropped
    on_disk = not nodes.columns and nodes.x.layout == torch.strided
    data.origin = origin_of(files, task, data, on_disk=on_disk)
    data.schema = GraphSchema(nodes.columns, nodes.x.size(1), edges.columns, classes)
    return data


def _columns(nodes: Nodes) -> str:
    if nodes.table is None:
        return ""
    return f", whose columns are {listed(list(nodes.table.columns))}"


def _notes_of_nodes(nodes: Nodes) -> Iterator[str]:
    """Yields how many nodes have no category of a column, or an unknown one."""
    start = 0
    for column in nodes.columns:
        if column.kind == "category":
            part = nodes.x[:, start : start + column.size]
            if unknown := len(part) - int(part.count_nonzero()):
                yield f"nodes without a known category in column {column.name}: {unknown}"
        start += column.size


def _notes(edges: FileEdges) -> list[str]:
    reasons = {
        "unknown_nodes": "edges of unknown nodes dropped",
        "self_loops": "self-loops dropped",
        "duplicates": "duplicate edges dropped",
    }
    notes = [f"{count} {reasons[key]}" for key, count in edges.dropped.items() if count > 0]
    if edges.edge_index.size(1) == 0:
        notes.append("the graph has no edges")
    if edges.without_header:
        shown = ", ".join(edges.without_header[:3])
        notes.append(f"files without a header, whose first line is an edge: {shown}")
    if edges.unused:
        notes.append(f"columns of the edges that are not used: {', '.join(edges.unused)}")
    return notes
