"""Synthetic graphs of any size, with the skewed degrees of real ones."""

from __future__ import annotations

import math

import torch
from torch import Tensor

_BLOCK = 2**18  # edges drawn at a time
_BITS = 4  # bits of both ends that one random number decides


def rmat(
    num_nodes: int,
    num_edges: int,
    seed: int = 0,
    probabilities: tuple[float, float, float, float] = (0.57, 0.19, 0.19, 0.05),
) -> Tensor:
    r"""A power-law graph by the recursive model `"R-MAT"
    <https://doi.org/10.1137/1.9781611972740.43>`_, with the parameters of Graph500.

    Every edge chooses a quadrant of the adjacency matrix, then a quadrant of that one,
    and so on down to a single entry. Where :obj:`num_nodes` is no power of two, edges
    that leave the matrix are drawn again. Nodes are permuted, so that an index says
    nothing of a degree; duplicate edges and self-loops are kept.

    Args:
        num_nodes (int): Number of nodes :math:`N`.
        num_edges (int): Number of directed edges :math:`E`.
        seed (int, optional): The same graph comes of the same seed, for any number of threads.
        probabilities (tuple, optional): Of the quadrants: both ends in the first half of
            the nodes, the target in the second, the source in the second, both.

    Returns:
        Tensor: :obj:`edge_index`, int64 ``[2, E]``.

    Raises:
        ValueError: If :obj:`num_nodes` is below 1, :obj:`num_edges` below 0, or
            :obj:`probabilities` are not four numbers that sum to 1, none of them
            negative and the first one the largest.
    """
    if num_nodes < 1:
        raise ValueError(f"num_nodes: expected >= 1, got {num_nodes}")
    if num_edges < 0:
        raise ValueError(f"num_edges: expected >= 0, got {num_edges}")
    # The largest first: at least a quarter of the edges then stays within any num_nodes.
    if (
        len(probabilities) != 4
        or not math.isclose(sum(probabilities), 1.0)
        or not 0 <= min(probabilities) <= max(probabilities) == probabilities[0]
    ):
        raise ValueError(
            "probabilities: expected four numbers >= 0 that sum to 1, the largest first, "
            f"got {probabilities}"
        )
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(num_nodes, generator=generator)
    edge_index = torch.empty(2, num_edges, dtype=torch.int64)
    done = 0
    while done < num_edges:
        block = _draw((num_nodes - 1).bit_length(), probabilities, generator)
        block = block[:, (block < num_nodes).all(dim=0)][:, : num_edges - done]
        edge_index[:, done : done + block.size(1)] = order[block]
        done += block.size(1)
    return edge_index


def _draw(
    num_bits: int, probabilities: tuple[float, float, float, float], generator: torch.Generator
) -> Tensor:
    """A block of edges among ``2 ** num_bits`` nodes, int64 ``[2, _BLOCK]``."""
    ends = torch.zeros(2, _BLOCK, dtype=torch.int64)
    for start in range(0, num_bits, _BITS):
        bits = min(_BITS, num_bits - start)
        bounds, codes = _quadrants(bits, probabilities)
        uniform = torch.rand(_BLOCK, generator=generator, dtype=torch.float64)
        ends = (ends << bits) | codes[:, torch.bucketize(uniform, bounds, right=True)]
    return ends


def _quadrants(
    bits: int, probabilities: tuple[float, float, float, float]
) -> tuple[Tensor, Tensor]:
    """All outcomes of several choices in a row: the bounds between them in 0 .. 1, float64
    ``[4 ** bits - 1]``, and the bits of source and target, int64 ``[2, 4 ** bits]``.
    """
    one = torch.tensor(probabilities, dtype=torch.float64)
    chance, codes = torch.ones(1, dtype=torch.float64), torch.zeros(2, 1, dtype=torch.int64)
    bit = torch.tensor([[0, 0, 1, 1], [0, 1, 0, 1]])
    for _ in range(bits):
        chance = (chance[:, None] * one).flatten()
        codes = (2 * codes[:, :, None] + bit[:, None, :]).flatten(1)
    return chance.cumsum(0)[:-1], codes
