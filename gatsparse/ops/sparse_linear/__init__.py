"""The projection of sparse features, which multiplies only nonzero values."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from gatsparse import _native
from gatsparse.adjacency import as_graph
from gatsparse.graph import CSRGraph
from gatsparse.ops.autograd import (
    differentiable,
    past_autograd,
    refuse_second_derivatives,
    wants_grad,
)
from gatsparse.ops.fused import contiguous, csr_arguments
from gatsparse.ops.kernel_support import unmet
from gatsparse.slow_path import warn_if_slow

_native.LIBRARY.define(
    "sparse_linear(Tensor values, Tensor weight, Tensor? bias, Tensor[] csr, Tensor[] csr_t) "
    "-> Tensor"
)
_native.LIBRARY.define(
    "sparse_linear_backward(Tensor grad_out, Tensor values, Tensor weight, bool of_values, "
    "bool of_weight, Tensor[] csr, Tensor[] csr_t) -> (Tensor grad_values, Tensor grad_weight)"
)
_native.on_gpu("gatsparse.ops.sparse_linear.cuda", "sparse_linear", "sparse_linear_backward")


@_native.fake("sparse_linear")
def _(
    _values: Tensor, weight: Tensor, _bias: Tensor | None, csr: list[Tensor], _csr_t: list[Tensor]
) -> Tensor:
    return weight.new_empty(csr[0].size(0) - 1, weight.size(0))


@_native.fake("sparse_linear_backward")
def _(
    _grad_out: Tensor,
    values: Tensor,
    weight: Tensor,
    of_values: bool,
    of_weight: bool,
    _csr: list[Tensor],
    _csr_t: list[Tensor],
) -> tuple[Tensor, Tensor]:
    out, features = weight.shape
    return (
        values.new_empty(values.size(0) if of_values else 0),
        weight.new_empty(out if of_weight else 0, features),
    )


_sparse_linear_backward = past_autograd(torch.ops.gatsparse.sparse_linear_backward.default)


def _setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:  # noqa: ARG001
    values, weight, bias, csr, csr_t = inputs
    ctx.bias_dtype = None if bias is None else bias.dtype
    ctx.save_for_backward(values, weight, *csr, *csr_t)


def _backward(ctx: Any, grad_out: Tensor) -> tuple:
    values, weight, *indices = ctx.saved_tensors
    csr, csr_t = indices[:3], indices[3:]
    of_values, of_weight, of_bias = ctx.needs_input_grad[:3]
    grad_values = grad_weight = None
    if of_values or of_weight:
        grad_values, grad_weight = _sparse_linear_backward(
            grad_out.contiguous(), values, weight, of_values, of_weight, csr, csr_t
        )
    return (
        grad_values if of_values else None,
        grad_weight if of_weight else None,
        grad_out.sum(0, dtype=ctx.bias_dtype) if of_bias else None,
        [None] * len(csr),
        [None] * len(csr_t),
    )


_DENSE = (
    "torch.nn.functional.linear with x.to_dense(), or gatsparse.accelerate with functions=False"
)
_sparse_linear = differentiable("sparse_linear", _setup_context, _backward, _DENSE)
refuse_second_derivatives("sparse_linear", _DENSE)


# torch.compile cannot trace sparse tensors, nor their values.
@torch.compiler.disable()
def sparse_linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    r"""Projects sparse features, in time proportional to the number of stored values.

    .. math::
        \mathrm{out} = x W^{\top} + b

    as :func:`torch.nn.functional.linear` of ``x.to_dense()``. The weight's gradient is summed
    over the same values, by the transpose of :obj:`x`. The transpose is built once for all
    matrices that share their indices, such as the results of :func:`gatsparse.nn.dropout`.
    Each row of the result is written by one thread, so the result is the same for any number
    of threads. Stored zeros are skipped like values that are not stored.

    Args:
        x (Tensor): ``sparse_csr``, ``sparse_csc`` or ``sparse_coo`` ``[N, F]`` of float32, float64
            or bfloat16, sorted or not; an entry that is stored twice counts twice.
        weight (Tensor): ``[O, F]``, of the dtype of :obj:`x`.
        bias (Tensor, optional): ``[O]``.

    Returns:
        Tensor: Dense ``[N, O]``. It is differentiable in :obj:`weight`, :obj:`bias` and :obj:`x`,
        whose gradient is that of its values if it is ``sparse_csr``, else dense.

    Raises:
        TypeError: If an argument is not a tensor, or dtypes differ.
        ValueError: If :obj:`x` is not such a matrix, or shapes contradict each other.

    Example:
        >>> import torch
        >>> from gatsparse.nn import sparse_linear
        >>> x, weight = torch.eye(3).to_sparse_coo(), torch.arange(6.0).view(2, 3)
        >>> sparse_linear(x, weight)
        tensor([[0., 3.],
                [1., 4.],
                [2., 5.]])
    """
    _check(x, weight, bias)
    if x.layout != torch.sparse_csr and wants_grad(x):
        return F.linear(x, weight, bias)
    graph = as_graph(x, (x.size(1), x.size(0)))
    values = x._values() if x.layout == torch.sparse_coo and not x.is_coalesced() else x.values()
    if x.layout != torch.sparse_csr:
        values = values.index_select(0, graph.perm)
    if reasons := unmet(weight, values, bias):
        what = "the projection of a sparse matrix of {:,} values"
        warn_if_slow(what, "index_add", reasons, values.numel())
        rows = values[:, None] * weight.t()[graph.col.long()]
        out = rows.new_zeros(graph.num_dst, weight.size(0)).index_add(0, graph.csr.row(), rows)
        return out if bias is None else out + bias
    return sparse_linear_by_row(values, graph, weight, bias)


def sparse_linear_by_row(
    values: Tensor, graph: CSRGraph, weight: Tensor, bias: Tensor | None
) -> Tensor:
    """:func:`sparse_linear` of a matrix whose transpose is the adjacency of :obj:`graph`, by the
    kernels.

    Args:
        values (Tensor): ``[E]``, the stored values, sorted by row as the edges of :obj:`graph` are.
        graph (CSRGraph): Its columns are the sources, its rows the destinations.
        weight, bias (Tensor): As in :func:`sparse_linear`.
    """
    csr, csr_t = csr_arguments(graph, wants_grad(weight))
    return _sparse_linear(*contiguous(values, weight, bias), csr, csr_t)


def _check(x: Tensor, weight: Tensor, bias: Tensor | None) -> None:
    given = {"x": x, "weight": weight} | ({} if bias is None else {"bias": bias})
    for name, tensor in given.items():
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{name}: expected a tensor, got {type(tensor).__name__}")
        if not tensor.is_floating_point() or tensor.dtype != x.dtype:
            expected = "a floating point tensor" if name == "x" else f"{x.dtype} to match x"
            raise TypeError(f"{name}: expected {expected}, got {tensor.dtype}")
        if tensor.device != x.device:
            raise ValueError(
                f"{name}: expected a tensor on {x.device} to match x, got {tensor.device}"
            )
    sparse = x.layout in (torch.sparse_csr, torch.sparse_csc, torch.sparse_coo)
    if not sparse or x.dim() != 2 or (x.is_sparse and x.dense_dim() > 0):
        raise ValueError(
            "x: expected a sparse_csr, sparse_csc or sparse_coo matrix [N, F], "
            f"got {x.layout} {list(x.shape)}"
        )
    if weight.dim() != 2 or weight.size(1) != x.size(1):
        raise ValueError(f"weight: expected shape [O, {x.size(1)}], got {list(weight.shape)}")
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(f"bias: expected shape [{weight.size(0)}], got {list(bias.shape)}")
