"""Dropout and ELU for CUDA, in Triton. The formulas are in ``__init__.py``."""

# pyright: reportGeneralTypeIssues=false, reportAssignmentType=false
# pyright: reportInvalidTypeForm=false

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from gatsparse.gpu import launch
from gatsparse.gpu.arguments import check_tensor

_LANE = 16  # elements of a lane: four words of four counters
_NUM_WARPS = 4
_ACC = {torch.float64: tl.float64}


def dropout(x: Tensor, p: float, seed: Tensor) -> Tensor:
    """Operator ``dropout``: the same elements are dropped as on the CPU."""
    return _launch(x, None, p, seed, elu=False)


def elu_dropout(x: Tensor, p: float, seed: Tensor | None) -> Tensor:
    """Operator ``elu_dropout``: ELU, then dropout; no seed is needed if :obj:`p` is 0."""
    return _launch(x, None, p, seed, elu=True)


def elu_dropout_backward(grad_out: Tensor, out: Tensor, p: float, seed: Tensor | None) -> Tensor:
    """Operator ``elu_dropout_backward``: the gradient, from the result of ``elu_dropout``."""
    return _launch(grad_out, out, p, seed, elu=True)


def _launch(a: Tensor, b: Tensor | None, p: float, seed: Tensor | None, elu: bool) -> Tensor:
    """Computes one of the operators for each element of :obj:`a` and, backward, of :obj:`b`.

    Args:
        a, b (Tensor): float32, float64, bfloat16 or float16, contiguous, of the same shape.
        p (float): Probability in 0 <= p < 1.
        seed (Tensor, optional): int64 ``[]``, on any device.
        elu (bool): Whether ELU is computed, too.
    """
    check_tensor("x" if b is None else "grad_out", a, a, a.dtype, a.shape)
    if b is not None:
        check_tensor("out", b, a, a.dtype, a.shape)
    if not 0.0 <= p < 1.0:
        raise RuntimeError(f"p: expected 0 <= p < 1, got {p}")
    if p > 0 and seed is None:
        raise RuntimeError("seed: needed when p > 0")
    out = torch.empty_like(a)
    if a.numel() == 0:
        return out
    arguments: dict[str, Any] = {
        "ELU": elu,
        "BACKWARD": b is not None,
        "DROPOUT": p > 0,
        "L": 32 * _NUM_WARPS,
        "ACC": _ACC.get(a.dtype, tl.float32),
    }
    launch.launch(
        dropout_kernel,
        launch.programs(a.numel(), 32 * _NUM_WARPS * _LANE),
        *(a, b, out),
        None if p == 0 or seed is None else seed.to(a.device, non_blocking=True),
        *(a.numel(), p),
        num_warps=_NUM_WARPS,
        **arguments,
    )
    return out


@triton.jit
def expm1(x):
    """``exp(x) - 1`` for ``x <= 0``: Taylor's series near 0, where the difference would lose
    precision.
    """
    TERMS: tl.constexpr = 15 if x.dtype == tl.float64 else 8
    series = x * (1.0 / TERMS) + 1.0
    for k in tl.static_range(TERMS - 1, 1, -1):
        series = x * (1.0 / k) * series + 1.0
    return tl.where(x > -0.35, x * series, tl.exp(x) - 1.0)


@triton.jit
def words(key, counter):
    """The four random words of each counter."""
    low = (counter & 0xFFFFFFFF).to(tl.uint32)
    high = (counter >> 32).to(tl.uint32)
    zero = tl.zeros(counter.shape, tl.uint32)
    # The last word 1 separates these numbers from those of edges.
    return tl.philox(key, low, high, zero, zero + 1)


@triton.jit
def quad(a, b, c, d):
    """``[L, 4]`` from four tensors ``[L]``."""
    return tl.reshape(tl.join(tl.join(a, c), tl.join(b, d)), [a.shape[0], 4])


@triton.jit
def store_result(
    a, b, out, at, numel, factor, keep,
    ELU: tl.constexpr, BACKWARD: tl.constexpr, WHOLE: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """Computes the elements at places ``at [L, 4]`` below ``numel``: all of them if ``WHOLE``."""
    mask = None if WHOLE else at < numel
    value = tl.load(a + at, mask=mask).to(ACC)
    if BACKWARD:
        result = tl.load(b + at, mask=mask).to(ACC)
        # For a negative kept element, the derivative of ELU is exp(x) = out / scale + 1. For a
        # rounded result it could be below 0.
        slope = keep * result + 1.0
        slope = tl.where(slope > 0, slope, slope * 0.0)
        value = factor * value * tl.where(result > 0, 1.0, slope)
    elif ELU:
        value = factor * tl.where(value > 0, value, expm1(value))
    else:
        value = factor * value
    tl.store(out + at, value.to(out.dtype.element_ty), mask=mask)


@triton.jit
def dropout_kernel(
    a, b, out, seed, numel, p: tl.float64,
    ELU: tl.constexpr, BACKWARD: tl.constexpr, DROPOUT: tl.constexpr,
    L: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """Computes 16 elements per lane: those of four counters.

    Element k of a group of 64 is dropped if word k // 16 of its counter k % 16 is below p * 2^32.
    """
    lane = tl.program_id(0).to(tl.int64) * L + tl.arange(0, L)
    at = (lane // 4 * 64 + lane % 4 * 4)[:, None] + tl.arange(0, 4)[None, :]
    whole = (tl.program_id(0).to(tl.int64) + 1) * L * 16 <= numel
    p = tl.full([], p, tl.float64)
    keep, scale = (1.0 - p).to(ACC), (1.0 / (1.0 - p)).to(ACC)
    f0 = tl.full([L, 4], 1.0, ACC) * scale
    f1, f2, f3 = f0, f0, f0
    if DROPOUT:
        key = tl.load(seed)
        a0, a1, a2, a3 = words(key, lane * 4)
        b0, b1, b2, b3 = words(key, lane * 4 + 1)
        c0, c1, c2, c3 = words(key, lane * 4 + 2)
        d0, d1, d2, d3 = words(key, lane * 4 + 3)
        limit = (p * 4294967296.0).to(tl.uint32)
        f0 = tl.where(quad(a0, b0, c0, d0) >= limit, scale, 0.0)
        f1 = tl.where(quad(a1, b1, c1, d1) >= limit, scale, 0.0)
        f2 = tl.where(quad(a2, b2, c2, d2) >= limit, scale, 0.0)
        f3 = tl.where(quad(a3, b3, c3, d3) >= limit, scale, 0.0)
    if whole:
        store_result(a, b, out, at, numel, f0, keep, ELU, BACKWARD, True, ACC)
        store_result(a, b, out, at + 16, numel, f1, keep, ELU, BACKWARD, True, ACC)
        store_result(a, b, out, at + 32, numel, f2, keep, ELU, BACKWARD, True, ACC)
        store_result(a, b, out, at + 48, numel, f3, keep, ELU, BACKWARD, True, ACC)
    else:
        store_result(a, b, out, at, numel, f0, keep, ELU, BACKWARD, False, ACC)
        store_result(a, b, out, at + 16, numel, f1, keep, ELU, BACKWARD, False, ACC)
        store_result(a, b, out, at + 32, numel, f2, keep, ELU, BACKWARD, False, ACC)
        store_result(a, b, out, at + 48, numel, f3, keep, ELU, BACKWARD, False, ACC)
