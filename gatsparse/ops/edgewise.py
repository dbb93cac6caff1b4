"""Edge-wise message passing, as in the papers: what the scatter backends share.

It builds the per-edge tensors, so it costs memory and time; it can be read beside the
formulas, run on any device and differentiated twice.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gatsparse.graph import CSRGraph
from gatsparse.ops.backend import transformed
from gatsparse.ops.options import Options
from gatsparse.ops.philox import edge_dropout

try:
    import torch_scatter
except (ImportError, OSError):  # OSError: one that was built for another torch
    torch_scatter = None


def edges(graph: CSRGraph, add_self_loops: bool) -> tuple[Tensor, Tensor]:
    """The edges in the caller's order, and the number by which dropout knows each.

    With self-loops: the edges that are none, then ``i -> i`` for every node that is
    both a source and a destination; the order of PyG's ``add_self_loops``.

    Returns:
        tuple: ``edge_index`` int64 ``[2, E']`` and ``edge`` int64 ``[E']``.
    """
    edge_index = graph.edge_index()
    edge = torch.arange(graph.num_edges, device=graph.device)
    if not add_self_loops:
        return edge_index, edge
    loop = torch.arange(min(graph.size), device=graph.device)
    no_loop = edge_index[0] != edge_index[1]
    return (
        torch.cat([edge_index[:, no_loop], loop.expand(2, -1)], dim=1),
        torch.cat([edge[no_loop], graph.num_edges + loop]),
    )


def edge_rows(edge: Tensor, loop: Tensor | None, number: Tensor) -> Tensor:
    """The rows of edge features that belong to the edges of these numbers."""
    return (edge if loop is None else torch.cat([edge, loop]))[number]


def scatter_softmax(score: Tensor, index: Tensor, num_rows: int) -> Tensor:
    r"""Softmax over the entries of each row.

    torch-scatter's where it is installed, else, and under :func:`torch.compile` and
    ``torch.func``, which know nothing of it, the same in torch's own operations.

    Args:
        score (Tensor): ``[E, H]``.
        index (Tensor): int64 ``[E]``, the row of each entry.
        num_rows (int): Number of rows.

    Returns:
        Tensor: ``[E, H]``.
    """
    traced = torch.compiler.is_compiling() or transformed(score)
    if torch_scatter is not None and not traced:
        return torch_scatter.scatter_softmax(score, index, dim=0, dim_size=num_rows)
    index = index[:, None].expand_as(score)
    row_max = score.new_zeros(num_rows, score.size(1))
    row_max = row_max.scatter_reduce(0, index, score.detach(), "amax", include_self=False)
    weight = (score - row_max.gather(0, index)).exp()
    row_sum = weight.new_zeros(num_rows, score.size(1)).scatter_add(0, index, weight)
    return weight / row_sum.gather(0, index)


def attention_weights(
    score: Tensor, i: Tensor, number: Tensor, graph: CSRGraph, options: Options
) -> Tensor:
    """``alpha [E', H]`` from ``score [E', H]``: softmax over the edges to each ``i``, dropout."""
    alpha = scatter_softmax(score, i, graph.num_dst)
    if options.seed is not None:
        kept = edge_dropout(number, alpha.size(1), options.dropout, options.seed, alpha.dtype)
        alpha = alpha * kept
    return alpha


def weighted_sum(x: Tensor, edge_index: Tensor, alpha: Tensor, graph: CSRGraph) -> Tensor:
    """``[N_dst, H, C]``: the sum of ``alpha [E', H]`` times ``x [N_src, H, C]`` over in-edges."""
    j, i = edge_index
    message = alpha.to(x.dtype)[:, :, None] * x[j]
    return x.new_zeros(graph.num_dst, *x.shape[1:]).index_add(0, i, message)
