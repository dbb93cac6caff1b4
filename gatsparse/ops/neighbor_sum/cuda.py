"""Sums of neighbours' rows for CUDA, in Triton: the operator ``neighbor_sum``, and the weighted
sums of :mod:`gatsparse.ops.sparse_linear`.
"""

# ruff: noqa: RUF005 (Triton does not support unpacking into a tuple)

# pyright: reportGeneralTypeIssues=false, reportPossiblyUnboundVariable=false

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from gatsparse.gpu import launch
from gatsparse.gpu.arguments import check_csr, check_tensor
from gatsparse.gpu.device_functions import group_sums, load_four, zeros
from gatsparse.gpu.lanes import power_of_two
from gatsparse.gpu.pieces import pieces

_VECTOR_BYTES = 16
_MOST_LANES, _MOST_VECTORS = 32, 4
_IN_FLIGHT = 8  # vectors of a lane
_COMBINE_LANES = 128  # lanes that combine the pieces of a row


def neighbor_sum(x: Tensor, csr: list[Tensor], _csr_t: list[Tensor]) -> Tensor:
    """Operator ``neighbor_sum``: rows of ``x [N_src, F]`` summed over the in-edges."""
    return row_sums(csr, x)


def row_sums(
    csr: list[Tensor],
    table: Tensor,
    values: Tensor | None = None,
    place: Tensor | None = None,
    bias: Tensor | None = None,
) -> Tensor:
    """Sums of the rows of a table over the entries of each row of a CSR graph.

    Entry ``e`` adds ``values[e] * table[other[e]]``, or nothing if its value is 0. The sums are
    computed in at least float32, in an order that depends on the graph alone.

    Args:
        csr (list): ``ptr``, ``other`` and ``perm`` of the graph.
        table (Tensor): ``[N, F]``.
        values (Tensor, optional): ``[E]`` in the dtype of :obj:`table`. (default: ones)
        place (Tensor, optional): int32 or int64 ``[E]``, the position of each entry's value.
            (default: the entry's)
        bias (Tensor, optional): ``[F]``, added to each row.

    Returns:
        Tensor: ``[N_rows, F]`` in the dtype of :obj:`table`.
    """
    N, F = table.shape
    check_tensor("table", table, table, table.dtype, (N, F))
    check_csr("csr", csr, table, csr[0].numel() - 1, csr[1].numel())
    if values is not None:
        check_tensor("values", values, table, table.dtype, csr[1].shape)
    if bias is not None:
        check_tensor("bias", bias, table, table.dtype, (F,))
    out = table.new_empty(csr[0].numel() - 1, F)
    if out.numel() == 0:
        return out
    cut = pieces(csr, N)
    acc = torch.promote_types(table.dtype, torch.float32)
    partial = table.new_empty(cut.num_partial, F, dtype=acc)
    layout = _layout(F, table.dtype)
    blocks = launch.programs(F, layout["T"] * layout["R"] * layout["V"])
    programs = launch.programs(cut.table.size(0), layout["G"])
    constants: dict[str, Any] = {
        "F": F,
        **layout,
        "ACC": tl.float64 if acc == torch.float64 else tl.float32,
    }
    launch.launch(
        row_sums_kernel,
        programs * blocks,
        *(table, csr[1], values, place, bias, out, partial, cut.table),
        *(cut.table.size(0), programs),
        B=max(1, _IN_FLIGHT // layout["R"]),
        **constants,
    )
    launch.combine(
        combine_kernel,
        cut,
        *(partial, bias, out),
        per_hub=blocks,
        num_warps=_COMBINE_LANES // _MOST_LANES,
        **constants | {"G": _COMBINE_LANES // layout["T"]},
    )
    return out


def _layout(F: int, dtype: torch.dtype) -> dict[str, int]:
    """Lanes of a group, vectors of a lane, channels of a vector, and groups of a warp.

    Vector ``r`` of lane ``t`` starts at channel ``(r * T + t) * V`` of a block of ``T * R * V``.
    """
    V = _VECTOR_BYTES // dtype.itemsize
    while F % V:
        V //= 2
    T = min(_MOST_LANES, power_of_two(F // V))
    return {"T": T, "R": min(_MOST_VECTORS, -(-F // (T * V))), "V": V, "G": _MOST_LANES // T}


@triton.jit
def channels(
    block, F: tl.constexpr, T: tl.constexpr, R: tl.constexpr, V: tl.constexpr, G: tl.constexpr
):
    """Channels of the vectors of each lane, R tiles ``[L, V]``, and R masks ``[L, 1]``."""
    first = block * (T * R * V) + tl.arange(0, G * T) % T * V
    channel, mask = (), ()
    for r in tl.static_range(R):
        at = first + r * T * V
        channel = channel + (tl.multiple_of(at, V)[:, None] + tl.arange(0, V)[None, :],)
        mask = mask + ((at < F)[:, None],)
    return channel, mask


@triton.jit
def add_entries(
    total, t, end, table, other, values, place, channel, mask,
    F: tl.constexpr, R: tl.constexpr, B: tl.constexpr, MASKED: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """Adds the entries ``t .. t + B - 1`` of each lane, below ``end`` if ``MASKED``."""
    rows = ()
    for b in tl.static_range(B):
        live = t + b < end
        at = tl.minimum(t + b, tl.maximum(end - 1, 0)) if MASKED else t + b
        start = tl.load(other + at).to(tl.int64) * F
        if values is not None:
            weight = tl.load(values + (at if place is None else tl.load(place + at)))
            live = live & (weight != 0) if MASKED else weight != 0
            factor = tl.where(live, weight.to(ACC), 0.0)
        for r in tl.static_range(R):
            wanted = mask[r] & live[:, None] if MASKED or values is not None else mask[r]
            row = tl.load(table + start[:, None] + channel[r], mask=wanted, other=0.0).to(ACC)
            if values is not None:
                row = row * factor[:, None]
            rows = rows + (row,)
    for b in tl.static_range(B):
        sums = ()
        for r in tl.static_range(R):
            sums = sums + (total[r] + rows[b * R + r],)
        total = sums
    return total


@triton.jit
def write(out, bias, row, value, channel, mask, live, F: tl.constexpr, R: tl.constexpr):
    """Writes R tiles, plus bias, to the rows ``row [L]`` of ``out`` where ``live [L]``."""
    start = tl.where(live, row, 0).to(tl.int64) * F
    for r in tl.static_range(R):
        result = value[r]
        if bias is not None:
            result += tl.load(bias + channel[r], mask=mask[r], other=0.0).to(result.dtype)
        tl.store(
            out + start[:, None] + channel[r],
            result.to(out.dtype.element_ty),
            mask=mask[r] & live[:, None],
        )


@triton.jit(do_not_specialize=["num_pieces", "programs"])
def row_sums_kernel(
    table, other, values, place, bias, out, partial, piece_table, num_pieces, programs,
    F: tl.constexpr, T: tl.constexpr, R: tl.constexpr, V: tl.constexpr, G: tl.constexpr,
    B: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """Sums of a block of channels for G pieces of rows; those of hubs go to ``partial``."""
    L: tl.constexpr = G * T
    block, program = tl.program_id(0) // programs, tl.program_id(0) % programs
    channel, mask = channels(block, F, T, R, V, G)
    piece = program * G + tl.arange(0, L) // T
    given = piece < num_pieces
    begin, end, row, slot = load_four(piece_table, tl.where(given, piece, 0).to(tl.int64))
    given = given & (row >= 0)
    end = tl.where(given, end, begin)
    total = zeros(L, V, R, ACC)
    size = end - begin
    least = tl.min(size, 0) // B * B
    for at in range(0, least, B):
        total = add_entries(
            total, begin + at, end, table, other, values, place, channel, mask,
            F, R, B, False, ACC,
        )  # fmt: skip
    for at in range(least, tl.max(size, 0), B):
        total = add_entries(
            total, begin + at, end, table, other, values, place, channel, mask,
            F, R, B, True, ACC,
        )  # fmt: skip
    is_part = given & (slot >= 0)
    write(out, bias, row, total, channel, mask, given & (slot < 0), F, R)
    write(partial, None, slot // 2, total, channel, mask, is_part, F, R)


@triton.jit
def combine_kernel(
    hubs, partial, bias, out,
    F: tl.constexpr, T: tl.constexpr, R: tl.constexpr, V: tl.constexpr, G: tl.constexpr,
    FINAL: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """Sums of a block of channels of a hub: G groups add every G-th piece, then their sums.

    Unless ``FINAL``, entries of ``hubs`` are chunks, whose sums are partial sums again.
    """
    BLOCKS: tl.constexpr = (F + T * R * V - 1) // (T * R * V)
    hub, block = tl.program_id(0) // BLOCKS, tl.program_id(0) % BLOCKS
    row = tl.load(hubs + hub.to(tl.int64) * 4)
    if row >= 0:
        begin = tl.load(hubs + hub.to(tl.int64) * 4 + 1)
        end = tl.load(hubs + hub.to(tl.int64) * 4 + 2)
        channel, mask = channels(block, F, T, R, V, G)
        group = tl.arange(0, G * T) // T
        total = zeros(G * T, V, R, ACC)
        for first in range(begin, end, G):
            live = first + group < end
            start = (first + group).to(tl.int64) * F
            sums = ()
            for r in tl.static_range(R):
                wanted = mask[r] & live[:, None]
                part = tl.load(partial + start[:, None] + channel[r], mask=wanted, other=0.0)
                sums = sums + (total[r] + part,)
            total = sums
        total = group_sums(total, G, R)
        if FINAL:
            write(out, bias, row + group * 0, total, channel, mask, group == 0, F, R)
        else:
            write(partial, None, row + group * 0, total, channel, mask, group == 0, F, R)
