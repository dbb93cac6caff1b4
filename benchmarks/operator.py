"""The fused operator alone, and the gather floor that it is compared with."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch_geometric.utils import add_self_loops, remove_self_loops

from benchmarks.config import Layer
from gatsparse import CSRGraph, ops


class Floor:
    r"""The gather floor, the least work of a layer: reads and adds one row per edge and self-loop.

    Edges, their order, bytes per row and threads are those of the operator.

    Args:
        edge_index (Tensor): int64 ``[2, E]``.
        num_nodes (int): Number of nodes :math:`N`.
        width (int): Number of floats in a row, heads times channels.
    """

    def __init__(self, edge_index: Tensor, num_nodes: int, width: int) -> None:
        edge_index, _ = add_self_loops(remove_self_loops(edge_index)[0], num_nodes=num_nodes)
        self._in_edges = CSRGraph.from_edge_index(edge_index, num_nodes)
        self._out_edges = CSRGraph(self._in_edges.csr_t, num_nodes)
        self._rows = torch.randn(num_nodes, width)

    def forward(self) -> Tensor:
        """Sums over the in-edges of every node, as the forward pass does."""
        return ops.neighbor_sum(self._rows, self._in_edges)

    def backward(self) -> Tensor:
        """Sums over the out-edges of every node, as the backward pass does."""
        return ops.neighbor_sum(self._rows, self._out_edges)

    def both(self) -> None:
        """Runs :meth:`forward`, then :meth:`backward`."""
        self.forward()
        self.backward()


def forward(
    layer: Layer, size: tuple[int, int], edge_index: Tensor, num_nodes: int
) -> Callable[[], Tensor]:
    """Returns the forward pass of the operator, ``-> [N, H * C]``, on a CSR graph built before.

    Args:
        layer (str): Layer of the operator.
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
    """Returns the backward pass of the operator, to the gradients of all its inputs.

    Args:
        layer, size, edge_index, num_nodes: See :func:`forward`.
    """
    inputs = [tensor.requires_grad_() for tensor in _inputs(layer, size, num_nodes)]
    graph = CSRGraph.from_edge_index(edge_index, num_nodes)
    out = _attention(layer, inputs, graph)
    grad = torch.randn_like(out)
    return lambda: torch.autograd.grad(out, inputs, grad, retain_graph=True)


def _inputs(layer: Layer, size: tuple[int, int], num_nodes: int) -> list[Tensor]:
    """Returns ``x, att_src, att_dst`` of GAT, or ``x_src, x_dst, att`` of GATv2."""
    nodes, parameters = (1, 2) if layer == "GAT" else (2, 1)
    return [torch.randn(num_nodes, *size) for _ in range(nodes)] + [
        torch.randn(1, *size) for _ in range(parameters)
    ]


def _attention(layer: Layer, inputs: list[Tensor], graph: CSRGraph) -> Tensor:
    first, second, third = inputs
    attention = ops.gat_attention if layer == "GAT" else ops.gatv2_attention
    return attention(first, second, third, graph, add_self_loops=True)
