"""Attention over all pairs of nodes, most of them masked out, shared by the dense backends.

A reference for small graphs: memory and time grow with the product of the numbers of
source and destination nodes.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gatsparse.graph import CSRGraph
from gatsparse.ops.edge_list import EdgeList
from gatsparse.ops.options import Options
from gatsparse.ops.philox import edge_dropout
from gatsparse.ops.scatter import edges


def dense_attention(
    x: Tensor, score: Tensor, graph: CSRGraph | EdgeList, options: Options
) -> Tensor:
    """Computes ``[N_dst, H, C]`` from the scores of all pairs, ``[N_dst, N_src, H]``.

    Duplicate edges have separate weights: the dense attention of a pair is multiplied by
    the number of its edges or, with dropout, by the sum of their dropout factors.
    """
    attended = edges(graph, options.add_self_loops)
    j, i = attended.edge_index
    heads = score.size(2)
    once = score.new_ones(j.numel(), heads)
    if attended.replaced is not None:
        once = once.masked_fill(attended.replaced[:, None], 0)
    kept = count = _per_pair(i, j, once, graph)
    if options.seed is not None:
        scale = edge_dropout(attended.number, heads, options.dropout, options.seed, once.dtype)
        kept = _per_pair(i, j, once * scale, graph)

    score = score.masked_fill(count == 0, -torch.inf)
    # A destination without edges has no maximum to subtract, and no attention.
    row_max = score.detach().amax(1, keepdim=True) if graph.num_src > 0 else score.sum(1, True)
    weight = (score - row_max.masked_fill(row_max == -torch.inf, 0)).exp()
    row_sum = (count * weight).sum(1, keepdim=True)
    alpha = weight / row_sum.masked_fill(count.sum(1, keepdim=True) == 0, 1)
    return torch.einsum("ijh,jhc->ihc", (alpha * kept).to(x.dtype), x)


def _per_pair(i: Tensor, j: Tensor, value: Tensor, graph: CSRGraph | EdgeList) -> Tensor:
    """The sum of ``value [E, H]`` over the edges of each pair, ``[N_dst, N_src, H]``."""
    total = value.new_zeros(graph.num_dst, graph.num_src, value.size(1))
    return total.index_put((i, j), value, accumulate=True)
