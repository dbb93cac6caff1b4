"""Dropout of activations, by the same generator as the attention's."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from gatsparse import _native
from gatsparse.adjacency import share_graph
from gatsparse.ops.backend import transformed
from gatsparse.ops.native import differentiable, past_autograd
from gatsparse.ops.philox import draw_seed

_native.LIBRARY.define("dropout(Tensor x, float p, Tensor seed) -> Tensor")


@torch.library.register_fake("gatsparse::dropout", lib=_native.LIBRARY)
def _(x: Tensor, _p: float, _seed: Tensor) -> Tensor:
    return torch.empty_like(x)


_dropout_again = past_autograd(torch.ops.gatsparse.dropout.default)


def _setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:  # noqa: ARG001
    _x, ctx.p, seed = inputs
    ctx.save_for_backward(seed)


def _backward(ctx: Any, grad: Tensor) -> tuple:
    (seed,) = ctx.saved_tensors
    return _dropout_again(grad.contiguous(), ctx.p, seed), None, None


_dropout = differentiable("dropout", _setup_context, _backward)


def dropout(x: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
    r"""Sets elements to 0 with probability :obj:`p`, and the others grow by ``1 / (1 - p)``.

    The same distribution as :func:`torch.nn.functional.dropout`, several times as fast
    on a CPU: the numbers are Philox4x32-10 of a seed and the position, computed in
    parallel, and the backward pass draws them again instead of keeping a mask. The seed
    comes from torch's generator. Where there is no kernel, torch's dropout serves.

    Of a ``sparse_csr`` matrix the stored values are dropped: zeros that are not stored stay
    zero either way, so its distribution is that of the dense matrix. Dropped values stay
    stored, as zeros, and the result has the very indices of :obj:`x`.

    Args:
        x (Tensor): Of floats, any shape, dense or ``sparse_csr``.
        p (float, optional): In 0 .. 1.
        training (bool, optional): Hands :obj:`x` through if False.

    Returns:
        Tensor: Of the shape, dtype and layout of :obj:`x`.

    Raises:
        TypeError: If :obj:`x` is of another layout.
        ValueError: If :obj:`p` is not in 0 .. 1.
    """
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"p: expected 0 <= p <= 1, got {p}")
    if x.layout not in (torch.strided, torch.sparse_csr):
        raise TypeError(f"x: expected a dense or sparse_csr tensor, got {x.layout}")
    if not training or p == 0.0:
        return x
    if x.layout == torch.sparse_csr:
        return _with_values(x, dropout(x.values(), p))
    served = (
        _native.available()
        and x.device.type == "cpu"
        and x.dtype in (torch.float32, torch.float64, torch.bfloat16)
        and not transformed(x)
    )
    if not served or p == 1.0:
        return F.dropout(x, p)
    return _dropout(x.contiguous(), p, draw_seed())


def _with_values(x: Tensor, values: Tensor) -> Tensor:
    """Other values at the places of a ``sparse_csr`` matrix."""
    other = torch.sparse_csr_tensor(
        x.crow_indices(), x.col_indices(), values, x.shape, check_invariants=False
    )
    share_graph(x, other)
    return other
