"""Attention over all layers, and the attention to direct neighbours by layer."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gatsparse.explain.class_attention import equal_weights
from gatsparse.nn import LayerAttention


def residual_shares(model: torch.nn.Module, names: list[str]) -> list[float]:
    """Returns the weight of the residual connection of each layer in the rollout: 0.5 or 0.

    Args:
        model (torch.nn.Module): The model.
        names (list of str): Names of its layers.
    """
    modules: list[Any] = [model.get_submodule(name) for name in names]
    return [0.5 if getattr(module, "residual", False) else 0.0 for module in modules]


def rollout(layers: list[LayerAttention], residual: list[float], num_nodes: int) -> list[Tensor]:
    r"""Returns how the attention of node 0 is distributed over the nodes before each layer.

    Attention rollout: the product of the attention matrices of the layers, each averaged over its
    heads, :math:`r I + (1 - r) A`. Abnar and Zuidema, `"Quantifying Attention Flow in Transformers"
    <https://arxiv.org/abs/2005.00928>`_, ACL 2020.

    Args:
        layers (list of LayerAttention): The layers, which follow one another.
        residual (list of float): :math:`r` of each layer.
        num_nodes (int): Number of nodes.

    Returns:
        list of Tensor: float64 ``[N]`` for the input of each layer, and last for the output, where
        node 0 has everything. Each sums to 1 if every node has an in-edge.
    """
    share = torch.zeros(num_nodes, dtype=torch.float64)
    share[0] = 1.0
    steps = [share]
    for layer, r in zip(reversed(layers), reversed(residual), strict=True):
        src, dst = layer.edge_index
        passed = share[dst] * layer.alpha.double().mean(dim=1)
        share = r * share + (1 - r) * torch.zeros_like(share).index_add_(0, src, passed)
        steps.append(share)
    return steps[::-1]


def direct_attention(layers: list[LayerAttention], num_nodes: int) -> tuple[Tensor, Tensor]:
    """Returns the attention of node 0 to each node, and the weights if all in-edges were equal.

    Both are averaged over heads, and summed over parallel edges.

    Args:
        layers (list of LayerAttention): The layers.
        num_nodes (int): Number of nodes.

    Returns:
        tuple of Tensor: float64 ``[N, L]`` each.
    """
    attention = torch.zeros(num_nodes, len(layers), dtype=torch.float64)
    equal = torch.zeros_like(attention)
    for k, layer in enumerate(layers):
        src, dst = layer.edge_index
        here = dst == 0
        attention[:, k].index_add_(0, src[here], layer.alpha[here].double().mean(dim=1))
        equal[:, k].index_add_(0, src[here], equal_weights(layer)[here])
    return attention, equal
