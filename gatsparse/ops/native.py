"""What the fused backends share: the arguments of a structure, and when a kernel can serve."""

from __future__ import annotations

from typing import Any, NoReturn

import torch
from torch import Tensor

from gatsparse import _native
from gatsparse.ops.backend import transformed

#: The last arguments of every operator: the structure and the options.
STRUCTURE = (
    "Tensor[] csr, Tensor[] csr_t, bool add_self_loops, float negative_slope, "
    "float dropout, Tensor? seed"
)


def padded_heads(heads: int) -> int:
    """As many numbers the kernels keep per node and head: their vectors' lengths."""
    return next((n for n in (1, 4, 8) if heads <= n), (heads + 15) // 16 * 16)


def wants_grad(*tensors: Tensor | None) -> bool:
    """Whether a backward pass may follow."""
    return torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors)


def split_heads(grad_out: Tensor, heads: int, channels: int, concat: bool) -> Tensor:
    """The gradient ``[N, H, C]`` of the heads, from that of ``[N, H * C]`` or of their mean."""
    if concat:
        return grad_out.reshape(-1, heads, channels).contiguous()
    return (grad_out / heads)[:, None, :].expand(-1, heads, -1).contiguous()


def no_second_derivatives(ctx: Any, *grads: Tensor) -> NoReturn:
    """The backward of a backward kernel."""
    raise NotImplementedError(
        "backend='fused' computes no second derivatives: use backend='scatter' for them"
    )


def unmet(x: Tensor, *others: Tensor | None) -> list[str]:
    """What keeps the kernels from serving these tensors; empty if nothing does.

    Args:
        x (Tensor): The features.
        *others (Tensor, optional): All else that a gradient may be asked for.
    """
    reasons = []
    if transformed(*(t for t in (x, *others) if t is not None)):
        reasons.append("forward-mode differentiation and torch.func need backend='scatter'")
    if x.device.type != "cpu":
        reasons.append(f"x lies on {x.device.type!r}; there are kernels for 'cpu'")
    elif not _native.available():
        reasons.append(f"{_native.MISSING}; `gatsparse info` says how to get it")
    if x.dtype not in (torch.float32, torch.float64, torch.bfloat16):
        reasons.append(f"x is {x.dtype}; expected float32, float64 or bfloat16")
    return reasons
