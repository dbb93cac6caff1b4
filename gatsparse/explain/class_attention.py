"""Attention within and between classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gatsparse.nn import LayerAttention


@dataclass(frozen=True)
class ClassAttention:
    """Share of the attention of the nodes of a class that other classes receive, in a layer.

    A node attends to the sources of its in-edges, and its shares sum to 1. A column is the mean
    over the labelled nodes of a class. "Equal" is the share if all in-edges of a node had
    the same weight.

    Args:
        to_self (ndarray): ``[C]``, share of the node itself (self-loops).
        to_class (ndarray): ``[C, C]``: row for the class of the other node (source), column for
            the class of the node that attends (destination).
        to_unlabelled (ndarray): ``[C]``, share of unlabelled nodes.
        equal_to_self, equal_to_class, equal_to_unlabelled (ndarray): The same for equal weights.
        within (ndarray): ``[H]``: of the attention to other labelled nodes, the share that stays
            within the class, by head.
        equal_within (float): The same for equal weights.
        num_nodes (ndarray): ``[C]``, number of nodes in each column.

    Example:
        >>> import torch, gatsparse
        >>> from gatsparse.data import load
        >>> from gatsparse.explain import explain
        >>> model = gatsparse.GAT(64, 8, num_layers=2, out_channels=10, heads=2)
        >>> first, _ = explain(model, load("digits"), nodes=[], removals=0).layers
        >>> (first.classes.to_self + first.classes.to_class.sum(axis=0)).round(5).tolist()
        [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    """

    to_self: NDArray[np.float64]
    to_class: NDArray[np.float64]
    to_unlabelled: NDArray[np.float64]
    equal_to_self: NDArray[np.float64]
    equal_to_class: NDArray[np.float64]
    equal_to_unlabelled: NDArray[np.float64]
    within: NDArray[np.float64]
    equal_within: float
    num_nodes: NDArray[np.int64]


def class_attention(layer: LayerAttention, y: Tensor, num_classes: int) -> ClassAttention:
    """Returns the attention between classes of a layer.

    Args:
        layer (LayerAttention): The attention.
        y (Tensor): int64 ``[N]``, -1 for unlabelled nodes.
        num_classes (int): Number of classes.
    """
    src, dst = layer.edge_index
    equal = equal_weights(layer)
    labelled = y[dst] >= 0
    # A row for each class, then unlabelled nodes, then the node itself.
    row = torch.where(y[src] < 0, num_classes, y[src]).masked_fill(layer.loop_mask, num_classes + 1)
    cell = (row * num_classes + y[dst])[labelled].numpy()

    def shares(weight: Tensor) -> NDArray[np.float64]:
        size = (num_classes + 2) * num_classes
        mass = np.bincount(cell, weight[labelled].numpy(), size).reshape(-1, num_classes)
        total = mass.sum(axis=0)
        return np.divide(mass, total, out=np.zeros(mass.shape), where=total > 0)

    attended, expected = shares(layer.alpha.mean(dim=1, dtype=torch.float64)), shares(equal)
    other = ~layer.loop_mask & labelled & (y[src] >= 0)
    same = other & (y[src] == y[dst])
    nodes = torch.unique(dst[labelled])
    within = _total(layer.alpha[same]) / _total(layer.alpha[other])  # NaN without such edges
    return ClassAttention(
        to_self=attended[-1],
        to_class=attended[:num_classes],
        to_unlabelled=attended[num_classes],
        equal_to_self=expected[-1],
        equal_to_class=expected[:num_classes],
        equal_to_unlabelled=expected[num_classes],
        within=within.numpy(),
        equal_within=float(equal[same].sum() / equal[other].sum()),
        num_nodes=torch.bincount(y[nodes], minlength=num_classes).numpy(),
    )


def _total(alpha: Tensor) -> Tensor:
    return alpha.sum(dim=0, dtype=torch.float64)


def equal_weights(layer: LayerAttention) -> Tensor:
    """Returns one over the number of in-edges of each edge's destination, float64 ``[E]``."""
    dst = layer.edge_index[1]
    return 1.0 / torch.bincount(dst)[dst].double()
