"""The graph that a layer's operator takes: a CSR graph, or a list of edges under tracers."""

from __future__ import annotations

import torch
from torch import Tensor

from gatsparse.adjacency import Adjacency
from gatsparse.graph import CSRGraph
from gatsparse.ops.backend import Backend
from gatsparse.ops.edge_list import EdgeList
from gatsparse.ops.kernel_support import unmet


def operand_graph(
    form: Adjacency, size: tuple[int, int], *features: Tensor | None, backend: Backend = "auto"
) -> CSRGraph | EdgeList:
    """Returns the graph for an operator.

    Building a CSR graph sorts the values of its indices. Therefore it is built only if the indices
    hold data, or if ``torch.compile`` records the kernels together with the sorting.

    Args:
        form (Adjacency): The graph as it was passed.
        size (tuple): ``(N_src, N_dst)``.
        *features (Tensor, optional): Arguments of the operator, first the features of the sources.
        backend (str, optional): The backend that the caller requested.
    """
    if not form.traced:
        return form.graph(size)
    sorts = torch.compiler.is_compiling() and backend in ("auto", "fused")
    if sorts and not unmet(*features, backend=backend, float16=True):  # pyright: ignore
        return form.graph(size)
    return EdgeList(form.edges(), size)
