"""Kernels of GATv2's backward pass that visit the out-edges of each source, and that combine the
pieces of hubs.

The formulas and names are those of :mod:`gatsparse.ops.gatv2.fused`. No two programs write the same
number, and every sum has a fixed order.
"""

# pyright: reportGeneralTypeIssues=false, reportAssignmentType=false
# pyright: reportInvalidTypeForm=false

import triton
import triton.language as tl

from gatsparse.gpu.device_functions import (
    channels_of_lane,
    group_of_lane,
    group_sums,
    head_of_lane,
    inner_product,
    is_kept,
    load_four,
    load_vectors_where,
    plus_scaled,
    pointers,
    store_vectors,
    zeros,
)
from gatsparse.ops.gatv2.triton_edge import (
    edge_gradient,
    grad_leaky,
    leaky_scores,
    load_record,
    load_rows,
    plus,
    scaled_att,
    write_gradients,
)


@triton.jit
def _recomputed(
    x_j, g_i, x_dst_at, row, i, place, att2, slope, scale, dst_terms, bits, head, live, masks,
    HS: tl.constexpr, H: tl.constexpr, K: tl.constexpr, R: tl.constexpr, MONOTONE: tl.constexpr,
    ACC: tl.constexpr,
):  # fmt: skip
    """Weight ``[L]`` and gradients of LeakyReLU(z), R tiles, of the edges to the destinations
    ``i [L]``, whose rows are at ``row``; 0 unless ``live``.
    """
    L: tl.constexpr = head.shape[0]
    x_i = load_vectors_where(x_dst_at, row, masks, live, R, ACC)
    shift, inverse, D, _ = load_four(dst_terms, tl.where(live, i, 0).to(tl.int64) * HS + head)
    score, z = leaky_scores(x_j, x_i, x_i, att2, slope, L, K, R, False, MONOTONE)
    inner = inner_product(x_j, g_i, L, K, R)
    kept = live
    if bits is not None:
        kept = is_kept(bits, place, head, (H + 7) // 8)
    weight, grad_score = edge_gradient(
        score, inner, shift, inverse, D, kept, live, scale, bits is not None
    )
    return weight, grad_leaky(z, grad_score, slope, R)


@triton.jit
def _visit_edges(
    state, x_j, g_at, x_dst_at, att2, slope, scale, dst_terms, perm, bits, record, signs, col,
    at, end, skip, head, masks,
    H: tl.constexpr, C: tl.constexpr, HS: tl.constexpr, K: tl.constexpr, HP: tl.constexpr,
    V: tl.constexpr, R: tl.constexpr, B: tl.constexpr, LOOPS: tl.constexpr, MASKED: tl.constexpr,
    PADDED: tl.constexpr, MONOTONE: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """Adds the edges ``at .. at + B - 1`` of each group, below ``end`` if ``MASKED``, to the sums
    of gradients of LeakyReLU(z), and of grad_out.
    """
    total, other = state
    for b in tl.static_range(B):
        live = at + b < end
        i = tl.load(col + at + b, mask=live, other=0) if MASKED else tl.load(col + at + b)
        row = i.to(tl.int64) * (H * C)
        g_i = load_rows(g_at, row, masks, live, R, PADDED, MASKED, ACC)
        place = row
        if record is not None or bits is not None:
            place = tl.load(perm + at + b, mask=live, other=0).to(tl.int64)
        if LOOPS:
            live = live & (i != skip)
        if record is not None:
            weight, grad = load_record(record, signs, place, slope, head, live, H, HP * K, V, R)
        else:
            weight, grad = _recomputed(
                x_j, g_i, x_dst_at, row, i, place, att2, slope, scale, dst_terms, bits, head, live,
                masks, HS, H, K, R, MONOTONE, ACC,
            )  # fmt: skip
        total, other = plus(total, grad, R), plus_scaled(other, weight, g_i, R)
    return total, other


@triton.jit(do_not_specialize=["num_pieces", "num_edges", "num_loops"])
def out_edges(
    x_src, x_dst, att, grad_out, dst_terms, col, perm, bits, record, signs, table,
    grad_x_src, part, num_pieces, num_edges, num_loops, slope: tl.float64, scale: tl.float64,
    H: tl.constexpr, C: tl.constexpr, HS: tl.constexpr, V: tl.constexpr, K: tl.constexpr,
    HP: tl.constexpr, R: tl.constexpr, G: tl.constexpr, B: tl.constexpr, LOOPS: tl.constexpr,
    MONOTONE: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """Visits the out-edges of G pieces, and writes the gradient of x_src (for hubs, ``part``: sums
    of the gradients of LeakyReLU(z) and of grad_out).

    Without ``record``, everything about an edge is computed again.
    """
    L: tl.constexpr = G * HP * K
    HC: tl.constexpr = H * C
    PADDED: tl.constexpr = H != HP or C != R * K * V
    slope = tl.full([], slope, ACC)
    scale = tl.full([], scale, ACC)
    item = tl.program_id(0) * G + group_of_lane(HP, K, G)
    begin, end, j, slot = load_four(table, tl.minimum(item, num_pieces - 1))
    given = (item < num_pieces) & (j >= 0)
    end = tl.where(given, end, begin)
    j = tl.where(given, j, 0)
    node = j.to(tl.int64)
    row_j = node * HC
    head, _ = head_of_lane(H, HP, K, G)
    offsets, masks = channels_of_lane(H, C, V, K, HP, R, G)
    g_at, x_dst_at = pointers(grad_out, offsets, R), pointers(x_dst, offsets, R)
    x_j, att2 = zeros(L, V, R, ACC), zeros(L, V, R, ACC)
    if record is None:
        x_j = load_vectors_where(pointers(x_src, offsets, R), row_j, masks, given, R, ACC)
        att2 = scaled_att(att, offsets, masks, head - head, R, ACC)
    # Zeros in the layout of the rows that are loaded: Triton would choose another one for sums of
    # numbers per head, and exchange them through shared memory.
    total = load_vectors_where(g_at, row_j, masks, given & (j < 0), R, ACC)
    other = total
    skip = j - j - 1
    if LOOPS:
        has_loop = given & (j < num_loops)
        skip = tl.where(has_loop, j, -1)
        own = has_loop & (slot % 2 == 0)
        g_j = load_vectors_where(g_at, row_j, masks, own, R, ACC)
        place = tl.where(own, num_edges + node, 0)
        if record is not None:
            weight, grad = load_record(record, signs, place, slope, head, own, H, HP * K, V, R)
        else:
            weight, grad = _recomputed(
                x_j, g_j, x_dst_at, row_j, j, place, att2, slope, scale, dst_terms, bits, head, own,
                masks, HS, H, K, R, MONOTONE, ACC,
            )  # fmt: skip
        total, other = plus(total, grad, R), plus_scaled(other, weight, g_j, R)

    blocks = tl.min((end - begin) // B, 0)
    inner = end - blocks * B
    state = (total, other)
    for start in range(0, tl.max(inner - begin, 0), B):
        state = _visit_edges(
            state, x_j, g_at, x_dst_at, att2, slope, scale, dst_terms, perm, bits, record, signs,
            col, begin + start, inner, skip, head, masks,
            H, C, HS, K, HP, V, R, B, LOOPS, True, PADDED, MONOTONE, ACC,
        )  # fmt: skip
    for block in range(0, blocks):
        state = _visit_edges(
            state, x_j, g_at, x_dst_at, att2, slope, scale, dst_terms, perm, bits, record, signs,
            col, inner + block * B, end, skip, head, masks,
            H, C, HS, K, HP, V, R, B, LOOPS, False, PADDED, MONOTONE, ACC,
        )  # fmt: skip
    total, other = state
    if part is not None:
        partial = given & (slot >= 0)
        given = given & (slot < 0)
        k = tl.where(partial, slot // 2, 0).to(tl.int64) * (2 * HC)
        part_at = pointers(part, offsets, R)
        store_vectors(part_at, k, total, masks, partial, R)
        store_vectors(part_at, k + HC, other, masks, partial, R)
    att2 = scaled_att(att, offsets, masks, head - head, R, ACC)
    grad_at = pointers(grad_x_src, offsets, R)
    write_gradients(grad_at, row_j, total, other, att2, masks, given, R, True)


@triton.jit
def combine_gradients(
    hubs, part, att, grad_x,
    H: tl.constexpr, C: tl.constexpr, V: tl.constexpr, K: tl.constexpr, HP: tl.constexpr,
    R: tl.constexpr, G: tl.constexpr, OTHER: tl.constexpr, FINAL: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """Writes the gradient of a hub: G groups add every G-th piece, then their sums.

    Unless ``FINAL``, entries of ``hubs`` are chunks, whose sums are partial sums again.
    """
    L: tl.constexpr = G * HP * K
    HC: tl.constexpr = H * C
    WIDTH: tl.constexpr = 2 * HC if OTHER else HC
    hub = hubs + tl.program_id(0).to(tl.int64) * 4
    row = tl.load(hub).to(tl.int64)
    if row >= 0:
        begin, end = tl.load(hub + 1), tl.load(hub + 2)
        group = group_of_lane(HP, K, G)
        offsets, masks = channels_of_lane(H, C, V, K, HP, R, G)
        part_at = pointers(part, offsets, R)
        total, other = zeros(L, V, R, ACC), zeros(L, V, R, ACC)
        for first in range(begin, end, G):
            k = (first + group).to(tl.int64) * WIDTH
            live = first + group < end
            total = plus(total, load_vectors_where(part_at, k, masks, live, R, ACC), R)
            if OTHER:
                other = plus(other, load_vectors_where(part_at, k + HC, masks, live, R, ACC), R)
        total = group_sums(total, G, R)
        if OTHER:
            other = group_sums(other, G, R)
        if FINAL:
            att2 = scaled_att(att, offsets, masks, group - group, R, ACC)
            grad_at = pointers(grad_x, offsets, R)
            row_at = (row * HC + group * 0).to(tl.int64)
            write_gradients(grad_at, row_at, total, other, att2, masks, group == 0, R, OTHER)
        else:
            store_vectors(part_at, row * WIDTH, total, masks, group == 0, R)
            if OTHER:
                store_vectors(part_at, row * WIDTH + HC, other, masks, group == 0, R)
