"""Sums of neighbours' rows, without attention."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from gatsparse import _native
from gatsparse.graph import CSRGraph
from gatsparse.ops.autograd import differentiable, wants_grad
from gatsparse.ops.fused import csr_arguments
from gatsparse.ops.kernel_support import unmet
from gatsparse.ops.options import check_graph, check_tensor
from gatsparse.slow_path import warn_if_slow

_native.LIBRARY.define("neighbor_sum(Tensor x, Tensor[] csr, Tensor[] csr_t) -> Tensor")
_native.on_gpu("gatsparse.ops.neighbor_sum.cuda", "neighbor_sum")


@_native.fake("neighbor_sum")
def _(x: Tensor, csr: list[Tensor], _csr_t: list[Tensor]) -> Tensor:
    return x.new_empty(csr[0].size(0) - 1, x.size(1))


def _setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:  # noqa: ARG001
    _x, csr, csr_t = inputs
    ctx.save_for_backward(*csr, *csr_t)


def _backward(ctx: Any, grad_out: Tensor) -> tuple:
    csr, csr_t = ctx.saved_tensors[:3], ctx.saved_tensors[3:]
    grad_x = _neighbor_sum(grad_out.contiguous(), csr_t, csr)
    return grad_x, [None] * len(csr), [None] * len(csr_t)


_neighbor_sum = differentiable("neighbor_sum", _setup_context, _backward, "Tensor.index_add")


def neighbor_sum(x: Tensor, graph: CSRGraph) -> Tensor:
    r"""Sums the features of the in-neighbours of every destination.

    .. math::
        \mathrm{out}_i = \sum_{j \in \mathcal{N}(i)} x_j

    It reads the same rows as any graph attention and computes nothing else: the benchmarks
    report the operators as a share of its speed, the gather floor.

    Args:
        x (Tensor): float32, float64 or bfloat16 ``[N_src, F]``.
        graph (CSRGraph): Graph of size ``(N_src, N_dst)``.

    Returns:
        Tensor: ``[N_dst, F]``; a destination without edges gets 0.

    Raises:
        TypeError: If an argument is not a floating-point tensor, or not a CSR graph.
        ValueError: If shapes or devices contradict each other.

    Example:
        >>> import torch
        >>> from gatsparse import CSRGraph
        >>> from gatsparse.ops import neighbor_sum
        >>> graph = CSRGraph.from_edge_index(torch.tensor([[0, 1], [2, 2]]), num_nodes=3)
        >>> neighbor_sum(torch.tensor([[1.0], [2.0], [4.0]]), graph)
        tensor([[0.],
                [0.],
                [3.]])
    """
    check_graph(graph)
    check_tensor("x", x, graph, (graph.num_src, "F"))
    if reasons := unmet(x):
        what = "neighbor_sum of a graph of {:,} edges"
        warn_if_slow(what, "index_add", reasons, graph.num_edges)
        j, i = graph.edge_index()
        return x.new_zeros(graph.num_dst, x.size(1)).index_add(0, i, x[j])
    return _neighbor_sum(x.contiguous(), *csr_arguments(graph, wants_grad(x)))
