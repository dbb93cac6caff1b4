"""The scatter backend of GAT; see :mod:`gatsparse.ops.edgewise`."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from gatsparse.graph import CSRGraph
from gatsparse.ops.edgewise import attention_weights, edge_rows, edges, weighted_sum
from gatsparse.ops.gat.inputs import Inputs
from gatsparse.ops.options import Options, combine_heads


def gat_attention_weights(
    inputs: Inputs, graph: CSRGraph, options: Options
) -> tuple[Tensor, Tensor]:
    """See :func:`gatsparse.ops.gat_attention_weights`."""
    edge_index, number = edges(graph, options.add_self_loops)
    j, i = edge_index
    alpha_src, alpha_dst = inputs.node_terms(graph)
    score = alpha_src[j] + alpha_dst[i]
    if inputs.edge is not None:
        score = score + edge_rows(inputs.edge, inputs.loop, number)
    score = F.leaky_relu(score, options.negative_slope)
    return edge_index, attention_weights(score, i, number, graph, options)


def gat_attention(
    inputs: Inputs, bias: Tensor | None, concat: bool, graph: CSRGraph, options: Options
) -> Tensor:
    """See :func:`gatsparse.ops.gat_attention`."""
    edge_index, alpha = gat_attention_weights(inputs, graph, options)
    return combine_heads(weighted_sum(inputs.x, edge_index, alpha, graph), bias, concat)
