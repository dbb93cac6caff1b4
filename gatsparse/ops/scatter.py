"""Edge-wise message passing, as in the papers, shared by the scatter backends.

It builds the per-edge tensors, which costs memory and time. The code follows the formulas, runs on
any device, can be differentiated twice, and can be recorded by any tracer, because no shape depends
on the values of a tensor.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gatsparse.graph import CSRGraph
from gatsparse.ops.backend import has_tangent
from gatsparse.ops.edge_list import EdgeList
from gatsparse.ops.options import Options
from gatsparse.ops.philox import edge_dropout
from gatsparse.tracing import is_traced


@cache
def torch_scatter() -> Any:
    """The package torch-scatter, or None if it is missing or was built for another torch."""
    try:
        import torch_scatter  # pyright: ignore[reportMissingImports]
    except (ImportError, OSError):  # OSError: a library that cannot be loaded
        return None
    return torch_scatter


class Edges(NamedTuple):
    """The edges that attention is computed for.

    Args:
        edge_index (Tensor): int64 ``[2, E']``: the edges of the graph in the caller's order, then
            the self-loops that are added.
        replaced (Tensor, optional): bool ``[E']``: the self-loops of the graph, which get no
            attention where self-loops are added.
    """

    edge_index: Tensor
    replaced: Tensor | None

    @property
    def number(self) -> Tensor:
        """Number that identifies each edge in dropout, int64 ``[E']``."""
        return torch.arange(self.edge_index.size(1), device=self.edge_index.device)

    def without_replaced(self, alpha: Tensor) -> tuple[Tensor, Tensor]:
        """Edges ``[2, E'']`` and attention ``[E'', H]`` in the order of PyG's
        ``add_self_loops``.
        """
        if self.replaced is None:
            return self.edge_index, alpha
        kept = ~self.replaced
        return self.edge_index[:, kept], alpha[kept]


def edges(graph: CSRGraph | EdgeList, add_self_loops: bool) -> Edges:
    """The edges of a graph, and the loops ``i -> i`` of all nodes that are both a source and a
    destination if self-loops are added.
    """
    edge_index = graph.edge_index()
    if not add_self_loops:
        return Edges(edge_index, None)
    loop = torch.arange(min(graph.size), device=graph.device)
    replaced = torch.cat([edge_index[0] == edge_index[1], torch.zeros_like(loop, dtype=torch.bool)])
    return Edges(torch.cat([edge_index, loop.expand(2, -1)], dim=1), replaced)


def edge_rows(edge: Tensor, loop: Tensor | None) -> Tensor:
    """The features of all :class:`Edges`: of the graph's edges and of the added loops."""
    return edge if loop is None else torch.cat([edge, loop])


def scatter_softmax(score: Tensor, index: Tensor, num_rows: int) -> Tensor:
    r"""Softmax over the entries of each row.

    torch-scatter computes it where it is installed and no tracer or transform is active.

    Args:
        score (Tensor): ``[E, H]``.
        index (Tensor): int64 ``[E]``, the row of each entry.
        num_rows (int): Number of rows.

    Returns:
        Tensor: ``[E, H]``.
    """
    if not (is_traced(score, index) or has_tangent(score)) and (library := torch_scatter()):
        return library.scatter_softmax(score, index, dim=0, dim_size=num_rows)
    spread = index[:, None].expand_as(score)
    row_max = score.new_full((num_rows, score.size(1)), -torch.inf)
    row_max = row_max.scatter_reduce(0, spread, score.detach(), "amax")
    weight = (score - row_max.index_select(0, index)).exp()
    row_sum = weight.new_zeros(num_rows, score.size(1)).scatter_add(0, spread, weight)
    return weight / row_sum.index_select(0, index)


def attention_weights(
    score: Tensor, edges: Edges, graph: CSRGraph | EdgeList, options: Options
) -> Tensor:
    """``alpha [E', H]`` from ``score [E', H]``: softmax over the edges to each destination, then
    dropout. Replaced edges get 0.
    """
    if edges.replaced is not None:
        score = score.masked_fill(edges.replaced[:, None], -torch.inf)
    alpha = scatter_softmax(score, edges.edge_index[1], graph.num_dst)
    if options.seed is not None:
        heads = alpha.size(1)
        kept = edge_dropout(edges.number, heads, options.dropout, options.seed, alpha.dtype)
        alpha = alpha * kept
    return alpha


def weighted_sum(x: Tensor, edges: Edges, alpha: Tensor, graph: CSRGraph | EdgeList) -> Tensor:
    """``[N_dst, H, C]``: the sum of ``alpha [E', H]`` times ``x [N_src, H, C]`` over in-edges."""
    j, i = edges.edge_index
    message = alpha.to(x.dtype)[:, :, None] * x.index_select(0, j)
    spread = i[:, None, None].expand_as(message)
    return x.new_zeros(graph.num_dst, *x.shape[1:]).scatter_add(0, spread, message)
