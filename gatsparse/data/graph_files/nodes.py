"""Nodes of a graph in files: ids, features and labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from gatsparse.data.graph_files.config import (
    GRAPH_COLUMNS,
    ID_COLUMNS,
    LABEL_COLUMNS,
    LABEL_SUFFIX,
    SPLIT_COLUMNS,
    GraphFiles,
    usual_role,
)
from gatsparse.data.graph_files.features import (
    choose_columns,
    encode,
    hints_at_categories,
    learn_columns,
    wanted_types,
)
from gatsparse.data.graph_files.files import nodes_file, open_table
from gatsparse.data.graph_files.labels import Labels, read_labels, wanted_labels
from gatsparse.data.graph_files.matrix import feature_file, read_matrix
from gatsparse.data.graph_files.node_ids import NodeIds, read_unique_ids
from gatsparse.data.graph_files.schema import Column, GraphSchema
from gatsparse.data.graph_files.table import (
    GraphFileError,
    Rows,
    Table,
    Wanted,
    listed,
    read_columns,
    require_column,
)
from gatsparse.data.labels import MASKS, WITHOUT_NODE_LABELS, Task

_LABEL_FILES = ("y.npy", "labels.npy")


class Nodes(NamedTuple):
    """Nodes, and the table from which they were read, if there is one.

    Args:
        name (str): File that defines the nodes, for messages.
        ids (NodeIds): Their ids.
        x (Tensor): Features ``[N, F]``.
        columns (list of Column): Columns of :obj:`x`; empty if it is a matrix.
        labels (Labels, optional): Their labels.
        table (Table, optional): The table of nodes.
        rows (dict): The columns of the table that were read.
        split (str, optional): Its column with train, val or test.
        graph (str, optional): Its column of graphs, with task graph_classification.
        notes (list of str): Lines about columns and categories that may be meant otherwise.
    """

    name: str
    ids: NodeIds
    x: Tensor
    columns: list[Column]
    labels: Labels | None
    table: Table | None
    rows: Rows
    split: str | None
    graph: str | None = None
    notes: Sequence[str] = ()


def read_nodes(files: GraphFiles, task: Task, schema: GraphSchema | None) -> Nodes:
    """Reads the nodes of a graph, their features and their labels.

    Raises:
        GraphFileError: As in :func:`gatsparse.data.load_files`.
    """
    path = nodes_file(files)
    matrix = _matrix_of_features(files, schema)
    if path is None:
        return _nodes_without_table(files, task, schema, matrix)
    table = open_table(path)
    features = set() if schema is None else {column.name for column in schema.columns}
    usual = [name for name in ID_COLUMNS if name not in features]
    id_name = choose_column(table, files.node_id, "node_id", usual)
    graph_name = None
    if task == "graph_classification":  # label and split name columns of the table of graphs
        graph_name = choose_column(table, files.graph, "graph", GRAPH_COLUMNS)
        files = replace(files, label=None, split=None)
    label_names = _label_columns(files, table, schema)
    usual_split = [name for name in SPLIT_COLUMNS if name not in features]
    split_name = choose_column(table, files.split, "split", usual_split)
    masks = [name for name in MASKS if name in table.columns and name not in features]
    if files.time is not None:
        require_column(table, files.time, "time")
    for key in ("ignore", "categorical"):
        for name in getattr(files, key):
            require_column(table, name, key)
    taken = {id_name, *label_names, split_name, graph_name, *masks, files.time, *files.ignore}
    columns = _feature_columns(files, table, schema, taken, matrix)
    shared = [column.name for column in columns if column.name in label_names]
    if shared and schema is None and task not in WITHOUT_NODE_LABELS:
        raise GraphFileError(
            f"dataset.features: expected columns without the label, got {listed(shared)}"
        )
    wanted: dict[str, Wanted] = wanted_types(columns)
    if task in WITHOUT_NODE_LABELS:  # labels are no features either
        label_names = []
    if label_names:
        wanted |= wanted_labels(table, label_names, task, files.label_separator)
    texts = (id_name, split_name, graph_name, files.time)
    wanted |= dict.fromkeys((name for name in texts if name), "text")
    wanted |= dict.fromkeys(masks, "number")
    if not wanted:
        raise GraphFileError(f"{path}: expected columns of ids or features, got none")
    rows = read_columns(table, wanted)
    count = len(next(iter(rows.values())))
    if count == 0:
        raise GraphFileError(f"{path}: expected at least one node, got none")
    notes: list[str] = []
    if schema is None and files.features is None:
        notes += [
            f"column {column.name} is a feature, but has the usual name of {role}: list it under "
            "dataset.ignore if it is none"
            for column in columns
            if (role := usual_role(column.name)) is not None
        ]
    ids = NodeIds(num_nodes=count)
    if id_name is not None:
        ids = read_unique_ids(table, id_name, rows[id_name])
    if matrix is not None:
        x = read_matrix(matrix, count, str(path))
        columns = []
    elif columns:
        if schema is None:
            columns = learn_columns(
                table,
                rows,
                columns,
                standardize=files.standardize,
                categorical=files.categorical,
            )
            notes += hints_at_categories(table, rows, columns)
        x = encode(table, rows, columns, files.missing)
    else:
        fewer = "list fewer columns in dataset.ignore, or " if files.ignore else ""
        raise GraphFileError(
            f"{path}: expected columns of features, got none besides "
            f"{', '.join(sorted(name for name in taken if name))}: add columns, {fewer}set "
            "dataset.features to a file such as x.npy"
        )
    labels = None
    if label_names:
        known = None if schema is None else schema.classes
        labels = read_labels(table, rows, label_names, task, files.label_separator, known)
    elif task not in WITHOUT_NODE_LABELS and (file := label_file(files, schema)) is not None:
        labels = _labels_of_file(file, task, count, str(path), schema)
    return Nodes(str(path), ids, x, columns, labels, table, rows, split_name, graph_name, notes)


def _nodes_without_table(
    files: GraphFiles, task: Task, schema: GraphSchema | None, matrix: Path | None
) -> Nodes:
    """Nodes that are the rows of a matrix of features."""
    if matrix is None:
        raise GraphFileError(
            f"{files.path}: expected a table of nodes such as nodes.csv or nodes.parquet, or a "
            "matrix of features x.npy: set dataset.nodes or dataset.features"
        )
    x = read_matrix(matrix, None, "")
    file, labels = label_file(files, schema), None
    if file is not None and task not in WITHOUT_NODE_LABELS:
        labels = _labels_of_file(file, task, x.size(0), str(matrix), schema)
    return Nodes(str(matrix), NodeIds(num_nodes=x.size(0)), x, [], labels, None, {}, None)


def _matrix_of_features(files: GraphFiles, schema: GraphSchema | None) -> Path | None:
    """The matrix of features, if a training or the model of :obj:`schema` uses one."""
    if schema is not None and schema.columns:
        return None
    path = feature_file(files)
    if path is None and schema is not None:
        raise GraphFileError(
            f"{files.path}: expected a matrix of features such as x.npy, as in the training"
        )
    return path


def choose_column(table: Table, name: str | None, key: str, usual: Sequence[str]) -> str | None:
    """Returns the column that :obj:`dataset.<key>` names, else the first usual one, else None.

    Raises:
        GraphFileError: If the table does not have the column.
    """
    if name is not None:
        require_column(table, name, key)
        return name
    return next((usual_name for usual_name in usual if usual_name in table.columns), None)


def _label_columns(files: GraphFiles, table: Table, schema: GraphSchema | None) -> list[str]:
    """Columns of labels; a graph for predictions needs none."""
    label = files.label
    if label is None:
        features = set() if schema is None else {column.name for column in schema.columns}
        usual = [name for name in LABEL_COLUMNS if name not in features]
        found = choose_column(table, None, "label", usual)
        return [] if found is None else [found]
    if isinstance(label, str) and label not in table.columns and label.endswith(LABEL_SUFFIX):
        return []
    names = [label] if isinstance(label, str) else label
    if schema is not None and not any(name in table.columns for name in names):
        return []
    for name in names:
        require_column(table, name, "label")
    return names


def label_file(files: GraphFiles, schema: GraphSchema | None = None) -> Path | None:
    """Returns the file of labels, which a graph for predictions may lack."""
    if isinstance(files.label, str) and files.label.endswith(LABEL_SUFFIX):
        path = files.path / files.label
        return path if schema is None or path.exists() else None
    if files.label is not None:
        return None
    return next((path for name in _LABEL_FILES if (path := files.path / name).exists()), None)


def _labels_of_file(
    path: Path, task: Task, count: int, of: str, schema: GraphSchema | None
) -> Labels:
    table = open_table(path)
    name = next(iter(table.columns))
    rows = read_columns(table, wanted_labels(table, [name], task, None))
    if len(rows[name]) != count:
        raise GraphFileError(
            f"{path}: expected {count} labels, one for each row of {of}, got {len(rows[name])}"
        )
    return read_labels(table, rows, [name], task, None, None if schema is None else schema.classes)


def _feature_columns(
    files: GraphFiles,
    table: Table,
    schema: GraphSchema | None,
    taken: set[str | None],
    matrix: Path | None,
) -> list[Column]:
    if matrix is not None:
        free = [name for name in table.columns if name not in taken]
        if files.features is None and free and schema is None:
            raise GraphFileError(
                f"dataset.features: expected one source of features, got {matrix} and the columns "
                f"{listed(free)} of {table.path}: set it to {matrix.name} or to columns"
            )
        return []
    if schema is not None:
        for column in schema.columns:
            if column.name not in table.columns:
                raise GraphFileError(
                    f"{table.path}: expected the column {column.name!r}, a feature of the training"
                )
        found = choose_columns(table, [column.name for column in schema.columns], [])
        for column, other in zip(schema.columns, found, strict=True):
            if column.kind != other.kind and column.kind != "category":
                raise GraphFileError(
                    f"{table.path}: column {column.name!r}: expected a {column.kind} as in the "
                    f"training, got a {other.kind}"
                )
        return schema.columns
    names = files.features
    if isinstance(names, str):
        names = [names]
    if names is None:
        names = [name for name in table.columns if name not in taken]
    for name in names:
        require_column(table, name, "features")
    return choose_columns(table, names, files.categorical)
