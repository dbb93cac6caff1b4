"""Functions that kernels share.

Tiles are lanes ``[L]`` and lanes of vectors ``[L, V]``, with the layout of
:mod:`gatsparse.gpu.lanes` and ``L = G * HP * K``. The vectors of a lane are a tuple of R tiles.
"""

# ruff: noqa: RUF005 (Triton does not support unpacking into a tuple)
# Pyright does not know Triton's loops over constants.
# pyright: reportGeneralTypeIssues=false

from __future__ import annotations

import triton
import triton.language as tl

LOG2_E = tl.constexpr(1.4426950408889634)
MINUS_INF = tl.constexpr(float("-inf"))


@triton.jit
def leaky_relu(value, SLOPE: tl.constexpr):
    """LeakyReLU of any tile."""
    below = value * SLOPE
    if SLOPE > 0 and SLOPE <= 1:
        result = tl.maximum(value, below)
    else:
        result = tl.where(value > 0, value, below)
    return result


@triton.jit
def exp_from(value, origin):
    """``exp(value - origin)``. The difference of close numbers is exact, however large they are."""
    log2_e = tl.full(value.shape, LOG2_E, value.dtype)  # a number alone would become float32
    return tl.exp2((value - origin) * log2_e)


@triton.jit
def group_of_lane(HP: tl.constexpr, K: tl.constexpr, G: tl.constexpr):
    """Group of each lane, ``[L]``."""
    return tl.arange(0, G * HP * K) // (HP * K)


@triton.jit
def head_of_lane(H: tl.constexpr, HP: tl.constexpr, K: tl.constexpr, G: tl.constexpr):
    """Head of each lane, 0 for padding, and whether the lane writes the numbers of its head."""
    lane = tl.arange(0, G * HP * K)
    head = lane // K % HP
    return tl.where(head < H, head, 0), (lane % K == 0) & (head < H)


@triton.jit
def channels_of_lane(
    H: tl.constexpr, C: tl.constexpr, V: tl.constexpr, K: tl.constexpr, HP: tl.constexpr,
    R: tl.constexpr, G: tl.constexpr,
):  # fmt: skip
    """Offsets in ``[H, C]`` of each lane's vectors: R tiles ``[L, V]``, and R masks ``[L, 1]``.

    Lanes and vectors of padding have the offset of a channel of their head.
    """
    lane = tl.arange(0, G * HP * K)
    head = lane // K % HP
    first = lane % K * V
    offsets, masks = (), ()
    for r in tl.static_range(R):
        valid = (head < H) & (first + r * K * V < C)
        if H == HP and (r + 1) * K * V <= C:
            offset = head * C + first
            offset = tl.multiple_of(offset, V)[:, None] + tl.arange(0, V)[None, :] + r * K * V
        else:
            offset = tl.where(head < H, head, 0) * C + tl.where(valid, first + r * K * V, 0)
            offset = tl.multiple_of(offset, V)[:, None] + tl.arange(0, V)[None, :]
        offsets = offsets + (offset,)
        masks = masks + (valid[:, None],)
    return offsets, masks


@triton.jit
def pointers(base, offsets, R: tl.constexpr):
    """``base`` plus each of R tiles of offsets."""
    out = ()
    for r in tl.static_range(R):
        out = out + (base + offsets[r],)
    return out


@triton.jit
def zeros(L: tl.constexpr, V: tl.constexpr, R: tl.constexpr, ACC: tl.constexpr):
    """R tiles ``[L, V]`` of zeros."""
    out = ()
    for _ in tl.static_range(R):
        out = out + (tl.zeros([L, V], ACC),)
    return out


@triton.jit
def load_vectors(base, offset, R: tl.constexpr, ACC: tl.constexpr):
    """R tiles ``[L, V]`` from the pointers ``base``, each moved by ``offset [L]``."""
    out = ()
    for r in tl.static_range(R):
        out = out + (tl.load(base[r] + offset[:, None]).to(ACC),)
    return out


@triton.jit
def load_vectors_where(base, offset, masks, live, R: tl.constexpr, ACC: tl.constexpr):
    """The same, zeros where ``masks`` or ``live [L]`` is false; nothing is read there.

    If ``live`` is None, it is true.
    """
    out = ()
    for r in tl.static_range(R):
        mask = masks[r]
        if live is not None:
            mask = mask & live[:, None]
        out = out + (tl.load(base[r] + offset[:, None], mask=mask, other=0.0).to(ACC),)
    return out


