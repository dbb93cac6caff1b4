"""The files from which a graph was read, as long as the graph is as it was read."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch_geometric.data import Data

from gatsparse.data.digest import digest_of
from gatsparse.data.graph_files.config import GraphFiles
from gatsparse.data.labels import MASKS, Task

_ROWS = 2**16  # of a matrix on disk that are compared
_KEYS = ("x", "edge_index", "edge_attr", "batch", "y", *MASKS)


@dataclass(frozen=True)
class Origin:
    """The files of a graph.

    Args:
        files (GraphFiles): The files.
        task (str): Task for which the labels were read.
        digest (str): Digest of its features, edges, labels and masks.
        labels (str, optional): Digest of its labels.
        on_disk (bool): Whether the features are a matrix on disk, of which some rows are compared.
    """

    files: GraphFiles
    task: Task
    digest: str
    labels: str | None
    on_disk: bool


def origin_of(files: GraphFiles, task: Task, data: Data, *, on_disk: bool) -> Origin:
    """Returns the origin of a graph that was read just now."""
    digest = _digest(data, on_disk=on_disk)
    files = replace(files, path=files.path.absolute())
    return Origin(files, task, digest, _labels(data), on_disk)


def unchanged_files(data: Data, task: Task) -> GraphFiles | None:
    """Returns the files of a graph, or None if its features, edges, labels or masks are not those
    of files that were read for a task.

    All values are compared. Only of a matrix that :func:`gatsparse.data.load_files` leaves on disk,
    65,536 random rows are: changes of a few of more rows may not be noticed.

    Args:
        data (torch_geometric.data.Data): The graph.
        task (str): The task.
    """
    origin = data.get("origin")
    if not isinstance(origin, Origin) or origin.task != task:
        return None
    return origin.files if origin.digest == _digest(data, on_disk=origin.on_disk) else None


def task_of_labels(data: Data) -> Task | None:
    """Returns the task for which labels were read from files; None for other labels."""
    origin = data.get("origin")
    if not isinstance(origin, Origin) or origin.labels is None or origin.labels != _labels(data):
        return None
    return origin.task


def without_names_of_other_labels(data: Data) -> Data:
    """Returns a graph whose schema names the classes of files only if its labels are theirs."""
    origin, schema = data.get("origin"), data.get("schema")
    if not isinstance(origin, Origin) or data.get("y") is None or origin.labels == _labels(data):
        return data
    if schema is None or not schema.classes:
        return data
    data = copy(data)
    data.schema = replace(schema, classes=[])
    data.notes = [
        *(data.get("notes") or ()),
        "data.y differs from the labels of the files: classes are numbered; delete data.origin if "
        "the names in data.schema are still correct",
    ]
    return data


def _labels(data: Data) -> str | None:
    y = data.get("y")
    return digest_of({"y": y}) if isinstance(y, Tensor) else None


def _digest(data: Data, *, on_disk: bool) -> str:
    tensors = {key: value for key in _KEYS if isinstance(value := data.get(key), Tensor)}
    x = tensors.get("x")
    if on_disk and x is not None and x.layout == torch.strided and len(x) > _ROWS:
        rows = torch.randint(len(x), (_ROWS,), generator=torch.Generator().manual_seed(0))
        parts = rows.sort().values.split(_ROWS // 16)
        tensors |= {f"x {k}": x[part] for k, part in enumerate(parts)}
        del tensors["x"]
    return digest_of(tensors, f"{None if x is None else list(x.shape)}")
