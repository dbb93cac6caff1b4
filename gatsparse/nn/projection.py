"""The projection of node features, dense or sparse."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torch_geometric.nn import Linear

from gatsparse.nn.large_linear import is_large, large_linear
from gatsparse.nn.overrides import is_changed
from gatsparse.ops import sparse_linear
from gatsparse.ops.autograd import wants_grad
from gatsparse.ops.kernel_support import is_autocast
from gatsparse.slow_path import warn_if_slow
from gatsparse.tracing import is_traced

#: Node features, or features of sources and of destinations.
Features = Tensor | tuple[Tensor, Tensor | None]

#: Linear layers whose product may be computed otherwise.
_PLAIN = (Linear, torch.nn.Linear)

#: Layouts of the features that layers take.
LAYOUTS = (torch.strided, torch.sparse_csr, torch.sparse_csc, torch.sparse_coo)


def _without_products() -> set[torch.dtype]:
    """16-bit dtypes for which this processor has no fast matrix products."""
    slow = set()
    for dtype, name in ((torch.bfloat16, "bf16"), (torch.float16, "fp16")):
        try:
            supported = getattr(torch.ops.mkldnn, f"_is_mkldnn_{name}_supported")()
        except AttributeError:  # torch without oneDNN
            supported = False
        if not supported:
            slow.add(dtype)
    return slow


_SLOW = _without_products()


def project(lin: torch.nn.Module, x: Tensor) -> Tensor:
    """``lin(x)`` of dense or sparse features.

    Sparse features stay sparse if :obj:`lin` is a plain linear layer. Gradients of ``sparse_csr``
    features are gradients of their values; for other layouts they are dense, as in PyG.

    On processors without 16-bit matrix products, a plain linear layer in bfloat16 or float16
    computes in float32 and rounds the result, which is several times as fast.
    """
    dtype = torch.get_autocast_dtype(x.device.type) if is_autocast(x) else x.dtype
    if x.layout == torch.strided and not (dtype in _SLOW and x.is_cpu):
        large = type(lin) in _PLAIN and is_large(x, lin.weight, lin.bias)
        if large and not is_changed(lin):
            return large_linear(x, lin.weight, lin.bias)  # pyright: ignore[reportArgumentType]
        return lin(x)
    plain = type(lin) in _PLAIN and not is_changed(lin)
    if not plain or is_traced(x):
        if x.layout == torch.strided:
            return lin(x)
        if not plain:
            reason = f"{type(lin).__name__} is not a plain Linear layer, or has hooks"
            what = "the projection of a sparse matrix of {:,} values"
            warn_if_slow(what, "its dense matrix", [reason], x._nnz())
        return lin(x.to_dense())
    weight, bias = lin.weight, lin.bias
    if x.layout != torch.strided:
        return sparse_linear(x, weight, bias)  # pyright: ignore[reportArgumentType]
    if not (x.is_floating_point() and weight.is_floating_point()):  # pyright: ignore
        return lin(x)
    with torch.autocast("cpu", enabled=False):
        given = (None if t is None else t.to(dtype).float() for t in (x, weight, bias))
        return F.linear(*given).to(dtype)  # pyright: ignore[reportArgumentType]


def for_pyg(x: Features) -> Features:
    """Features for PyG's own forward pass: dense, unless that would lose gradients."""
    if not isinstance(x, Tensor):
        return tuple(None if t is None else for_pyg(t) for t in x)  # pyright: ignore
    keeps = x.layout == torch.strided or (x.layout != torch.sparse_csr and wants_grad(x))
    return x if keeps else x.to_dense()
