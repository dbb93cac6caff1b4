"""The fused operator alone, and the gather floor that it is measured against."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch_geometric.utils import add_self_loops, remove_self_loops

from benchmarks.config import Layer
from gatsparse import CSRGraph, ops


class Floor:
    r"""The least that a layer can do: for every edge and self-loop, read one row and add it up.

    The same edges in the same order, the same bytes per row and the same threads as the
    operator, and nothing but sums.

    Args:
        edge_index (Tensor): int64 ``[2, E]``.
        num_nodes (int): Number of nodes :math:`N`.
        width (int): Floats of a row, heads times channels.
    """

    def __init__(self, edge_index: Tensor, num_nodes: int, width: int) -> None:
        edge_index, _ = add_self_loops(remove_self_loops(edge_index)[0], num_nodes=num_nodes)
        self._in_edges = CSRGraph.from_edge_index(edge_index, num_nodes)
        self._out_edges = CSRGraph(self._in_edges.csr_t, num_nodes)
        self._rows = torch.randn(num_nodes, width)

    def forward(self) -> Tensor:
        """What the forward pass must gather: over the in-edges of every node."""
        return ops.neighbor_sum(self._rows, self._in_edges)

    def backward(self) -> Tensor:
        """What the backward pass must gather: over the out-edges of every node."""
        return ops.neighbor_sum(self._rows, self._out_edges)

    def both(self) -> None:
        """Forward, then backward."""
        self.forward()
        self.backward()


def forward(
    layer: Layer, size: tuple[int, int], edge_index: Tensor, num_nodes: int
) -> Callable[[], Tensor]:
    """The forward pass of the operator, ``-> [N, H * C]``; the structure is built before.

    Args:
        layer (str): Whose operator.
        size (tuple): ``(H, C)``, heads and channels.
        edge_index (Tensor): int64 ``[2, E]``.
        num_nodes (int): Number of nodes :math:`N`.
    """
    inputs = _inputs(layer, size, num_nodes)
    graph = CSRGraph.from_edge_index(edge_index, num_nodes)
    return lambda: _attention(layer, inputs, graph)


def backward(
    layer: Layer, size: tuple[int, int], edge_index: Tensor, num_nodes: int
) -> Callable[[], object]:
    """The backward pass of the operator, to the gradients of all its inputs.

    Args:
        layer, size, edge_index, num_nodes: As of :func:`forward`.
    """
    inputs = [tensor.requires_grad_() for tensor in _inputs(layer, size, num_nodes)]
    graph = CSRGraph.from_edge_index(edge_index, num_nodes)
    out = _attention(layer, inputs, graph)
    grad = torch.randn_like(out)
    return lambda: torch.autograd.grad(out, inputs, grad, retain_graph=True)


def _inputs(layer: Layer, size: tuple[int, int], num_nodes: int) -> list[Tensor]:
    """``x, att_src, att_dst`` of GAT, ``x_src, x_dst, att`` of GATv2."""
    nodes, parameters = (1, 2) if layer == "GAT" else (2, 1)
    return [torch.randn(num_nodes, *size) for _ in range(nodes)] + [
        torch.randn(1, *size) for _ in range(parameters)
    ]


def _attention(layer: Layer, inputs: list[Tensor], graph: CSRGraph) -> Tensor:
    first, second, third = inputs
    attention = ops.gat_attention if layer == "GAT" else ops.gatv2_attention
    return attention(first, second, third, graph, add_self_loops=True)
