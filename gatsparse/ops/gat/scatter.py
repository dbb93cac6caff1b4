"""The scatter backend of GAT: edge-wise message passing, as in the paper.

It builds the per-edge tensors, so it costs memory and time; it can be read beside
the formula, run on any device and differentiated twice.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from gatsparse.graph import CSRGraph
from gatsparse.ops.backend import transformed
from gatsparse.ops.gat.edges import edges
from gatsparse.ops.philox import edge_dropout

try:
    import torch_scatter
except (ImportError, OSError):  # OSError: one that was built for another torch
    torch_scatter = None


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


def gat_attention_weights(
    alpha_src: Tensor,
    alpha_dst: Tensor,
    graph: CSRGraph,
    add_self_loops: bool,
    negative_slope: float,
    dropout: float,
    seed: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """See :func:`gatsparse.ops.gat_attention_weights`."""
    edge_index, edge = edges(graph, add_self_loops)
    j, i = edge_index
    score = F.leaky_relu(alpha_src[j] + alpha_dst[i], negative_slope)
    alpha = scatter_softmax(score, i, graph.num_dst)
    if seed is not None:
        alpha = alpha * edge_dropout(edge, alpha.size(1), dropout, seed, alpha.dtype)
    return edge_index, alpha


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
    """See :func:`gatsparse.ops.gat_attention`."""
    (j, i), alpha = gat_attention_weights(
        alpha_src, alpha_dst, graph, add_self_loops, negative_slope, dropout, seed
    )
    message = alpha.to(x.dtype)[:, :, None] * x[j]
    return x.new_zeros(graph.num_dst, *x.shape[1:]).index_add(0, i, message)
