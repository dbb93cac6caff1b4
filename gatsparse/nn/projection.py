"""The projection of node features, dense or sparse."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.nn import Linear

from gatsparse.nn.overrides import is_changed
from gatsparse.ops import sparse_linear
from gatsparse.ops.native import wants_grad
from gatsparse.tracing import is_traced

#: Node features, or those of sources and of destinations.
Features = Tensor | tuple[Tensor, Tensor | None]

#: Layouts of the features that layers take.
LAYOUTS = (torch.strided, torch.sparse_csr, torch.sparse_csc, torch.sparse_coo)


def project(lin: torch.nn.Module, x: Tensor) -> Tensor:
    """``lin(x)`` of dense or sparse features.

    Features that are not dense stay sparse if :obj:`lin` is a plain linear layer. Gradients of
    ``sparse_csr`` features are those of their values; of other layouts they are dense, as in PyG.
    """
    if x.layout == torch.strided:
        return lin(x)
    plain = type(lin) in (Linear, torch.nn.Linear) and not is_changed(lin)
    if not plain or is_traced(x):
        return lin(x.to_dense())
    return sparse_linear(x, lin.weight, lin.bias)  # pyright: ignore[reportArgumentType]


def for_pyg(x: Features) -> Features:
    """Features for PyG's own forward pass: dense, unless that would lose gradients."""
    if not isinstance(x, Tensor):
        return tuple(None if t is None else for_pyg(t) for t in x)  # pyright: ignore
    keeps = x.layout == torch.strided or (x.layout != torch.sparse_csr and wants_grad(x))
    return x if keeps else x.to_dense()
