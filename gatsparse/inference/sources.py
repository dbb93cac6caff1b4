"""Rows of features, in memory or in a file, in the dtype of a model."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gatsparse.adjacency import Adjacency
from gatsparse.data.features import RowFile

_STEP_BYTES = 4 * 10**6  # of the rows that are converted at a time


class Rows:
    """Features in memory."""

    def __init__(self, x: Tensor) -> None:
        self.x, self.shape, self.dtype = x, x.shape, x.dtype

    def gather(self, index: Tensor) -> Tensor:
        """Returns the rows :obj:`index`."""
        return self.x.index_select(0, index)

    def read(self, first: int, last: int) -> Tensor:
        """Returns the rows :obj:`first` to :obj:`last` - 1."""
        return self.x[first:last]


class Converted:
    """Features that are converted to another dtype when they are read.

    Args:
        stored (Rows or RowFile): The features.
        dtype (torch.dtype): The dtype of the rows that are returned.
    """

    def __init__(self, stored: Rows | RowFile, dtype: torch.dtype) -> None:
        self.stored, self.shape, self.dtype = stored, stored.shape, dtype

    def gather(self, index: Tensor) -> Tensor:
        """Returns the rows :obj:`index`."""
        out = torch.empty(index.numel(), *self.shape[1:], dtype=self.dtype)
        return gather_into(out, self.stored, index)

    def read(self, first: int, last: int) -> Tensor:
        """Returns the rows :obj:`first` to :obj:`last` - 1."""
        return self.stored.read(first, last).to(self.dtype)


class Moved:
    """Features whose rows are moved to a GPU when they are read.

    Args:
        stored (Rows, RowFile or Converted): The features.
        device (torch.device): The GPU.
    """

    def __init__(self, stored: Rows | RowFile | Converted, device: torch.device) -> None:
        self.stored, self.shape, self.dtype = stored, stored.shape, stored.dtype
        self._device = device

    def gather(self, index: Tensor) -> Tensor:
        """Returns the rows :obj:`index`."""
        return self._move(self.stored.gather(index))

    def read(self, first: int, last: int) -> Tensor:
        """Returns the rows :obj:`first` to :obj:`last` - 1."""
        return self._move(self.stored.read(first, last))

    def _move(self, rows: Tensor) -> Tensor:
        # The host reads the next rows while these are on their way.
        return rows.pin_memory().to(self._device, non_blocking=True)


#: Features ``[N, F]`` in the memory of the host or in a file.
Stored = Rows | RowFile | Converted
#: Features whose rows are read on the device of a model.
Source = Stored | Moved


def on_device(stored: Stored, device: torch.device) -> Source:
    """Returns features whose rows are read on a device."""
    return stored if device.type == "cpu" else Moved(stored, device)


def row_bytes(source: Source) -> int:
    """Bytes of one row in memory."""
    return source.shape[1:].numel() * source.dtype.itemsize


def gather_into(out: Tensor, source: Source, index: Tensor) -> Tensor:
    """Writes the rows :obj:`index` into :obj:`out`, a few at a time; returns :obj:`out`."""
    step = max(1, _STEP_BYTES // (8 * max(1, source.shape[1:].numel())))
    for first in range(0, index.numel(), step):
        rows = index[first : first + step].long()
        out[first : first + step] = source.gather(rows)
    return out


def open_source(name: str, features: Tensor | str | Path, dtype: torch.dtype) -> Stored:
    """Opens the features of an argument, as rows of a dtype.

    Args:
        name (str): Name of the argument, for messages.
        features (Tensor, str or Path): Dense floating-point tensor on the CPU, or ``.npy`` file.
        dtype (torch.dtype): The dtype of the model.

    Raises:
        TypeError: If :obj:`features` is neither, or not of a floating-point dtype.
        OSError, ValueError: If the file cannot be read.
    """
    if isinstance(features, (str, Path)):
        source = RowFile(Path(features).expanduser())
    elif not isinstance(features, Tensor):
        raise TypeError(
            f"{name}: expected a tensor or the path of an .npy file, got {type(features).__name__}"
        )
    elif features.layout != torch.strided or features.device.type != "cpu":
        raise TypeError(
            f"{name}: expected a dense tensor on the CPU, got {features.layout} on "
            f"{features.device}: rows are moved to the device of the model when they are needed"
        )
    else:
        source = Rows(features.detach())
    if not source.dtype.is_floating_point:
        raise TypeError(
            f"{name}: expected floating-point numbers, got {source.dtype}: convert them first"
        )
    return source if source.dtype == dtype else Converted(source, dtype)


def node_source(x: Tensor | str | Path, dtype: torch.dtype) -> Stored:
    """Node features ``[N, F]``.

    Raises:
        TypeError, OSError, ValueError: As in :func:`open_source`, or for another shape.
    """
    source = open_source("x", x, dtype)
    if len(source.shape) != 2 or source.shape[0] == 0:
        raise ValueError(f"x: expected shape [N, F] with N >= 1, got {list(source.shape)}")
    return source


def edge_source(
    model: Any,
    edge_attr: Tensor | str | Path | None,
    form: Adjacency,
    dtype: torch.dtype,
) -> Stored | None:
    """Edge features ``[E, D]`` or ``[E]`` of a model; None if its layers use none.

    Raises:
        TypeError: If the model's ``forward`` takes no edge features, or as in :func:`open_source`.
        ValueError: If the layers need edge features that are missing, or their shape is wrong.
        OSError: If a file cannot be read.
    """
    takes = [conv for conv in model.convs if conv.lin_edge is not None]
    has_argument = "edge_attr" in inspect.signature(model.forward).parameters
    if edge_attr is not None and not has_argument:
        raise TypeError(
            f"edge_attr: expected None, as {type(model).__name__}.forward takes no edge features"
        )
    given = edge_attr is not None
    if not given and takes:
        edge_attr = form.values
        if edge_attr is None and has_argument:
            raise ValueError(
                "edge_attr: expected edge features, as the model has an edge_dim, got None"
            )
    if edge_attr is None:
        return None
    source = open_source("edge_attr" if given else "edge_index: values", edge_attr, dtype)
    for conv in model.convs:
        if conv.lin_edge is None:
            if given:
                conv._takes_edge_features()  # as in PyG, GATv2 raises and GAT ignores them
            continue
        width = getattr(conv.lin_edge, "in_channels", -1)
        dim, num_edges = len(source.shape), source.shape[0] if source.shape else 0
        found = source.shape[1] if dim == 2 else 1
        if dim not in (1, 2) or num_edges != form.num_edges or width not in (-1, found):
            raise ValueError(
                f"edge_attr: expected shape [{form.num_edges}, {'D' if width == -1 else width}], "
                f"got {list(source.shape)}"
            )
    return source if takes else None
