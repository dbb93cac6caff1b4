"""Entropy of the attention over the in-edges of each node."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from gatsparse.nn import LayerAttention

_BINS = 40
_QUARTILES = (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class AttentionEntropy:
    r"""Entropy of the attention over the in-edges of each node, in a layer.

    :math:`-\sum_j \alpha_{ij} \ln \alpha_{ij}` is :math:`\ln d_i` for equal weights of :math:`d_i`
    in-edges, and 0 if one edge has all the attention. Its exponential is the effective number of
    neighbours. Only nodes with at least two in-edges count: the weight of a single one is always 1.
    A self-loop that the layer adds is an in-edge.

    Args:
        num_nodes (int): Number of nodes with at least two in-edges.
        bins (ndarray): ``[B + 1]``, bounds of the bins of the histograms.
        counts (ndarray): ``[H, B]``, number of nodes in each bin, by head.
        equal_counts (ndarray): ``[B]``, the same for equal weights.
        mean (ndarray): ``[H]``, mean entropy.
        equal_mean (float): Mean entropy of equal weights.
        relative (ndarray): ``[H]``, mean of the entropy divided by that of equal weights.
        neighbors (ndarray): ``[H, 3]``, quartiles of the effective number of neighbours.
        equal_neighbors (ndarray): ``[3]``, quartiles of the number of in-edges.

    Example:
        >>> import torch, gatsparse
        >>> from gatsparse.data import load
        >>> from gatsparse.explain import explain
        >>> model = gatsparse.GAT(64, 8, num_layers=2, out_channels=10, heads=2)
        >>> first, _ = explain(model, load("digits"), nodes=[], removals=0).layers
        >>> bool((first.entropy.mean <= first.entropy.equal_mean).all())
        True
    """

    num_nodes: int
    bins: NDArray[np.float64]
    counts: NDArray[np.int64]
    equal_counts: NDArray[np.int64]
    mean: NDArray[np.float64]
    equal_mean: float
    relative: NDArray[np.float64]
    neighbors: NDArray[np.float64]
    equal_neighbors: NDArray[np.float64]


def attention_entropy(layer: LayerAttention, num_nodes: int) -> AttentionEntropy | None:
    """Returns the entropy of a layer, or None if no node has two in-edges.

    Args:
        layer (LayerAttention): The attention.
        num_nodes (int): Number of nodes.
    """
    dst = layer.edge_index[1]
    degree = torch.bincount(dst, minlength=num_nodes)
    several = degree >= 2
    if not several.any():
        return None
    heads = []
    for alpha in layer.alpha.unbind(dim=1):  # one after the other, to save memory
        terms = torch.special.entr(alpha.double())
        heads.append(terms.new_zeros(num_nodes).index_add_(0, dst, terms)[several])
    entropy = torch.stack(heads, dim=1).numpy()
    degree = degree[several].double().numpy()
    equal = np.log(degree)
    bins = np.linspace(0.0, equal.max() * (1 + 1e-6), _BINS + 1)  # rounding exceeds the maximum
    return AttentionEntropy(
        num_nodes=len(entropy),
        bins=bins,
        counts=np.stack([np.histogram(of_head, bins)[0] for of_head in entropy.T]),
        equal_counts=np.histogram(equal, bins)[0],
        mean=entropy.mean(axis=0),
        equal_mean=float(equal.mean()),
        relative=(entropy / equal[:, None]).mean(axis=0),
        neighbors=np.quantile(np.exp(entropy), _QUARTILES, axis=0).T,
        equal_neighbors=np.quantile(degree, _QUARTILES),
    )
