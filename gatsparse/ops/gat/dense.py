"""The dense backend of GAT; see :mod:`gatsparse.ops.dense`."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from gatsparse.graph import CSRGraph
from gatsparse.ops.dense import dense_attention
from gatsparse.ops.edge_list import EdgeList
from gatsparse.ops.gat.inputs import Inputs
from gatsparse.ops.options import Options, combine_heads


def gat_attention(
    inputs: Inputs, bias: Tensor | None, concat: bool, graph: CSRGraph | EdgeList, options: Options
) -> Tensor:
    """See :func:`gatsparse.ops.gat_attention`."""
    alpha_src, alpha_dst = inputs.node_terms(graph)
    score = F.leaky_relu(alpha_dst[:, None, :] + alpha_src[None, :, :], options.negative_slope)
    return combine_heads(dense_attention(inputs.x, score, graph, options), bias, concat)
