"""Shared parts of the fused backends: the arguments of the kernels."""

from __future__ import annotations

from torch import Tensor

from gatsparse.graph import CSRGraph

#: The last arguments of every operator: the graph and the options.
GRAPH_AND_OPTIONS = (
    "Tensor[] csr, Tensor[] csr_t, bool add_self_loops, float negative_slope, "
    "float dropout, Tensor? seed"
)


def padded_heads(heads: int) -> int:
    """Number of heads, rounded up to the kernels' vector width."""
    return next((n for n in (1, 4, 8) if heads <= n), (heads + 15) // 16 * 16)


def contiguous(*tensors: Tensor | None) -> list[Tensor | None]:
    """The tensors in the contiguous format that the kernels read."""
    return [None if t is None else t.contiguous() for t in tensors]


def csr_arguments(graph: CSRGraph, save: bool) -> tuple[list[Tensor], list[Tensor]]:
    """``csr`` and ``csr_t`` of a graph; the transpose only if a backward pass may read it."""
    return list(graph.csr), list(graph.csr_t) if save else []
