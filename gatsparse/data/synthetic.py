"""Synthetic graphs of any size, with power-law degrees or with classes to be learned."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch_geometric.data import Data

from gatsparse import _native
from gatsparse.checks import check_instance, check_integer, check_number, check_share
from gatsparse.ops.philox import philox

_BITS = 4  # bits of both ends that one random number decides
_WORDS = 2**32
_LARGEST = 2**48  # nodes or edges: beyond any memory

_native.LIBRARY.define(
    "rmat_edges(Tensor order, int num_edges, int seed, int num_bits, Tensor[] tables, bool narrow)"
    " -> Tensor"
)
_native.LIBRARY.define(
    "block_edges(Tensor members, Tensor block_of, Tensor ptr, int num_edges, int seed, int inside,"
    " bool narrow) -> Tensor"
)


def rmat(
    num_nodes: int,
    num_edges: int,
    seed: int = 0,
    probabilities: tuple[float, float, float, float] = (0.57, 0.19, 0.19, 0.05),
    dtype: torch.dtype = torch.int64,
) -> Tensor:
    r"""Returns a power-law graph by the recursive model `"R-MAT"
    <https://doi.org/10.1137/1.9781611972740.43>`_, with the parameters of Graph500.

    Every edge chooses a quadrant of the adjacency matrix, then a quadrant of that one,
    and so on down to a single entry. If :obj:`num_nodes` is not a power of two, edges
    outside the matrix are drawn again. Nodes are permuted, so that the index of a node
    does not depend on its degree; duplicate edges and self-loops are kept.

    Args:
        num_nodes (int): Number of nodes :math:`N`.
        num_edges (int): Number of directed edges :math:`E`.
        seed (int, optional): Seed of the graph, which is the same for any number of threads.
        probabilities (tuple, optional): Probabilities of the quadrants: both ends in the
            first half of the nodes, the target in the second, the source in the second, both.
        dtype (torch.dtype, optional): ``torch.int64`` or ``torch.int32``.

    Returns:
        Tensor: :obj:`edge_index` ``[2, E]``.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If :obj:`num_nodes` is below 1, :obj:`num_edges` or :obj:`seed` below 0,
            :obj:`probabilities` are not four non-negative numbers that sum to 1, the largest
            first, or the nodes do not fit :obj:`dtype`.

    Example:
        >>> from gatsparse.data import rmat
        >>> rmat(num_nodes=1000, num_edges=5000).shape
        torch.Size([2, 5000])
    """
    _check_sizes(num_nodes, num_edges, seed, dtype)
    # With the largest first, at least a quarter of the edges stays within any num_nodes.
    check_instance("probabilities", probabilities, (tuple, list), "four numbers")
    for probability in probabilities:
        check_number("probabilities", probability)
    if (
        len(probabilities) != 4
        or not math.isclose(sum(probabilities), 1.0)
        or not 0 <= min(probabilities) <= max(probabilities) == probabilities[0]
    ):
        raise ValueError(
            "probabilities: expected four numbers >= 0 that sum to 1, the largest first, "
            f"got {probabilities}"
        )
    order = torch.randperm(num_nodes, generator=torch.Generator().manual_seed(seed))
    num_bits = (num_nodes - 1).bit_length()
    tables = [*_quadrants(_BITS, probabilities), *_quadrants(num_bits % _BITS, probabilities)]
    narrow = dtype == torch.int32
    if _native.available():
        return torch.ops.gatsparse.rmat_edges(order, num_edges, seed, num_bits, tables, narrow)
    return _rmat_edges(order, num_edges, seed, num_bits, tables).to(dtype)


def _rmat_edges(
    order: Tensor, num_edges: int, seed: int, num_bits: int, tables: list[Tensor]
) -> Tensor:
    """The operator ``rmat_edges`` in torch operations: int64 ``[2, E]``."""
    edge_index = torch.empty(2, num_edges, dtype=torch.int64)
    edge, attempt = torch.arange(num_edges), 0
    choices = [(_BITS, tables[0], tables[1])] * (num_bits // _BITS)
    if num_bits % _BITS:
        choices.append((num_bits % _BITS, tables[2], tables[3]))
    while edge.numel() > 0:
        ends = torch.zeros(2, edge.numel(), dtype=torch.int64)
        words = _words(edge, attempt, seed, len(choices))
        for word, (bits, bounds, codes) in zip(words, choices, strict=True):
            ends = (ends << bits) | codes[:, torch.bucketize(word, bounds, right=True)]
        inside = (ends < order.numel()).all(dim=0)
        edge_index[:, edge[inside]] = order[ends[:, inside]]
        edge, attempt = edge[~inside], attempt + 1
    return edge_index


def _words(edge: Tensor, attempt: int, seed: int, count: int) -> list[Tensor]:
    """The first random words of every edge, each int64 ``[E]``."""
    low, high = edge & (_WORDS - 1), edge >> 32
    words: list[Tensor] = []
    for call in range((count + 3) // 4):
        counter = (low, high, torch.full_like(edge, attempt), torch.full_like(edge, call))
        words.extend(philox(torch.tensor(seed), counter))
    return words[:count]


def _quadrants(
    bits: int, probabilities: tuple[float, float, float, float]
) -> tuple[Tensor, Tensor]:
    """All outcomes of consecutive choices: the bounds between them in 0 .. 2^32, int64
    ``[4 ** bits - 1]``, and the bits of source and target, int64 ``[2, 4 ** bits]``.
    """
    one = torch.tensor(probabilities, dtype=torch.float64)
    chance, codes = torch.ones(1, dtype=torch.float64), torch.zeros(2, 1, dtype=torch.int64)
    bit = torch.tensor([[0, 0, 1, 1], [0, 1, 0, 1]])
    for _ in range(bits):
        chance = (chance[:, None] * one).flatten()
        codes = (2 * codes[:, :, None] + bit[:, None, :]).flatten(1)
    return (chance.cumsum(0)[:-1] * _WORDS).round().long(), codes


def stochastic_block_model(
    num_nodes: int,
    num_edges: int,
    num_classes: int,
    num_features: int,
    homophily: float = 0.8,
    signal: float = 1.0,
    seed: int = 0,
) -> Data:
    r"""Returns a graph with classes of equal size, and features that depend on the class.

    Every edge has a uniform target; its source is uniform in the target's class with probability
    :obj:`homophily`, else in the other classes. Features are :math:`x_i = s \mu_{y_i} + \epsilon_i`
    with class centres :math:`\mu_c` of unit length on average and standard normal
    :math:`\epsilon_i`. A larger :obj:`signal` :math:`s` separates the classes better; the mean over
    neighbours, which mostly are of the same class, reduces the noise.

    Args:
        num_nodes (int): Number of nodes :math:`N`.
        num_edges (int): Number of directed edges :math:`E`.
        num_classes (int): Number of classes.
        num_features (int): Features of each node :math:`F`.
        homophily (float, optional): Probability that an edge stays in a class.
        signal (float, optional): The factor :math:`s`.
        seed (int, optional): Seed of the data, which are the same for any number of threads.

    Returns:
        torch_geometric.data.Data: :obj:`x` float32 ``[N, F]``, :obj:`y` int64 ``[N]``,
        :obj:`edge_index` int64 ``[2, E]``, and boolean :obj:`train_mask` (half of the nodes),
        :obj:`val_mask` and :obj:`test_mask` (a quarter each) ``[N]``.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If a size is below 1 (:obj:`num_edges`, :obj:`seed` below 0), there are more
            classes than nodes, :obj:`homophily` is not in 0 .. 1, or :obj:`signal` not finite.

    Example:
        >>> from gatsparse.data import stochastic_block_model
        >>> data = stochastic_block_model(100, 500, num_classes=4, num_features=8)
        >>> data.x.shape, data.edge_index.shape, int(data.train_mask.sum())
        (torch.Size([100, 8]), torch.Size([2, 500]), 50)
    """
    _check_sizes(num_nodes, num_edges, seed, torch.int64)
    check_integer("num_classes", num_classes)
    if num_classes > num_nodes:
        raise ValueError(f"num_classes: expected 1 .. num_nodes, got {num_classes}")
    check_integer("num_features", num_features)
    check_share("homophily", homophily)
    check_number("signal", signal)
    generator = torch.Generator().manual_seed(seed)
    members = torch.randperm(num_nodes, generator=generator)
    ptr = torch.arange(num_classes + 1) * num_nodes // num_classes
    y = torch.empty_like(members)
    y[members] = torch.repeat_interleave(ptr.diff())
    edges = torch.ops.gatsparse.block_edges if _native.available() else _block_edges
    edge_index = edges(members, y, ptr, num_edges, seed, round(homophily * _WORDS), False)

    centres = torch.randn(num_classes, num_features, generator=generator)
    centres *= signal / math.sqrt(num_features)
    x = torch.randn(num_nodes, num_features, generator=generator)
    for rows, labels in zip(x.split(2**16), y.split(2**16), strict=True):
        rows += centres[labels]
    order = torch.randperm(num_nodes, generator=generator)
    quarter = num_nodes // 4
    data = Data(x=x, edge_index=edge_index, y=y)
    for mask, nodes in (
        ("train_mask", order[2 * quarter :]),
        ("val_mask", order[:quarter]),
        ("test_mask", order[quarter : 2 * quarter]),
    ):
        data[mask] = torch.zeros(num_nodes, dtype=torch.bool)
        data[mask][nodes] = True
    return data


def _block_edges(
    members: Tensor,
    block_of: Tensor,
    ptr: Tensor,
    num_edges: int,
    seed: int,
    inside: int,
    narrow: bool,
) -> Tensor:
    """The operator ``block_edges`` in torch operations: int64 ``[2, E]``."""
    num_nodes = members.numel()
    words = _words(torch.arange(num_edges), 0, seed, 5)
    target = _below(words[0], words[1], torch.tensor(num_nodes))
    block = block_of[target]
    first, size = ptr[block], ptr[block + 1] - ptr[block]
    stays = (words[2] < inside) | (size == num_nodes)
    position = _below(words[3], words[4], torch.where(stays, size, num_nodes - size))
    beyond = ~stays & (position >= first)
    position += torch.where(stays, first, torch.where(beyond, size, 0))
    edge_index = torch.stack([members[position], target])
    return edge_index.int() if narrow else edge_index


def _below(high: Tensor, low: Tensor, n: Tensor) -> Tensor:
    """Maps 64 random bits to 0 .. n-1: the upper half of their product with n."""
    return (high * n + ((low * n) >> 32)) >> 32


def _check_sizes(num_nodes: int, num_edges: int, seed: int, dtype: torch.dtype) -> None:
    check_integer("num_nodes", num_nodes, most=_LARGEST)
    check_integer("num_edges", num_edges, 0, _LARGEST)
    check_integer("seed", seed, 0, 2**63 - 1)
    if dtype not in (torch.int32, torch.int64):
        raise ValueError(f"dtype: expected torch.int32 or int64, got {dtype}")
    if dtype == torch.int32 and num_nodes > torch.iinfo(torch.int32).max:
        raise ValueError(f"dtype: expected torch.int64 for {num_nodes} nodes, got torch.int32")
