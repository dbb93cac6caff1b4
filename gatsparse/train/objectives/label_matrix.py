"""Labels and targets with a column for each output."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import Data

from gatsparse.checks import check_instance


def label_matrix(data: Data, expected: str) -> Tensor:
    """Returns the labels as a floating-point tensor with a row for each node.

    Args:
        data (torch_geometric.data.Data): The data.
        expected (str): What :obj:`data.y` should be, for messages.

    Raises:
        TypeError, ValueError: If :obj:`data.y` is not such a tensor.
    """
    check_instance("data", data, Data, "torch_geometric.data.Data")
    y = data.y
    if not isinstance(y, Tensor):
        raise TypeError(f"data.y: expected a tensor of {expected}, got {type(y).__name__}")
    if y.layout != torch.strided or y.is_complex():
        raise TypeError(
            f"data.y: expected a dense tensor of {expected}, got {y.layout} of {y.dtype}"
        )
    num_nodes = data.x.size(0) if isinstance(data.x, Tensor) else y.size(0) if y.dim() else 0
    if y.dim() == 0 or y.size(0) != num_nodes:
        raise ValueError(f"data.y: expected {expected} with N = {num_nodes}, got {list(y.shape)}")
    return y if y.is_floating_point() else y.double()


def check_outputs(outputs: Tensor, y: Tensor) -> None:
    """Raises :class:`ValueError` unless outputs have the shape of the labels."""
    if outputs.shape != y.shape:
        raise ValueError(
            f"model: expected {y.size(1)} outputs of each node, as data.y has {y.size(1)} columns, "
            f"got {list(outputs.shape)}"
        )
