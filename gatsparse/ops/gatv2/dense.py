"""The dense backend of GATv2; see :mod:`gatsparse.ops.dense`."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from gatsparse.graph import CSRGraph
from gatsparse.ops.dense import dense_attention
from gatsparse.ops.edge_list import EdgeList
from gatsparse.ops.gatv2.inputs import Inputs
from gatsparse.ops.options import Options, combine_heads


def gatv2_attention(
    inputs: Inputs, bias: Tensor | None, concat: bool, graph: CSRGraph | EdgeList, options: Options
) -> Tensor:
    """See :func:`gatsparse.ops.gatv2_attention`."""
    z = inputs.x_dst.to(inputs.score_dtype)[:, None] + inputs.x_src[None]
    score = (F.leaky_relu(z, options.negative_slope) * inputs.att).sum(-1)
    return combine_heads(dense_attention(inputs.x_src, score, graph, options), bias, concat)
