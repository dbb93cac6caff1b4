"""The dense backend of GAT: every pair of nodes has a score, and most are masked out.

A reference for small graphs: memory and time grow with the product of the numbers of
source and destination nodes.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from gatsparse.graph import CSRGraph
from gatsparse.ops.gat.edges import edges
from gatsparse.ops.philox import edge_dropout


def gat_attention(
    x: Tensor,
    alpha_src: Tensor,
    alpha_dst: Tensor,
    graph: CSRGraph,
    add_self_loops: bool,
    negative_slope: float,
    dropout: float,
    seed: Tensor | None,
) -> Tensor:
    """See :func:`gatsparse.ops.gat_attention`.

    Of two edges between the same nodes each has a weight of its own: the dense
    attention of a pair is multiplied by how many of its edges there are, and by how
    many dropout keeps.
    """
    edge_index, edge = edges(graph, add_self_loops)
    j, i = edge_index
    kept = alpha_src.new_ones(edge.numel(), alpha_src.size(1))
    count = _per_pair(i, j, kept, graph)
    if seed is not None:
        kept = _per_pair(i, j, edge_dropout(edge, kept.size(1), dropout, seed, kept.dtype), graph)
    else:
        kept = count

    score = F.leaky_relu(alpha_dst[:, None, :] + alpha_src[None, :, :], negative_slope)
    score = score.masked_fill(count == 0, -torch.inf)
    # A destination without edges has no maximum to subtract, and no attention to give.
    row_max = score.detach().amax(1, keepdim=True) if graph.num_src > 0 else score.sum(1, True)
    weight = (score - row_max.masked_fill(row_max == -torch.inf, 0)).exp()
    row_sum = (count * weight).sum(1, keepdim=True)
    alpha = weight / row_sum.masked_fill(count.sum(1, keepdim=True) == 0, 1)
    return torch.einsum("ijh,jhc->ihc", (alpha * kept).to(x.dtype), x)


def _per_pair(i: Tensor, j: Tensor, value: Tensor, graph: CSRGraph) -> Tensor:
    """The sum of ``value [E, H]`` over the edges of each pair, ``[N_dst, N_src, H]``."""
    total = value.new_zeros(graph.num_dst, graph.num_src, value.size(1))
    return total.index_put((i, j), value, accumulate=True)
