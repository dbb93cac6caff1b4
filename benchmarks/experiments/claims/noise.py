"""Noise edges, and their share of the attention."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

_DRAWS = 4096  # at a time; fixed, so that more noise contains less noise


def noise_edges(edge_index: Tensor, num_nodes: int, ratio: float, seed: int) -> Tensor:
    """Draws random edges, in both directions, between nodes that an undirected graph does not link.

    All such pairs of nodes are equally likely. For one seed, the edges of a smaller ratio are the
    first ones of a larger ratio.

    Args:
        edge_index (Tensor): int64 ``[2, E]``.
        num_nodes (int): Number of nodes.
        ratio (float): Number of noise edges as a multiple of ``E``.
        seed (int): Seed of the generator.

    Returns:
        Tensor: int64 ``[2, E']``, with ``E'`` the even number next to ``ratio * E``: the two
        directions of every pair, one after the other.

    Raises:
        ValueError: If :obj:`ratio` is negative, or exceeds the number of pairs without a link.
    """
    if ratio < 0:
        raise ValueError(f"ratio: expected >= 0, got {ratio}")
    low, high = np.sort(edge_index.numpy(), axis=0)
    taken = np.unique((low * num_nodes + high)[low < high])
    count = round(ratio * edge_index.size(1) / 2)
    free = num_nodes * (num_nodes - 1) // 2 - taken.size
    if count > free:
        raise ValueError(f"ratio: expected at most {free} new pairs of nodes, got {count}")
    generator = np.random.default_rng(seed)
    pairs = np.empty(0, dtype=np.int64)
    while pairs.size < count:
        low, high = np.sort(generator.integers(num_nodes, size=(2, _DRAWS)), axis=0)
        drawn = (low * num_nodes + high)[low < high]
        pairs = np.concatenate([pairs, drawn[~np.isin(drawn, taken)]])
        _, first = np.unique(pairs, return_index=True)
        pairs = pairs[np.sort(first)]
    low, high = np.divmod(pairs[:count], num_nodes)
    both = np.stack([np.stack([low, high], 1), np.stack([high, low], 1)])
    return torch.from_numpy(both.reshape(2, -1))


def weight_share(dst: Tensor, weight: Tensor, chosen: Tensor) -> float:
    """Returns the share of chosen edges in the weights of a destination's in-edges.

    The share is averaged over heads and over the destinations of chosen edges.

    Args:
        dst (Tensor): int64 ``[E]``, destinations.
        weight (Tensor): ``[E, H]``, sums to 1 over the in-edges of a destination.
        chosen (Tensor): bool ``[E]``, at least one edge.
    """
    heads = weight.size(1)
    share = weight.new_zeros(int(dst.max()) + 1, heads)
    share.index_add_(0, dst[chosen], weight[chosen])
    return share[dst[chosen].unique()].mean().item()


def equal_weights(dst: Tensor) -> Tensor:
    """Returns one over the number of in-edges of each edge's destination, ``[E, 1]``."""
    return (1.0 / torch.bincount(dst)[dst])[:, None]
