"""The scatter backend of GATv2; see :mod:`gatsparse.ops.edgewise`."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from gatsparse.graph import CSRGraph
from gatsparse.ops.edgewise import attention_weights, edge_rows, edges, weighted_sum
from gatsparse.ops.gatv2.inputs import Inputs
from gatsparse.ops.options import Options, combine_heads


def gatv2_attention_weights(
    inputs: Inputs, graph: CSRGraph, options: Options
) -> tuple[Tensor, Tensor]:
    """See :func:`gatsparse.ops.gatv2_attention_weights`."""
    edge_index, number = edges(graph, options.add_self_loops)
    j, i = edge_index
    z = inputs.x_src.to(inputs.score_dtype)[j] + inputs.x_dst[i]
    if inputs.edge is not None:
        z = z + edge_rows(inputs.edge, inputs.loop, number)
    score = (F.leaky_relu(z, options.negative_slope) * inputs.att).sum(-1)
    return edge_index, attention_weights(score, i, number, graph, options)


def gatv2_attention(
    inputs: Inputs, bias: Tensor | None, concat: bool, graph: CSRGraph, options: Options
) -> Tensor:
    """See :func:`gatsparse.ops.gatv2_attention`."""
    edge_index, alpha = gatv2_attention_weights(inputs, graph, options)
    return combine_heads(weighted_sum(inputs.x_src, edge_index, alpha, graph), bias, concat)
