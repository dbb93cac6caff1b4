r"""Asymmetry of attention: how much the weights of an edge and of its reverse differ.

The asymmetry of two weights is :math:`|a - b| / (a + b)`: 0 if they are equal, 1 if one of them
is 0. Asymmetric attention says little by itself, because each destination has a softmax of its
own: equal weights, one over the degree, are asymmetric as well. The asymmetry is therefore
computed for the four weights of :data:`WEIGHTS`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch_geometric.data import Data

import gatsparse
from benchmarks.experiments.claims.noise import equal_weights
from gatsparse.nn import attention_weights
from gatsparse.nn.attention_weights import LayerAttention

THRESHOLD = 0.1
_LAYERS = (gatsparse.GATConv, gatsparse.GATv2Conv)

#: Weights of an edge j -> i, and what their asymmetry shows.
WEIGHTS = {
    "equal": "equal weights, 1 / deg_i: what degrees alone give, without any attention",
    "attention": "the attention, alpha_ij: of degrees, normalisation and scores together",
    "relative": "alpha_ij deg_i, the attention relative to equal weights: what degrees alone do "
    "not explain; a softmax over two different neighbourhoods makes it differ even where the "
    "scores are symmetric",
    "score": "exp(score_ij), before the softmax: of the function that was learned, alone",
}


class Asymmetry(NamedTuple):
    """Statistics over all pairs of nodes with edges in both directions, averaged over heads.

    Args:
        mean (float): Mean over the pairs.
        median (float): Median over the pairs.
        above (float): Share of the pairs above :data:`THRESHOLD`.
    """

    mean: float
    median: float
    above: float


def asymmetries(attention: LayerAttention, scores: Tensor) -> dict[str, Asymmetry]:
    """Returns the asymmetry of each of :data:`WEIGHTS` in a layer.

    Args:
        attention (LayerAttention): Attention on a graph without duplicate edges.
        scores (Tensor): Scores ``[E', H]`` of its edges.

    Raises:
        ValueError: If no edge has a reverse.
    """
    edge_index = attention.edge_index
    pairs = reciprocal(edge_index)
    if pairs.size(1) == 0:
        raise ValueError("edge_index: expected edges in both directions, got none")
    equal, alpha = equal_weights(edge_index[1]).log(), attention.alpha.log()
    logarithms = {"equal": equal, "attention": alpha, "relative": alpha - equal, "score": scores}
    return {name: asymmetry(*logarithms[name][pairs]) for name in WEIGHTS}


def asymmetry(a: Tensor, b: Tensor) -> Asymmetry:
    """Returns the asymmetry of two weights from their logarithms ``[P, H]`` per pair and head."""
    values = ((a - b).abs() / 2).tanh()  # = |exp a - exp b| / (exp a + exp b)
    mean, median = values.mean(0), values.quantile(0.5, dim=0)
    above = (values > THRESHOLD).to(values.dtype).mean(0)
    return Asymmetry(*(statistic.mean().item() for statistic in (mean, median, above)))


def reciprocal(edge_index: Tensor) -> Tensor:
    """Returns positions ``[2, P]`` of the edges j -> i and i -> j, for every j < i with both."""
    src, dst = edge_index
    num_nodes = int(edge_index.max()) + 1
    key, order = (src * num_nodes + dst).sort()
    forward = (src < dst).nonzero().flatten()
    wanted = (dst * num_nodes + src)[forward]
    place = torch.searchsorted(key, wanted).clamp(max=key.numel() - 1)
    both = key[place] == wanted
    return torch.stack([forward[both], order[place[both]]])


@torch.no_grad()
def layer_scores(layer: torch.nn.Module, x: Tensor, edge_index: Tensor) -> Tensor:
    """Returns the scores ``[E, H]`` of a GAT or GATv2 layer, as defined in the papers.

    Args:
        layer (torch.nn.Module): A :class:`gatsparse.GATConv` or :class:`gatsparse.GATv2Conv`.
        x (Tensor): ``[N, F]``, input of the layer.
        edge_index (Tensor): int64 ``[2, E]``.
    """
    src, dst = edge_index
    x = x if x.layout == torch.strided else x.to_dense()
    if isinstance(layer, gatsparse.GATv2Conv):
        pair = layer.lin_l(x)[src] + layer.lin_r(x)[dst]
        pair = pair.view(-1, layer.heads, layer.out_channels)
        return (F.leaky_relu(pair, layer.negative_slope) * layer.att).sum(-1)
    assert isinstance(layer, gatsparse.GATConv)
    assert layer.lin is not None
    x = layer.lin(x).view(-1, layer.heads, layer.out_channels)
    alpha_src, alpha_dst = (x * layer.att_src).sum(-1), (x * layer.att_dst).sum(-1)
    return F.leaky_relu(alpha_src[src] + alpha_dst[dst], layer.negative_slope)


def attention_and_scores(model: torch.nn.Module, data: Data) -> list[tuple[LayerAttention, Tensor]]:
    """Returns attention and scores ``[E', H]`` of every layer of a model on :obj:`data`."""
    layers = {name: m for name, m in model.named_modules() if isinstance(m, _LAYERS)}
    inputs: dict[torch.nn.Module, Tensor] = {}

    def keep(layer: torch.nn.Module, args: tuple[Any, ...]) -> None:
        inputs[layer] = args[0]

    handles = [layer.register_forward_pre_hook(keep) for layer in layers.values()]
    found = attention_weights(model, data)
    for handle in handles:
        handle.remove()
    called = [(attention, layers[attention.name]) for attention in found]
    return [(a, layer_scores(layer, inputs[layer], a.edge_index)) for a, layer in called]
