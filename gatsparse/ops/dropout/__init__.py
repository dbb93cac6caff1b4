"""Dropout of activations, alone or after ELU, with the generator of attention dropout."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from gatsparse import _native
from gatsparse.checks import check_instance, check_share
from gatsparse.ops.autograd import (
    differentiable,
    past_autograd,
    wants_grad,
)
from gatsparse.ops.kernel_support import unmet
from gatsparse.ops.philox import draw_seed

#: Names of the layouts that :func:`dropout` supports, for error messages.
_NAMES = {
    torch.strided: "dense",
    torch.sparse_csr: "sparse_csr",
    torch.sparse_csc: "sparse_csc",
    torch.sparse_coo: "sparse_coo",
}

_native.LIBRARY.define("dropout(Tensor x, float p, Tensor seed) -> Tensor")
_native.LIBRARY.define("elu_dropout(Tensor x, float p, Tensor? seed) -> Tensor")
_native.LIBRARY.define(
    "elu_dropout_backward(Tensor grad_out, Tensor out, float p, Tensor? seed) -> Tensor"
)
_native.on_gpu("gatsparse.ops.dropout.cuda", "dropout", "elu_dropout", "elu_dropout_backward")


@_native.fake("dropout")
def _(x: Tensor, _p: float, _seed: Tensor) -> Tensor:
    return torch.empty_like(x)


@_native.fake("elu_dropout")
def _(x: Tensor, _p: float, _seed: Tensor | None) -> Tensor:
    return torch.empty_like(x)


@_native.fake("elu_dropout_backward")
def _(grad_out: Tensor, _out: Tensor, _p: float, _seed: Tensor | None) -> Tensor:
    return torch.empty_like(grad_out)


_dropout_again = past_autograd(torch.ops.gatsparse.dropout.default)


def _setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:  # noqa: ARG001
    _x, ctx.p, seed = inputs
    ctx.save_for_backward(seed)


def _backward(ctx: Any, grad: Tensor) -> tuple:
    (seed,) = ctx.saved_tensors
    return _dropout_again(grad.contiguous(), ctx.p, seed), None, None


_dropout = differentiable("dropout", _setup_context, _backward)


_elu_dropout_backward = past_autograd(torch.ops.gatsparse.elu_dropout_backward.default)


def _setup_context_of_elu(ctx: Any, inputs: tuple, output: Tensor) -> None:
    _x, ctx.p, seed = inputs
    ctx.save_for_backward(output, seed)


def _backward_of_elu(ctx: Any, grad: Tensor) -> tuple:
    out, seed = ctx.saved_tensors
    if torch.is_grad_enabled():  # second derivatives may be requested
        kept = grad if seed is None else _dropout(grad.contiguous(), ctx.p, seed)
        return kept * torch.where(out > 0, 1.0, (1 - ctx.p) * out + 1.0), None, None
    return _elu_dropout_backward(grad.contiguous(), out, ctx.p, seed), None, None


_elu_dropout = differentiable("elu_dropout", _setup_context_of_elu, _backward_of_elu)


def dropout(x: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
    r"""Sets elements to 0 with probability :obj:`p`, and scales the others by ``1 / (1 - p)``.

    The same distribution as :func:`torch.nn.functional.dropout`, several times as fast
    on a CPU: the random numbers are Philox4x32-10 of a seed and the position, computed in
    parallel, and the backward pass draws them again instead of keeping a mask. The seed
    is drawn from torch's generator. If no kernel is available, torch's dropout is used.

    In a sparse matrix the stored values are dropped: other values are zero in any case, so the
    distribution is that of the dense matrix. Dropped values stay stored, as zeros, and the result
    has the same indices as :obj:`x`; a ``sparse_coo`` matrix is coalesced.

    Args:
        x (Tensor): Floating-point tensor of any shape, dense, ``sparse_csr``, ``sparse_csc`` or
            ``sparse_coo``.
        p (float, optional): Probability in 0 .. 1.
        training (bool, optional): Returns :obj:`x` if False.

    Returns:
        Tensor: Same shape, dtype and layout as :obj:`x`.

    Raises:
        TypeError: If :obj:`x` is not such a tensor, or :obj:`p` is not a number.
        ValueError: If :obj:`p` is not in 0 .. 1.

    Example:
        >>> import torch
        >>> from gatsparse.nn import dropout
        >>> x = dropout(torch.ones(10_000), p=0.6)
        >>> x.unique()
        tensor([0.0000, 2.5000])
        >>> 0.55 < float((x == 0).float().mean()) < 0.65
        True
    """
    _check(x, p, *_NAMES)
    if not training or p == 0.0:
        return x
    if x.layout != torch.strided:
        return _sparse_dropout(x, p)
    if p == 1.0 or unmet(x):
        return F.dropout(x, p)
    return _dropout(x.contiguous(), p, draw_seed(x.device))


def elu_dropout(x: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
    r"""ELU, then :func:`dropout`, in one pass over :obj:`x`.

    .. math::
        \mathrm{ELU}(x) = \max(0, x) + \min(0, \exp(x) - 1)

    The same elements are dropped as by :func:`dropout`. The backward pass needs only
    the result. If no kernel is available, torch's functions are used.

    Args:
        x (Tensor): Dense floating-point tensor of any shape.
        p (float, optional): Probability in 0 .. 1.
        training (bool, optional): ELU alone if False.

    Returns:
        Tensor: Same shape and dtype as :obj:`x`.

    Raises:
        TypeError: If :obj:`x` is not such a tensor, or :obj:`p` is not a number.
        ValueError: If :obj:`p` is not in 0 .. 1.

    Example:
        >>> import torch
        >>> from gatsparse.nn import elu_dropout
        >>> elu_dropout(torch.tensor([-1.0, 0.0, 2.0]), p=0.6, training=False)
        tensor([-0.6321,  0.0000,  2.0000])
    """
    _check(x, p, torch.strided)
    p = p if training else 0.0
    if p == 1.0 or unmet(x):
        return F.dropout(F.elu(x), p)
    return _elu_dropout(x.contiguous(), p, None if p == 0.0 else draw_seed(x.device))


def changeable_elu(x: Tensor) -> Tensor:
    """ELU of a contiguous tensor by the kernels. As with torch's function, and other than that of
    :func:`elu_dropout`, its result may be changed in place.
    """
    return _ChangeableELU.apply(x) if wants_grad(x) else _elu_dropout(x, 0.0, None)  # pyright: ignore


class _ChangeableELU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        out = _elu_dropout(x, 0.0, None)
        ctx.save_for_backward(x)
        ctx.out, ctx.version = out.detach(), out._version
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        (x,) = ctx.saved_tensors
        if torch.is_grad_enabled() or ctx.out._version != ctx.version:
            return torch.ops.aten.elu_backward(grad, 1.0, 1.0, 1.0, False, x)
        return _elu_dropout_backward(grad.contiguous(), ctx.out, 0.0, None)


# torch.compile cannot trace sparse tensors, nor their values.
@torch.compiler.disable()
def _sparse_dropout(x: Tensor, p: float) -> Tensor:
    x = x.coalesce() if x.layout == torch.sparse_coo else x
    return _with_values(x, dropout(_values(x), p))


def _check(x: Tensor, p: float, *layouts: torch.layout) -> None:
    check_instance("x", x, Tensor, "a tensor")
    if x.layout not in layouts:
        *names, last = (_NAMES[layout] for layout in layouts)
        expected = f"{', '.join(names)} or {last}" if names else last
        raise TypeError(f"x: expected a {expected} tensor, got {x.layout}")
    if not x.is_floating_point():
        raise TypeError(f"x: expected a floating point tensor, got {x.dtype}")
    check_share("p", p)


class _ValuesOfCSC(torch.autograd.Function):
    """The values of a ``sparse_csc`` matrix, which torch cannot differentiate. The gradient is
    dense, as for a product with such a matrix.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.values().clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        (x,) = ctx.saved_tensors
        return _with_values(x.detach(), grad).to_dense()


def _values(x: Tensor) -> Tensor:
    """The values of a sparse matrix, with gradients."""
    csc = x.layout == torch.sparse_csc and wants_grad(x)
    return _ValuesOfCSC.apply(x) if csc else x.values()  # pyright: ignore[reportReturnType]


def _with_values(x: Tensor, values: Tensor) -> Tensor:
    """A sparse matrix with other values; a ``sparse_coo`` matrix must be coalesced."""
    if x.layout == torch.sparse_coo:
        return torch.sparse_coo_tensor(
            x.indices(), values, x.shape, check_invariants=False, is_coalesced=True
        )
    by_row = x.layout == torch.sparse_csr
    return torch.sparse_compressed_tensor(
        x.crow_indices() if by_row else x.ccol_indices(),
        x.col_indices() if by_row else x.row_indices(),
        values,
        x.shape,
        layout=x.layout,
        check_invariants=False,
    )
