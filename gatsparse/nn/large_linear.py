"""Linear layers of many nodes: their results are in kept memory."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gatsparse.memory import LARGE, new_empty
from gatsparse.ops.autograd import wants_grad
from gatsparse.ops.kernel_support import unmet

_is_batch: Any = torch._C._functorch.is_legacy_batchedtensor  # pyright: ignore


def is_large(x: Tensor, weight: Any, bias: Any) -> bool:
    """Whether :func:`large_linear` computes ``F.linear(x, weight, bias)``, and gains."""
    if torch.compiler.is_compiling() or not x.is_cpu or x.dim() != 2:
        return False
    if x.size(0) * weight.size(0) * x.dtype.itemsize < LARGE or torch.is_autocast_enabled("cpu"):
        return False
    others = (weight,) if bias is None else (weight, bias)
    same = type(x) in (Tensor, torch.nn.Parameter) and type(weight) is torch.nn.Parameter
    same = same and all(t.dtype == x.dtype for t in others)
    return same and not unmet(x, *others)


def large_linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """:func:`torch.nn.functional.linear` for inputs that :func:`is_large` accepts."""
    if wants_grad(x, weight, bias):
        return _LargeLinear.apply(x, weight, bias)
    return _product(x, weight.t(), bias)


class _LargeLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:  # pyright: ignore
        ctx.save_for_backward(x, weight)
        return _product(x, weight.t(), bias)

    @staticmethod
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore
        x, weight = ctx.saved_tensors
        of_x, of_weight, of_bias = ctx.needs_input_grad
        return (
            _product(grad_out, weight) if of_x else None,
            grad_out.t() @ x if of_weight else None,
            grad_out.sum(0) if of_bias else None,
        )


def _product(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """``a @ b + bias``."""
    # Second derivatives, transforms and batches of gradients take no `out`.
    if wants_grad(a, b, bias) or unmet(a, b) or _is_batch(a):
        return a @ b if bias is None else torch.addmm(bias, a, b)
    out = new_empty(a, (a.size(0), b.size(1)))
    return torch.mm(a, b, out=out) if bias is None else torch.addmm(bias, a, b, out=out)
