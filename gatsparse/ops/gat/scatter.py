"""The scatter backend of GAT; see :mod:`gatsparse.ops.scatter`."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from gatsparse.graph import CSRGraph
from gatsparse.ops.edge_list import EdgeList
from gatsparse.ops.gat.inputs import Inputs
from gatsparse.ops.options import Options, combine_heads
from gatsparse.ops.scatter import Edges, attention_weights, edge_rows, edges, weighted_sum


def gat_attention_weights(
    inputs: Inputs, graph: CSRGraph | EdgeList, options: Options
) -> tuple[Tensor, Tensor]:
    """See :func:`gatsparse.ops.gat_attention_weights`."""
    attended, alpha = _attention(inputs, graph, options)
    return attended.without_replaced(alpha)


def gat_attention(
    inputs: Inputs, bias: Tensor | None, concat: bool, graph: CSRGraph | EdgeList, options: Options
) -> Tensor:
    """See :func:`gatsparse.ops.gat_attention`."""
    attended, alpha = _attention(inputs, graph, options)
    return combine_heads(weighted_sum(inputs.x, attended, alpha, graph), bias, concat)


def _attention(
    inputs: Inputs, graph: CSRGraph | EdgeList, options: Options
) -> tuple[Edges, Tensor]:
    attended = edges(graph, options.add_self_loops)
    j, i = attended.edge_index
    alpha_src, alpha_dst = inputs.node_terms(graph)
    score = alpha_src.index_select(0, j) + alpha_dst.index_select(0, i)
    if inputs.edge is not None:
        score = score + edge_rows(inputs.edge, inputs.loop)
    score = F.leaky_relu(score, options.negative_slope)
    return attended, attention_weights(score, attended, graph, options)
