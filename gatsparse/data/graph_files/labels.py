"""Labels of nodes from columns of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from gatsparse.data.graph_files.arrow import compute, index_in
from gatsparse.data.graph_files.label_hints import hint_at_lists, require_classes
from gatsparse.data.graph_files.name_hints import hints_at_names
from gatsparse.data.graph_files.table import GraphFileError, Rows, Table, Wanted, listed
from gatsparse.data.graph_files.texts import (
    is_number,
    not_a_number,
    read_cells,
    read_spelled,
    spell,
)
from gatsparse.data.labels import Task

_MOST_CLASSES = 10_000
_OF_CLASSES = ("classification", "graph_classification")
_UNLABELLED = ("-1", "-100")  # numbers that mean so, as in PyG and OGB


class Labels(NamedTuple):
    """Labels, and the names of what is predicted.

    Args:
        y (Tensor): For classification int64 ``[N]``, -1 if unlabelled; for multi_label float32
            ``[N, K]`` of zeros and ones, and for regression float32 ``[N]`` or ``[N, K]``, NaN if
            unlabelled.
        classes (list of str): Names of the classes, of the labels, or of the targets.
        notes (list of str): Lines about nodes without labels and names that may be a mistake.
    """

    y: Tensor
    classes: list[str]
    notes: Sequence[str] = ()


def wanted_labels(
    table: Table, names: Sequence[str], task: Task, separator: str | None
) -> dict[str, Wanted]:
    """Returns the types in which the columns of labels are read.

    Raises:
        GraphFileError: If the number of columns or their content does not fit the task.
    """
    if task == "classification" and len(names) != 1:
        raise GraphFileError(
            f"dataset.label: expected one column for task classification, got {list(names)}: "
            "set task: multi_label for several labels of each node"
        )
    texts = task in _OF_CLASSES or (task == "multi_label" and separator is not None)
    if texts and len(names) != 1:
        raise GraphFileError(
            f"dataset.label: expected one column with label_separator, got {list(names)}"
        )
    for name in names:
        kind = table.columns[name]
        if separator is not None and kind == "vector":
            raise GraphFileError(
                f"{table.path}: column {name!r}: expected text with label_separator, got "
                "vectors of numbers: set dataset.label_separator to null"
            )
        if not texts and kind not in ("number", "vector"):
            hint = (
                "set dataset.label_separator if a cell lists several labels"
                if task == "multi_label"
                else "set task: classification for classes"
            )
            raise GraphFileError(f"{not_a_number(table, name, f'for task {task}')}: {hint}")
    return dict.fromkeys(names, "text" if texts else "number")


def read_labels(
    table: Table,
    rows: Rows,
    names: Sequence[str],
    task: Task,
    separator: str | None,
    classes: list[str] | None = None,
) -> Labels:
    """Returns the labels of all nodes.

    Args:
        table (Table): The table, for messages.
        rows (dict): Its columns of labels.
        names (list of str): Their names.
        task (str): The task.
        separator (str, optional): Separator of several labels in a cell.
        classes (list of str, optional): The classes that a model knows.

    Raises:
        GraphFileError: If a label is not one of :obj:`classes`, not 0 or 1 for multi_label, or not
            finite; or if there are more classes than a model can have.
    """
    if task in _OF_CLASSES:
        return _read_classes(table, rows[names[0]], names[0], task, classes)
    if task == "multi_label" and separator is not None:
        return _read_lists(table, rows[names[0]], names[0], separator, classes)
    columns, found = [], []
    for name in names:
        values = (
            rows[name]
            if table.columns[name] == "vector"
            else rows[name].to_numpy(zero_copy_only=False)
        )
        columns.append(values.reshape(len(values), -1).astype(np.float64))
        width = columns[-1].shape[1]
        found += [name] if width == 1 else [f"{name}_{index}" for index in range(width)]
    y = np.concatenate(columns, axis=1)
    _check_numbers(table, y, found, task)
    unlabelled = np.isnan(y).any(axis=1)
    partly = int((unlabelled & ~np.isnan(y).all(axis=1)).sum())
    y[unlabelled] = np.nan
    if classes is not None and len(found) != len(classes):
        raise GraphFileError(
            f"dataset.label: expected {len(classes)} columns, as in the training, got {len(found)}"
        )
    labels = torch.from_numpy(y).float()
    single = task == "regression" and labels.size(1) == 1
    notes = [f"nodes without labels, of which only some are missing: {partly}"] if partly else []
    return Labels(labels.squeeze(1) if single else labels, found, notes)


def _read_classes(
    table: Table, column: Any, name: str, task: Task, classes: list[str] | None
) -> Labels:
    import pyarrow as pa

    if isinstance(column, np.ndarray) and column.shape[1] > 1:
        raise GraphFileError(
            f"{table.path}: column {name!r}: expected one class of each node, got vectors of "
            f"{column.shape[1]}: set task to multi_label or regression"
        )
    known = classes or []
    texts, written = read_spelled(table, name, column, known)
    found = [text for text in compute().unique(texts).to_pylist() if text is not None]
    are_numbers = _sort_key(found) is not None
    labelled = [text for text in found if text not in _UNLABELLED]
    if are_numbers and (known or len(labelled) > 1):  # -1 and 1 are two classes
        found = labelled
    notes = []
    if classes is None:
        if table.columns[name] in ("number", "vector"):
            require_classes(table, name, texts, found, task)
        if task == "classification" and (hint := hint_at_lists(found)):
            notes.append(hint)
        notes += hints_at_names(name, written.to_pylist())
        classes = sorted(found, key=_sort_key(found))
        if len(classes) < 2:
            raise GraphFileError(
                f"{table.path}: column {name!r}: expected at least two classes, got "
                f"{listed(classes) or 'none'}"
            )
        if len(classes) > _MOST_CLASSES:
            raise GraphFileError(
                f"{table.path}: column {name!r}: expected at most {_MOST_CLASSES} classes, got "
                f"{len(classes)}: set task: regression for real numbers"
            )
    unknown = set(found) - set(classes)
    codes = index_in(texts, pa.array(classes, pa.large_string())).astype(np.int64)
    if unknown:
        value = min(unknown)
        row = int(compute().index(texts, value).as_py())
        raise GraphFileError(
            f"{table.path}: {table.place(row)}: column {name!r}: expected one of "
            f"{listed(classes, 5)}, got {value!r}, which the model does not know"
        )
    return Labels(torch.from_numpy(codes), classes, notes)


def _sort_key(names: list[str]) -> Any:
    """Sort key of classes: by value if all are numbers, else by their text."""
    if not all(map(is_number, names)):
        return None
    values = {name: float(name) for name in names}
    return lambda name: (values[name], name)


def _read_lists(
    table: Table, column: Any, name: str, separator: str, classes: list[str] | None
) -> Labels:
    import pyarrow as pa

    cells = read_cells(table, name, column, classes or ()).to_pylist()
    lists = [[part.strip() for part in (cell or "").split(separator)] for cell in cells]
    parts = pa.array({part for parts in lists for part in parts} - {""}, pa.large_string())
    spelled = dict(zip(parts.to_pylist(), spell(parts, classes or ()).to_pylist(), strict=True))
    found = set(spelled.values())
    learn = classes is None
    if classes is None:
        classes = sorted(found, key=_sort_key(list(found)))
        if len(classes) > _MOST_CLASSES:
            raise GraphFileError(
                f"{table.path}: column {name!r}: expected at most {_MOST_CLASSES} labels, got "
                f"{len(classes)}"
            )
    position = {label: index for index, label in enumerate(classes)}
    y = torch.zeros(len(lists), len(classes))
    for row, labels in enumerate(lists):
        for label in labels:
            if label == "":
                continue
            if spelled[label] not in position:
                raise GraphFileError(
                    f"{table.path}: {table.place(row)}: column {name!r}: expected labels such as "
                    f"{listed(classes, 5)}, got {label!r}, which the model does not know"
                )
            y[row, position[spelled[label]]] = 1.0
    unlabelled = [cell is None for cell in cells]
    y[torch.tensor(unlabelled)] = float("nan")
    notes = [*hints_at_names(name, spelled)] if learn else []
    if any(unlabelled):
        notes.append(
            f"nodes without labels, whose cell is empty ({separator!r} alone is a node with none "
            f"of them): {sum(unlabelled)}"
        )
    return Labels(y, classes, notes)


def _check_numbers(table: Table, y: np.ndarray, names: list[str], task: Task) -> None:
    wrong = np.isinf(y)
    if task == "multi_label":
        wrong = ~(np.isnan(y) | (y == 0) | (y == 1))
    if wrong.any():
        row, column = (int(place[0]) for place in np.nonzero(wrong))
        expected = "0 or 1 for task multi_label" if task == "multi_label" else "finite numbers"
        raise GraphFileError(
            f"{table.path}: {table.place(row)}: column {names[column]!r}: expected {expected}, got "
            f"{y[row, column]:g}"
        )
