"""Kernels of GATv2's forward pass; :mod:`gatsparse.ops.gatv2.cuda` launches them.

The formulas and names are those of :mod:`gatsparse.ops.gatv2.fused`, the layout of tiles is that of
:mod:`gatsparse.gpu.lanes`. No two programs write the same number, and every sum has a fixed order.

"""

# ruff: noqa: RUF005 (Triton does not support unpacking into a tuple)

# pyright: reportGeneralTypeIssues=false, reportAssignmentType=false
# pyright: reportInvalidTypeForm=false

import triton
import triton.language as tl

from gatsparse.gpu.device_functions import (
    MINUS_INF,
    channels_of_lane,
    chosen,
    group_max,
    group_of_lane,
    group_sum,
    group_sums,
    head_of_lane,
    is_kept,
    load_four,
    load_vectors_where,
    plus_scaled,
    pointers,
    scaled,
    store_vectors,
    zeros,
)
from gatsparse.ops.gatv2.triton_edge import leaky_scores, load_rows, scaled_att


@triton.jit
def _add_edges(
    state, x_at, x_i, att2, slope, edge_at, perm, bits, col, at, end, skip, head, masks,
    H: tl.constexpr, C: tl.constexpr, K: tl.constexpr, R: tl.constexpr, B: tl.constexpr,
    LOOPS: tl.constexpr, MASKED: tl.constexpr, PADDED: tl.constexpr, EDGE: tl.constexpr,
    DROPOUT: tl.constexpr, MONOTONE: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """Adds the edges ``at .. at + B - 1`` of each group to its sums; if ``MASKED``, those below
    ``end``.
    """
    L: tl.constexpr = head.shape[0]
    top, weight_sum, total = state
    scores, rows = (), ()
    shift = top
    for b in tl.static_range(B):
        live = at + b < end
        j = tl.load(col + at + b, mask=live, other=0) if MASKED else tl.load(col + at + b)
        row = load_rows(x_at, j.to(tl.int64) * (H * C), masks, live, R, PADDED, MASKED, ACC)
        edge = row
        if EDGE:
            number = tl.load(perm + at + b, mask=live, other=0).to(tl.int64)
            edge = load_rows(edge_at, number * (H * C), masks, live, R, PADDED, MASKED, ACC)
        score, _ = leaky_scores(row, x_i, edge, att2, slope, L, K, R, EDGE, MONOTONE)
        if LOOPS:
            live = live & (j != skip)
        if LOOPS or MASKED:
            score = tl.where(live, score, MINUS_INF)
        shift = tl.maximum(shift, score)
        scores = scores + (score,)
        rows = rows + (row,)
    origin = tl.where(shift == MINUS_INF, 0.0, shift)
    factor = tl.exp2(top - origin)
    weight_sum = weight_sum * factor
    total = scaled(total, factor, R)
    for b in tl.static_range(B):
        weight = tl.exp2(scores[b] - origin)
        weight_sum += weight
        if DROPOUT:
            place = at.to(tl.int64) + b
            if MASKED:
                place = tl.where(place < end, place, 0)
            weight = tl.where(is_kept(bits, place, head, (H + 7) // 8), weight, 0.0)
        total = plus_scaled(total, weight, rows[b], R)
    return shift, weight_sum, total


@triton.jit(do_not_specialize=["num_pieces", "num_edges", "num_loops"])
def gatv2_forward(
    x_src, x_dst, att, edge, loop, col, perm, bits, table,
    bias, out, heads_out, shift, weight_sum, part, part_terms,
    num_pieces, num_edges, num_loops, slope: tl.float64, scale: tl.float64,
    H: tl.constexpr, C: tl.constexpr, HS: tl.constexpr, V: tl.constexpr, K: tl.constexpr,
    HP: tl.constexpr, R: tl.constexpr, G: tl.constexpr, B: tl.constexpr, LOOPS: tl.constexpr,
    MONOTONE: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """Sums over the in-edges of G pieces: a group of lanes visits one, B edges at a time.

    Pieces that are whole rows give results; the sums of others are written to ``part``, for
    :func:`gatv2_combine`. The first blocks of a piece have masks, until as many whole blocks are
    left as all groups have.
    """
    L: tl.constexpr = G * HP * K
    HC: tl.constexpr = H * C
    EDGE: tl.constexpr = edge is not None
    DROPOUT: tl.constexpr = bits is not None
    PADDED: tl.constexpr = H != HP or C != R * K * V
    slope = tl.full([], slope, ACC)
    scale = tl.full([], scale, ACC)
    item = tl.program_id(0) * G + group_of_lane(HP, K, G)
    given = item < num_pieces
    begin, end, i, slot = load_four(table, tl.minimum(item, num_pieces - 1))
    given = given & (i >= 0)
    end = tl.where(given, end, begin)
    i = tl.where(given, i, 0)
    head, writes = head_of_lane(H, HP, K, G)
    offsets, masks = channels_of_lane(H, C, V, K, HP, R, G)
    x_at = pointers(x_src, offsets, R)
    edge_at = x_at
    if EDGE:
        edge_at = pointers(edge, offsets, R)
    i64 = i.to(tl.int64)
    att2 = scaled_att(att, offsets, masks, i - i, R, ACC)
    x_i = load_vectors_where(pointers(x_dst, offsets, R), i64 * HC, masks, given, R, ACC)

    top = tl.full([L], MINUS_INF, ACC)
    total_weight = tl.zeros([L], ACC)
    total = zeros(L, V, R, ACC)
    skip = i - i - 1
    isolated = begin == end
    if LOOPS:  # the virtual loop is the first edge
        has_loop = given & (i < num_loops)
        skip = tl.where(has_loop, i, -1)
        own = has_loop & (slot % 2 == 0)
        isolated = isolated & ~own
        row = load_vectors_where(x_at, i64 * HC, masks, own, R, ACC)
        loop_row = row
        if EDGE:
            loop_row = load_vectors_where(pointers(loop, offsets, R), i64 * HC, masks, own, R, ACC)
        score, _ = leaky_scores(row, x_i, loop_row, att2, slope, L, K, R, EDGE, MONOTONE)
        top = tl.where(own, score, MINUS_INF)
        total_weight = tl.exp2(top - tl.where(top == MINUS_INF, 0.0, top))
        kept = total_weight
        if DROPOUT:
            place = tl.where(own, num_edges + i64, 0)
            kept = tl.where(is_kept(bits, place, head, (H + 7) // 8), kept, 0.0)
        total = scaled(row, kept, R)

    blocks = tl.min((end - begin) // B, 0)
    inner = end - blocks * B
    state = (top, total_weight, total)
    for first in range(0, tl.max(inner - begin, 0), B):
        state = _add_edges(
            state, x_at, x_i, att2, slope, edge_at, perm, bits, col, begin + first, inner, skip,
            head, masks, H, C, K, R, B, LOOPS, True, PADDED, EDGE, DROPOUT,
            MONOTONE, ACC,
        )  # fmt: skip
    for block in range(0, blocks):
        state = _add_edges(
            state, x_at, x_i, att2, slope, edge_at, perm, bits, col, inner + block * B, end, skip,
            head, masks, H, C, K, R, B, LOOPS, False, PADDED, EDGE, DROPOUT,
            MONOTONE, ACC,
        )  # fmt: skip
    top, total_weight, total = state

    if part is not None:
        partial = given & (slot >= 0)
        given = given & (slot < 0)
        k = tl.where(partial, slot // 2, 0).to(tl.int64)
        _write_part(
            total, top, total_weight, part, part_terms, k, partial, writes, head, offsets, masks,
            HC, HS, R,
        )  # fmt: skip
    _write_rows(
        total, top, total_weight, isolated, scale, bias, out, heads_out, shift, weight_sum, i64,
        given, writes, head, offsets, masks, HC, HS, R, ACC,
    )  # fmt: skip


@triton.jit
def _write_part(
    total, top, weight_sum, part, part_terms, k, given, writes, head, offsets, masks,
    HC: tl.constexpr, HS: tl.constexpr, R: tl.constexpr,
):  # fmt: skip
    """Writes sums as the partial sums ``k``, for :func:`gatv2_combine`."""
    store_vectors(pointers(part, offsets, R), k * HC, total, masks, given, R)
    terms = part_terms + k * (2 * HS) + head
    tl.store(terms, top, mask=given & writes)
    tl.store(terms + HS, weight_sum, mask=given & writes)


@triton.jit
def _write_rows(
    total, top, total_weight, isolated, scale, bias, out, heads_out, shift, weight_sum, i, given,
    writes, head, offsets, masks,
    HC: tl.constexpr, HS: tl.constexpr, R: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """Writes the results of rows ``i`` from their sums."""
    row = i * HC
    result = chosen(~isolated, scaled(total, scale / total_weight, R), 0.0, R)
    if heads_out is not None:
        store_vectors(pointers(heads_out, offsets, R), row, result, masks, given, R)
    if shift is not None:
        tl.store(shift + i * HS + head, top, mask=given & writes)
        tl.store(weight_sum + i * HS + head, total_weight, mask=given & writes)
    if out is not None:
        if bias is not None:
            nowhere = tl.zeros_like(head)
            addend = load_vectors_where(pointers(bias, offsets, R), nowhere, masks, None, R, ACC)
            result = plus_scaled(result, tl.full(head.shape, 1.0, ACC), addend, R)
        store_vectors(pointers(out, offsets, R), row, result, masks, given, R)


@triton.jit
def gatv2_combine(
    hubs, part, part_terms, bias, out, heads_out, shift, weight_sum, scale: tl.float64,
    H: tl.constexpr, C: tl.constexpr, HS: tl.constexpr, V: tl.constexpr, K: tl.constexpr,
    HP: tl.constexpr, R: tl.constexpr, G: tl.constexpr, FINAL: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """Writes the results of a hub: G groups add every G-th piece, then their sums.

    Unless ``FINAL``, entries of ``hubs`` are chunks, whose sums are partial sums again.
    """
    L: tl.constexpr = G * HP * K
    HC: tl.constexpr = H * C
    scale = tl.full([], scale, ACC)
    hub = hubs + tl.program_id(0).to(tl.int64) * 4
    i = tl.load(hub).to(tl.int64)
    if i >= 0:
        begin, end = tl.load(hub + 1), tl.load(hub + 2)
        group = group_of_lane(HP, K, G)
        head, writes = head_of_lane(H, HP, K, G)
        offsets, masks = channels_of_lane(H, C, V, K, HP, R, G)
        part_at = pointers(part, offsets, R)
        top = tl.full([L], MINUS_INF, ACC)
        total_weight = tl.zeros([L], ACC)
        total = zeros(L, V, R, ACC)
        for first in range(begin, end, G):
            k = (first + group).to(tl.int64)
            live = k < end
            terms = part_terms + k * (2 * HS) + head
            part_top = tl.load(terms, mask=live, other=MINUS_INF)
            part_weight = tl.load(terms + HS, mask=live, other=0.0)
            part_total = load_vectors_where(part_at, k * HC, masks, live, R, ACC)
            raised = tl.maximum(top, part_top)
            origin = tl.where(raised == MINUS_INF, 0.0, raised)
            old, new = tl.exp2(top - origin), tl.exp2(part_top - origin)
            top = raised
            total_weight = total_weight * old + part_weight * new
            total = plus_scaled(scaled(total, old, R), new, part_total, R)
        most = group_max(top, G)
        factor = tl.exp2(top - tl.where(most == MINUS_INF, 0.0, most))
        total_weight = group_sum(total_weight * factor, G)
        total = group_sums(scaled(total, factor, R), G, R)
        if FINAL:
            _write_rows(
                total, most, total_weight, group < 0, scale, bias, out, heads_out, shift,
                weight_sum, i, group == 0, writes, head, offsets, masks, HC, HS, R, ACC,
            )  # fmt: skip
        else:
            _write_part(
                total, most, total_weight, part, part_terms, i, group == 0, writes, head, offsets,
                masks, HC, HS, R,
            )  # fmt: skip
