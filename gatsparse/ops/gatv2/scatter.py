"""The scatter backend of GATv2; see :mod:`gatsparse.ops.scatter`."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from gatsparse.graph import CSRGraph
from gatsparse.ops.edge_list import EdgeList
from gatsparse.ops.gatv2.inputs import Inputs
from gatsparse.ops.options import Options, combine_heads
from gatsparse.ops.scatter import Edges, attention_weights, edge_rows, edges, weighted_sum


def gatv2_attention_weights(
    inputs: Inputs, graph: CSRGraph | EdgeList, options: Options
) -> tuple[Tensor, Tensor]:
    """See :func:`gatsparse.ops.gatv2_attention_weights`."""
    attended, alpha = _attention(inputs, graph, options)
    return attended.without_replaced(alpha)


def gatv2_attention(
    inputs: Inputs, bias: Tensor | None, concat: bool, graph: CSRGraph | EdgeList, options: Options
) -> Tensor:
    """See :func:`gatsparse.ops.gatv2_attention`."""
    attended, alpha = _attention(inputs, graph, options)
    return combine_heads(weighted_sum(inputs.x_src, attended, alpha, graph), bias, concat)


def _attention(
    inputs: Inputs, graph: CSRGraph | EdgeList, options: Options
) -> tuple[Edges, Tensor]:
    attended = edges(graph, options.add_self_loops)
    j, i = attended.edge_index
    x_src = inputs.x_src.to(inputs.score_dtype)
    z = x_src.index_select(0, j) + inputs.x_dst.index_select(0, i)
    if inputs.edge is not None:
        z = z + edge_rows(inputs.edge, inputs.loop)
    score = (F.leaky_relu(z, options.negative_slope) * inputs.att).sum(-1)
    return attended, attention_weights(score, attended, graph, options)
