"""Parts of GATv2's kernels: the score of an edge, its gradients, and its record.

The formulas and names are those of :mod:`gatsparse.ops.gatv2.fused`, the layout of tiles is that of
:mod:`gatsparse.gpu.lanes`. Scores and the shift of a softmax are multiplied by log2(e), as att is,
because the exponential of the hardware is a power of 2.

The record of an edge is its weight :math:`d_{ij} p_{ij}` and the gradient of its score for each
head, and the signs of :math:`z_{ij}`, a bit per channel.
"""

# ruff: noqa: RUF005 (Triton does not support unpacking into a tuple)

# pyright: reportGeneralTypeIssues=false, reportAssignmentType=false

import triton
import triton.language as tl

from gatsparse.gpu.device_functions import (
    LOG2_E,
    head_sum,
    load_vectors,
    load_vectors_where,
    pointers,
)

LN_2 = tl.constexpr(0.6931471805599453)


@triton.jit
def load_rows(
    base, offset, masks, live, R: tl.constexpr, PADDED: tl.constexpr, MASKED: tl.constexpr,
    ACC: tl.constexpr,
):  # fmt: skip
    """R tiles ``[L, V]`` of the rows at ``offset [L]``; zeros in padding and, if ``MASKED``,
    where ``live [L]`` is false.
    """
    if MASKED:
        out = load_vectors_where(base, offset, masks, live, R, ACC)
    elif PADDED:
        out = load_vectors_where(base, offset, masks, None, R, ACC)
    else:
        out = load_vectors(base, offset, R, ACC)
    return out


@triton.jit
def plus(total, value, R: tl.constexpr):
    """Sums of R tiles."""
    out = ()
    for r in tl.static_range(R):
        out = out + (total[r] + value[r],)
    return out


@triton.jit
def scaled_att(att, offsets, masks, nowhere, R: tl.constexpr, ACC: tl.constexpr):
    """``att * log2(e)`` of each lane, zeros in padding."""
    tiles = load_vectors_where(pointers(att, offsets, R), nowhere, masks, None, R, ACC)
    out = ()
    for r in tl.static_range(R):
        out = out + (tiles[r] * LOG2_E,)
    return out


@triton.jit
def leaky_scores(
    x_j, x_i, edge, att2, slope, L: tl.constexpr, K: tl.constexpr, R: tl.constexpr,
    EDGE: tl.constexpr, MONOTONE: tl.constexpr,
):  # fmt: skip
    """Scores ``[L]`` times log2(e), the same for the lanes of a head; and z, R tiles."""
    zs, leakys = (), ()
    for r in tl.static_range(R):
        z = x_j[r] + x_i[r]
        if EDGE:
            z += edge[r]
        zs = zs + (z,)
        # Without a comparison, whose result would be kept in a register until z is used again.
        leaky = tl.maximum(z, z * slope) if MONOTONE else tl.where(z > 0, z, z * slope)
        leakys = leakys + (leaky,)
    total = att2[0] * leakys[0]
    for r in tl.static_range(1, R):
        total += att2[r] * leakys[r]
    return head_sum(tl.sum(total, 1), L, K), zs


@triton.jit
def edge_gradient(
    score, inner, shift, inverse, D, kept, live, scale, DROPOUT: tl.constexpr
):  # fmt: skip
    """Weight of grad_out in the gradient of x_src, and gradient of the score; 0 unless ``live``.

    All are tiles ``[L]``: ``inner`` is the product of grad_out and x_src, ``inverse`` is
    1 / weight_sum.
    """
    p = tl.exp2(score - shift) * inverse
    weight = p
    if DROPOUT:
        weight = tl.where(kept, p * scale, 0.0)
        inner = tl.where(kept, inner * scale, 0.0)
    return tl.where(live, weight, 0.0), tl.where(live, p * (inner - D), 0.0)


@triton.jit
def grad_leaky(z, grad, slope, R: tl.constexpr):
    """The gradient of LeakyReLU(z) for a gradient ``grad [L]`` of all its channels, R tiles."""
    grad = grad[:, None]
    out = ()
    for r in tl.static_range(R):
        out = out + (tl.where(z[r] > 0, grad, grad * slope),)
    return out


@triton.jit
def write_gradients(at, row, total, other, att2, masks, live, R: tl.constexpr, OTHER: tl.constexpr):
    """Writes ``att * total``, plus ``other`` if ``OTHER``, to R pointers moved by ``row [L]``."""
    for r in tl.static_range(R):
        grad = att2[r] * LN_2 * total[r]
        if OTHER:
            grad += other[r]
        tl.store(at[r] + row[:, None], grad, mask=masks[r] & live[:, None])


@triton.jit
def store_record(
    record, signs, place, weight, grad, z, head, writes, live,
    H: tl.constexpr, T: tl.constexpr, V: tl.constexpr, R: tl.constexpr,
):  # fmt: skip
    """Writes the record of the edges ``place [L]`` where ``live``."""
    at = ((place * H + head) * 2)[:, None] + tl.arange(0, 2)[None, :]
    tl.store(record + at, tl.join(weight, grad), mask=(writes & live)[:, None])
    positive = tl.zeros(place.shape, tl.int32)
    for r in tl.static_range(R):
        bit = (1 << (r * V + tl.arange(0, V)))[None, :]
        positive += tl.sum(tl.where(z[r] > 0, bit, 0), 1)
    at = place * T + sign_place(place.shape[0], T)
    tl.store(signs + at, positive.to(signs.dtype.element_ty), mask=live)


@triton.jit
def load_record(
    record, signs, place, slope, head, live,
    H: tl.constexpr, T: tl.constexpr, V: tl.constexpr, R: tl.constexpr,
):  # fmt: skip
    """Weight ``[L]`` and gradients of LeakyReLU(z), R tiles, of the edges ``place [L]``; 0 unless
    ``live``.
    """
    at = ((place * H + head) * 2)[:, None] + tl.arange(0, 2)[None, :]
    weight, grad = tl.split(tl.load(record + at, mask=live[:, None], other=0.0))
    at = place * T + sign_place(place.shape[0], T)
    positive = tl.load(signs + at, mask=live, other=0).to(tl.int32)[:, None] & 0xFFFF
    grad = grad[:, None]
    out = ()
    for r in tl.static_range(R):
        bit = (1 << (r * V + tl.arange(0, V)))[None, :]
        out = out + (tl.where((positive & bit) != 0, grad, grad * slope),)
    return weight, out


@triton.jit
def sign_place(L: tl.constexpr, T: tl.constexpr):
    """Place of each lane among the signs of an edge. It descends, because Triton would let a thread
    read several places that ascend, and exchange them through shared memory.
    """
    return T - 1 - tl.arange(0, L) % T
