"""Training, validation and test nodes: from a column, from files, or drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gatsparse.data.graph_files.config import GraphFiles
from gatsparse.data.graph_files.files import open_table
from gatsparse.data.graph_files.node_ids import NodeIds, read_ids
from gatsparse.data.graph_files.nodes import Nodes
from gatsparse.data.graph_files.table import GraphFileError, Table, read_columns
from gatsparse.data.graph_files.texts import read_texts
from gatsparse.data.labels import MASKS, Task

_NAMES = {
    "train": 0, "training": 0, "tr": 0,
    "val": 1, "valid": 1, "validation": 1, "dev": 1, "va": 1,
    "test": 2, "testing": 2, "te": 2,
    "": -1, "none": -1, "unlabeled": -1, "unlabelled": -1, "unused": -1,
}  # fmt: skip

Masks = tuple[Tensor, Tensor, Tensor]


def empty_part(masks: Masks) -> str | None:
    """Returns the name of the first part of a split that is empty, or None."""
    parts = zip(masks, ("training", "validation", "test"), strict=True)
    return next((name for mask, name in parts if not bool(mask.any())), None)


def split_of_column(table: Table, column: Any, name: str) -> Masks:
    """Returns the masks of a column with train, val or test.

    Raises:
        GraphFileError: If a cell has another value.
    """
    texts = [text or "" for text in read_texts(table, name, column).to_pylist()]
    codes = np.array([_NAMES.get(text.strip().lower(), -2) for text in texts], np.int64)
    wrong = np.flatnonzero(codes == -2)
    if len(wrong) > 0:
        row = int(wrong[0])
        raise GraphFileError(
            f"{table.path}: {table.place(row)}: column {name!r}: expected train, val, test or "
            f"nothing, got {texts[row]!r}"
        )
    return _masks(codes)


def split_of_files(files: GraphFiles, ids: NodeIds) -> Masks:
    """Returns the masks of three files with the ids of nodes.

    Raises:
        GraphFileError: If an id is not one of a node, or is in two files.
    """
    codes = np.full(len(ids), -1, np.int64)
    names = [files.train, files.val, files.test]
    for code, name in enumerate(names):
        assert name is not None
        path = files.path / name
        table, column = _read_ids(path)
        nodes = ids.find(column)
        if (nodes < 0).any():
            row = int((nodes < 0).argmax())
            raise GraphFileError(
                f"{path}: {table.place(row)}: expected the id of a node, got "
                f"{column[row].as_py()!r}"
            )
        taken = codes[nodes] >= 0
        if taken.any():
            row = int(taken.argmax())
            raise GraphFileError(
                f"{path}: {table.place(row)}: expected nodes of one split only, got "
                f"{column[row].as_py()!r}, which is in {names[codes[nodes[row]]]}, too"
            )
        codes[nodes] = code
    return _masks(codes)


def _read_ids(path: Path) -> tuple[Table, Any]:
    table = open_table(path, header=False)
    name = next(iter(table.columns))
    if len(table.columns) > 1:
        raise GraphFileError(
            f"{path}: expected one id per line, got {len(table.columns)} columns: quote ids that "
            "contain a comma"
        )
    return table, read_ids(table, name, read_columns(table, {name: "text"})[name])


def draw_split(
    files: GraphFiles,
    labelled: np.ndarray,
    classes: np.ndarray | None,
    times: np.ndarray | None,
    hint: str = "",
) -> Masks:
    """Draws the training, validation and test nodes among the labelled nodes.

    Args:
        files (GraphFiles): How to draw, the shares and the seed.
        labelled (numpy.ndarray): bool ``[N]``.
        classes (numpy.ndarray, optional): int64 ``[N]``, whose shares are kept.
        times (numpy.ndarray, optional): ``[N]``; the earliest nodes are training nodes.
        hint (str, optional): What may be wrong with the labels, for messages.

    Raises:
        GraphFileError: If a part of the split would be empty.
    """
    codes = np.full(len(labelled), -1, np.int64)
    nodes = np.flatnonzero(labelled)
    generator = np.random.Generator(np.random.PCG64(files.split_seed))
    if times is not None:
        groups = [nodes[np.argsort(times[nodes], kind="stable")]]
    else:
        nodes = generator.permutation(nodes)
        groups = [nodes]
        if classes is not None:
            groups = [nodes[classes[nodes] == label] for label in np.unique(classes[nodes])]
    for group in groups:
        first = round(files.train_share * len(group))
        second = first + round(files.val_share * len(group))
        codes[group[:first]], codes[group[first:second]], codes[group[second:]] = 0, 1, 2
    masks = _masks(codes)
    if (part := empty_part(masks)) is not None:
        count = f" in {len(groups)} classes" if classes is not None else ""
        raise GraphFileError(
            f"dataset.draw: expected {part} nodes, got none of {len(nodes)} labelled nodes{count}: "
            f"change train_share and val_share, or label more nodes{hint and f' ({hint})'}"
        )
    return masks


def _masks(codes: np.ndarray) -> Masks:
    train, val, test = (torch.from_numpy(codes == code) for code in range(3))
    return train, val, test


def split_masks(
    files: GraphFiles, nodes: Nodes, task: Task, *, draw: bool
) -> tuple[Masks | None, str]:
    """Returns the masks of a split, and a line about it.

    Args:
        files (GraphFiles): The configuration.
        nodes (Nodes): The nodes, with labels.
        task (str): The task.
        draw (bool): Whether to draw a split if the files have none.

    Raises:
        GraphFileError: If the split is incomplete or contradictory.
    """
    masks = _split_of_files(files, nodes)
    if masks is None:
        return _drawn(files, nodes, task) if draw else (None, "")
    if draw and (part := empty_part(masks)) is not None:
        raise GraphFileError(
            f"{nodes.name}: expected {part} nodes in the split, got none: correct it, or set "
            "dataset.draw to draw one"
        )
    return masks, ""


def _split_of_files(files: GraphFiles, nodes: Nodes) -> Masks | None:
    """Masks that the files define."""
    if files.train is not None:
        return split_of_files(files, nodes.ids)
    if nodes.table is None or files.draw is not None:
        return None
    if nodes.split is not None:
        return split_of_column(nodes.table, nodes.rows[nodes.split], nodes.split)
    present = [name for name in MASKS if name in nodes.rows]
    if not present:
        return None
    if len(present) < len(MASKS):
        raise GraphFileError(
            f"{nodes.name}: expected all of {', '.join(MASKS)}, got {', '.join(present)}"
        )
    train, val, test = (_mask(nodes.table, name, nodes.rows[name]) for name in MASKS)
    return train, val, test


def _mask(table: Table, name: str, column: Any) -> Tensor:
    values = column if isinstance(column, np.ndarray) else column.to_numpy(zero_copy_only=False)
    if not np.isin(values, (0, 1)).all():
        row = int((~np.isin(values, (0, 1))).reshape(len(values), -1).any(axis=1).argmax())
        raise GraphFileError(
            f"{table.path}: {table.place(row)}: column {name!r}: expected 0, 1, false or true"
        )
    return torch.from_numpy(values.astype(bool))


def _drawn(files: GraphFiles, nodes: Nodes, task: Task) -> tuple[Masks, str]:
    assert nodes.labels is not None
    y = nodes.labels.y
    labelled = (y >= 0) if task == "classification" else ~y.reshape(len(y), -1).isnan().any(dim=1)
    how = files.draw or ("stratified" if task == "classification" else "random")
    if how == "stratified" and task != "classification":
        raise GraphFileError(f"dataset.draw: expected random or time for task {task}, got {how}")
    times = None
    if how == "time":
        assert files.time is not None
        assert nodes.table is not None
        times = _times(nodes.table, nodes.rows[files.time], files.time)
    classes = y.numpy() if how == "stratified" else None
    masks = draw_split(files, labelled.numpy(), classes, times, nodes.labels.note)
    sizes = [int(mask.sum()) for mask in masks]
    seed = "" if how == "time" else f" with seed {files.split_seed}"
    return masks, (
        f"split: drawn {how}{seed}: {sizes[0]} training, {sizes[1]} validation and {sizes[2]} test "
        "nodes"
    )


def _times(table: Table, column: Any, name: str) -> np.ndarray:
    """Times of the nodes as numbers."""
    import pyarrow as pa

    if isinstance(column, np.ndarray):
        raise GraphFileError(f"{table.path}: column {name!r}: expected times, got vectors")
    for dtype in (pa.int64(), pa.float64(), pa.timestamp("us"), pa.date32()):
        try:
            values = column.cast(dtype)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            continue
        if values.null_count > 0:
            break
        if pa.types.is_temporal(dtype):
            values = values.cast(pa.timestamp("us")).cast(pa.int64())
        times = values.to_numpy(zero_copy_only=False)
        if not np.isfinite(times).all():
            break
        return times
    texts = column.cast(pa.large_string()).to_pylist()
    row = next((row for row, text in enumerate(texts) if _is_no_time(text)), 0)
    raise GraphFileError(
        f"{table.path}: {table.place(row)}: column {name!r}: expected numbers, dates or times such "
        f"as 2024-01-31 12:00:00, got {texts[row]!r}"
    )


def _is_no_time(text: str | None) -> bool:
    return not text or text.lower().lstrip("+-") in ("nan", "inf", "infinity")