@triton.jit
def store_vectors(base, offset, value, masks, live, R: tl.constexpr):
    """Writes R tiles where ``masks`` and ``live [L]`` are true; ``offset`` may be one number."""
    offset = tl.broadcast_to(offset, live.shape)[:, None]
    for r in tl.static_range(R):
        tl.store(base[r] + offset, value[r], mask=masks[r] & live[:, None])


@triton.jit
def scaled(value, factor, R: tl.constexpr):
    """R tiles times ``factor [L]``."""
    out = ()
    for r in tl.static_range(R):
        out = out + (value[r] * factor[:, None],)
    return out


@triton.jit
def plus_scaled(total, factor, value, R: tl.constexpr):
    """``total + factor * value`` for R tiles, with ``factor [L]``."""
    out = ()
    for r in tl.static_range(R):
        out = out + (total[r] + factor[:, None] * value[r],)
    return out


@triton.jit
def chosen(condition, value, other, R: tl.constexpr):
    """R tiles of ``value`` where ``condition [L]`` is true, else the number ``other``."""
    out = ()
    for r in tl.static_range(R):
        out = out + (tl.where(condition[:, None], value[r], other),)
    return out


@triton.jit
def head_sum(value, L: tl.constexpr, K: tl.constexpr):
    """Sum of ``value [L]`` over the K lanes of a head, for each of them."""
    if K > 1:
        total = tl.sum(tl.reshape(value, [L // K, K]), 1)
        value = tl.reshape(tl.broadcast_to(total[:, None], [L // K, K]), [L])
    return value


@triton.jit
def inner_product(a, b, L: tl.constexpr, K: tl.constexpr, R: tl.constexpr):
    """Inner product over the channels of a head, ``[L]``: the same for the lanes of a head."""
    total = a[0] * b[0]
    for r in tl.static_range(1, R):
        total += a[r] * b[r]
    return head_sum(tl.sum(total, 1), L, K)


@triton.jit
def group_sum(value, G: tl.constexpr):
    """Sum of ``value [L]`` or ``[L, V]`` over the G groups, for each of them."""
    if G > 1:
        T: tl.constexpr = value.shape[0] // G
        parts = tl.reshape(value, [G, T, value.numel // (G * T)])
        total = tl.broadcast_to(tl.sum(parts, 0)[None, :, :], parts.shape)
        value = tl.reshape(total, value.shape)
    return value


@triton.jit
def group_max(value, G: tl.constexpr):
    """Maximum of ``value [L]`` over the G groups, for each of them."""
    if G > 1:
        parts = tl.reshape(value, [G, value.shape[0] // G])
        top = tl.broadcast_to(tl.max(parts, 0)[None, :], parts.shape)
        value = tl.reshape(top, value.shape)
    return value


@triton.jit
def group_sums(value, G: tl.constexpr, R: tl.constexpr):
    """R tiles ``[L, V]`` summed over the G groups."""
    out = ()
    for r in tl.static_range(R):
        out = out + (group_sum(value[r], G),)
    return out


@triton.jit
def load_four(table, at):
    """The four numbers at ``table[at]`` of a table ``[.., 4]``, each in the shape of ``at [L]``."""
    return _split_four(tl.load(table + (at.to(tl.int64) * 4)[:, None] + tl.arange(0, 4)[None, :]))


@triton.jit
def load_four_where(table, at, live):
    """The same, zeros where ``live [L]`` is false; nothing is read there."""
    pointer = table + (at.to(tl.int64) * 4)[:, None] + tl.arange(0, 4)[None, :]
    return _split_four(tl.load(pointer, mask=live[:, None], other=0.0))


@triton.jit
def _split_four(four):
    even, odd = tl.split(tl.reshape(four, [four.shape[0], 2, 2]))
    first, third = tl.split(even)
    second, fourth = tl.split(odd)
    return first, second, third, fourth


@triton.jit
def store_four(table, at, first, second, third, fourth, mask):
    """Writes four numbers to ``table[at]`` of a table ``[.., 4]`` where ``mask [L]`` is true."""
    four = tl.join(tl.join(first, third), tl.join(second, fourth))
    four = tl.reshape(four, [four.shape[0], 4])
    pointer = table + (at.to(tl.int64) * 4)[:, None] + tl.arange(0, 4)[None, :]
    tl.store(pointer, four, mask=mask[:, None])


@triton.jit
def is_kept(bits, at, head, BYTES: tl.constexpr):
    """Whether dropout keeps heads ``[L]`` of edges ``at [L]``, from ``bits [.., BYTES]``."""
    byte = tl.load(bits + at.to(tl.int64) * BYTES + head // 8).to(tl.int32)
    return (byte >> head % 8) & 1 != 0
