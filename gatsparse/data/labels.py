"""Labels and masks of node classification, in the formats of common data sets."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch_geometric.data import Data

#: What a model predicts: one class, several labels or numbers of each node, links, or one class of
#: each graph.
Task = Literal[
    "classification", "multi_label", "regression", "link_prediction", "graph_classification"
]

#: Tasks that need no labels of nodes.
WITHOUT_NODE_LABELS = ("link_prediction", "graph_classification")

#: Names of the masks of a split.
MASKS = ("train_mask", "val_mask", "test_mask")

#: Values for unlabelled nodes: PyG's and OGB's, and ``ignore_index`` of torch's losses.
_MISSING = (-1, -100)


def node_labels(data: Data) -> Tensor:
    """Returns the class of each node.

    Args:
        data (torch_geometric.data.Data): With labels :obj:`y` ``[N]`` or ``[N, 1]``: integers,
            booleans, or floating-point numbers without a fractional part. Nodes whose label is
            -1, -100 or NaN are unlabelled.

    Returns:
        Tensor: int64 ``[N]``, at least 0, or -1 for unlabelled nodes.

    Raises:
        TypeError: If :obj:`data` is not a :class:`~torch_geometric.data.Data`, or :obj:`y` is not
            a dense tensor.
        ValueError: If :obj:`y` has another shape, or values that are not classes.
    """
    if not isinstance(data, Data):
        raise TypeError(f"data: expected torch_geometric.data.Data, got {type(data).__name__}")
    y = data.y
    if not isinstance(y, Tensor):
        raise TypeError(f"data.y: expected a tensor of labels [N], got {type(y).__name__}")
    if y.layout != torch.strided:
        raise TypeError(f"data.y: expected a dense tensor of labels [N], got {y.layout}")
    num_nodes = data.x.size(0) if isinstance(data.x, Tensor) else y.size(0) if y.dim() else 0
    if y.shape not in ((num_nodes,), (num_nodes, 1)):
        hint = ": several labels per node need task multi_label" if y.dim() == 2 else ""
        raise ValueError(
            f"data.y: expected one class per node, [{num_nodes}] or [{num_nodes}, 1], "
            f"got {list(y.shape)}{hint}"
        )
    y = y.view(-1)
    if y.is_complex():
        raise ValueError(f"data.y: expected integer classes, got {y.dtype}")
    if y.is_floating_point():
        y = torch.where(y.isnan(), -1.0, y.double())
        fractional = (y != y.round()) | y.isinf()
        if fractional.any():
            raise ValueError(
                "data.y: expected integer classes, or NaN for unlabelled nodes, "
                f"got {float(y[fractional][0]):g}: real numbers need task regression"
            )
    y = y.long()
    missing = torch.isin(y, torch.tensor(_MISSING, device=y.device))
    if bool(((y < 0) & ~missing).any()):
        raise ValueError(
            "data.y: expected classes >= 0, or -1 for unlabelled nodes, "
            f"got {int(y[~missing].min())}"
        )
    if bool(missing.any()) and y[~missing].unique().tolist() == [1]:
        raise ValueError(
            "data.y: expected classes 0, 1, ..., got only 1 and -1, which means unlabelled: "
            "write two classes as 0 and 1"
        )
    return torch.where(missing, -1, y)


def node_mask(data: Data, key: str, labelled: Tensor, unit: str = "node") -> Tensor:
    """Returns a mask of nodes or graphs, all of which must be labelled.

    Args:
        data (torch_geometric.data.Data): With the mask, ``[N]``: booleans, or zeros and ones.
        key (str): Name of the mask.
        labelled (Tensor): bool ``[N]``, the nodes that have a label.
        unit (str, optional): What is labelled, for messages.

    Returns:
        Tensor: bool ``[N]``.

    Raises:
        ValueError: If the mask is missing or empty, has another shape or other values, or contains
            an unlabelled node.
    """
    mask = data.get(key)
    if not isinstance(mask, Tensor) or mask.shape != labelled.shape:
        got = list(mask.shape) if isinstance(mask, Tensor) else type(mask).__name__
        raise ValueError(f"data.{key}: expected shape {list(labelled.shape)}, got {got}")
    if mask.dtype != torch.bool:
        if not bool(((mask == 0) | (mask == 1)).all()):
            raise ValueError(
                f"data.{key}: expected booleans, got {mask.dtype}: convert {unit} indices with "
                "torch_geometric.utils.index_to_mask"
            )
        mask = mask.bool()
    if not bool(mask.any()):
        raise ValueError(f"data.{key}: expected at least one {unit}, got none")
    unlabelled = int((~labelled[mask]).sum())
    if unlabelled:
        raise ValueError(
            f"data.y: expected a label for each {unit} in {key}, got {unlabelled} of "
            f"{int(mask.sum())} without one (an empty cell, NaN, or class -1): exclude these "
            f"{unit}s from {key}"
        )
    return mask
