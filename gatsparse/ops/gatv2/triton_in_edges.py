"""Kernel of GATv2's backward pass that visits the in-edges of each destination.

The formulas and names are those of :mod:`gatsparse.ops.gatv2.fused`. No two programs write the same
number, and every sum has a fixed order.
"""

# ruff: noqa: RUF005 (Triton does not support unpacking into a tuple)

# pyright: reportGeneralTypeIssues=false, reportAssignmentType=false
# pyright: reportInvalidTypeForm=false

import triton
import triton.language as tl

from gatsparse.gpu.device_functions import (
    channels_of_lane,
    group_of_lane,
    head_of_lane,
    inner_product,
    is_kept,
    load_four,
    load_vectors_where,
    pointers,
    store_four,
    store_vectors,
    zeros,
)
from gatsparse.ops.gatv2.triton_edge import (
    edge_gradient,
    grad_leaky,
    leaky_scores,
    load_rows,
    plus,
    scaled_att,
    store_record,
    write_gradients,
)


@triton.jit
def _plus_product(total, a, b, R: tl.constexpr):
    """``total + a * b`` for R tiles."""
    out = ()
    for r in tl.static_range(R):
        out = out + (total[r] + a[r] * b[r],)
    return out


@triton.jit
def _visit_edges(
    state, terms, x_at, edge_at, grad_edge_at, x_i, g_i, att2, slope, scale, perm, bits, record,
    signs, col, at, end, skip, head, writes, masks,
    H: tl.constexpr, C: tl.constexpr, K: tl.constexpr, HP: tl.constexpr, V: tl.constexpr,
    R: tl.constexpr, B: tl.constexpr, LOOPS: tl.constexpr, MASKED: tl.constexpr,
    PADDED: tl.constexpr, EDGE: tl.constexpr, DROPOUT: tl.constexpr, MONOTONE: tl.constexpr,
    ACC: tl.constexpr,
):  # fmt: skip
    """Adds the edges ``at .. at + B - 1`` of each group, below ``end`` if ``MASKED``, to the sums
    of gradients of LeakyReLU(z), and of z times these gradients.
    """
    L: tl.constexpr = head.shape[0]
    total, att_sum = state
    shift, inverse, D = terms
    first = at.to(tl.int64)
    rows, edges, numbers, lives, kepts = (), (), (), (), ()
    for b in tl.static_range(B):
        live = at + b < end
        j = tl.load(col + at + b, mask=live, other=0) if MASKED else tl.load(col + at + b)
        row = load_rows(x_at, j.to(tl.int64) * (H * C), masks, live, R, PADDED, MASKED, ACC)
        number, edge, kept = j, row, live
        if EDGE:
            number = tl.load(perm + at + b, mask=live, other=0).to(tl.int64) * (H * C)
        if DROPOUT:
            place = tl.where(live, first + b, 0) if MASKED else first + b
            kept = is_kept(bits, place, head, (H + 7) // 8)
        if LOOPS:
            live = live & (j != skip)
        if EDGE:  # features of a replaced loop may be NaN
            edge = load_rows(edge_at, number, masks, live, R, PADDED, MASKED or LOOPS, ACC)
        rows = rows + (row,)
        edges = edges + (edge,)
        numbers = numbers + (number,)
        lives = lives + (live,)
        kepts = kepts + (kept,)
    for b in tl.static_range(B):
        score, z = leaky_scores(rows[b], x_i, edges[b], att2, slope, L, K, R, EDGE, MONOTONE)
        inner = inner_product(rows[b], g_i, L, K, R)
        weight, grad_score = edge_gradient(
            score, inner, shift, inverse, D, kepts[b], lives[b], scale, DROPOUT
        )
        grad = grad_leaky(z, grad_score, slope, R)
        total = plus(total, grad, R)
        att_sum = _plus_product(att_sum, z, grad, R)
        inside = at + b < end
        if record is not None:
            store_record(
                record, signs, first + b, weight, grad_score, z, head, writes, inside,
                H, HP * K, V, R,
            )  # fmt: skip
        if EDGE:
            write_gradients(grad_edge_at, numbers[b], grad, grad, att2, masks, inside, R, False)
    return total, att_sum


@triton.jit(do_not_specialize=["num_pieces", "num_edges", "num_loops", "programs", "rounds"])
def in_edges(
    x_src, x_dst, att, edge, loop, grad_out, heads_out, shift, weight_sum, col, perm, bits, table,
    grad_x_dst, grad_edge, grad_loop, att_sums, dst_terms, record, signs, part,
    num_pieces, num_edges, num_loops, programs, rounds, slope: tl.float64, scale: tl.float64,
    H: tl.constexpr, C: tl.constexpr, HS: tl.constexpr, V: tl.constexpr, K: tl.constexpr,
    HP: tl.constexpr, R: tl.constexpr, G: tl.constexpr, B: tl.constexpr, LOOPS: tl.constexpr,
    MONOTONE: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """Visits the in-edges of G pieces in each of ``rounds`` rounds.

    Writes the gradients of x_dst (for hubs, ``part``: sums of the gradients of LeakyReLU(z)), of
    edge and of loop; the records of edges or, if there are none, ``dst_terms [N_dst, HS, 4]``:
    shift, 1 / weight_sum, D and 0; and a row of ``att_sums [programs, H, C]``, whose sum is the
    gradient of att.
    """
    T: tl.constexpr = HP * K
    L: tl.constexpr = G * T
    HC: tl.constexpr = H * C
    EDGE: tl.constexpr = edge is not None
    DROPOUT: tl.constexpr = bits is not None
    PADDED: tl.constexpr = H != HP or C != R * K * V
    slope = tl.full([], slope, ACC)
    scale = tl.full([], scale, ACC)
    group = group_of_lane(HP, K, G)
    head, writes = head_of_lane(H, HP, K, G)
    offsets, masks = channels_of_lane(H, C, V, K, HP, R, G)
    x_at = pointers(x_src, offsets, R)
    edge_at, grad_edge_at = x_at, x_at
    if EDGE:
        edge_at, grad_edge_at = pointers(edge, offsets, R), pointers(grad_edge, offsets, R)
    att2 = scaled_att(att, offsets, masks, head - head, R, ACC)
    att_sum = zeros(L, V, R, ACC)
    for n in range(0, rounds):
        item = (tl.program_id(0) + n * programs) * G + group
        begin, end, i, slot = load_four(table, tl.minimum(item, num_pieces - 1))
        given = (item < num_pieces) & (i >= 0)
        end = tl.where(given, end, begin)
        i = tl.where(given, i, 0)
        node = i.to(tl.int64)
        row_i = node * HC
        g_i = load_vectors_where(pointers(grad_out, offsets, R), row_i, masks, given, R, ACC)
        out_i = load_vectors_where(pointers(heads_out, offsets, R), row_i, masks, given, R, ACC)
        D = inner_product(g_i, out_i, L, K, R)
        shift_i = tl.load(shift + node * HS + head)
        inverse = 1.0 / tl.load(weight_sum + node * HS + head)
        first = given & (slot % 2 == 0)
        if dst_terms is not None:
            at = node * HS + head
            zero = tl.zeros([L], ACC)
            store_four(dst_terms, at, shift_i, inverse, D, zero, first & writes)
        total = zeros(L, V, R, ACC)
        skip = i - i - 1
        own = given & (i < 0)
        if LOOPS:
            has_loop = given & (i < num_loops)
            skip = tl.where(has_loop, i, -1)
            own = has_loop & first
        # A row without edges adds nothing to the gradient of att, also if it is NaN.
        visits = own | (begin < end)
        x_i = load_vectors_where(pointers(x_dst, offsets, R), row_i, masks, visits, R, ACC)
        if LOOPS:
            row = load_vectors_where(x_at, row_i, masks, own, R, ACC)
            loop_row = row
            if EDGE:
                loop_row = load_vectors_where(pointers(loop, offsets, R), row_i, masks, own, R, ACC)
            score, z = leaky_scores(row, x_i, loop_row, att2, slope, L, K, R, EDGE, MONOTONE)
            inner = inner_product(row, g_i, L, K, R)
            place = num_edges + node
            kept = own
            if DROPOUT:
                kept = is_kept(bits, tl.where(own, place, 0), head, (H + 7) // 8)
            weight, grad_score = edge_gradient(
                score, inner, shift_i, inverse, D, kept, own, scale, DROPOUT
            )
            total = grad_leaky(z, grad_score, slope, R)
            att_sum = _plus_product(att_sum, z, total, R)
            if record is not None:
                store_record(
                    record, signs, place, weight, grad_score, z, head, writes, own, H, T, V, R
                )
            if EDGE:
                grad_loop_at = pointers(grad_loop, offsets, R)
                write_gradients(grad_loop_at, row_i, total, total, att2, masks, own, R, False)

        blocks = tl.min((end - begin) // B, 0)
        inner_end = end - blocks * B
        state = (total, att_sum)
        terms = (shift_i, inverse, D)
        for start in range(0, tl.max(inner_end - begin, 0), B):
            state = _visit_edges(
                state, terms, x_at, edge_at, grad_edge_at, x_i, g_i, att2, slope, scale, perm,
                bits, record, signs, col, begin + start, inner_end, skip, head, writes, masks,
                H, C, K, HP, V, R, B, LOOPS, True, PADDED, EDGE, DROPOUT, MONOTONE, ACC,
            )  # fmt: skip
        for block in range(0, blocks):
            state = _visit_edges(
                state, terms, x_at, edge_at, grad_edge_at, x_i, g_i, att2, slope, scale, perm,
                bits, record, signs, col, inner_end + block * B, end, skip, head, writes, masks,
                H, C, K, HP, V, R, B, LOOPS, False, PADDED, EDGE, DROPOUT, MONOTONE, ACC,
            )  # fmt: skip
        total, att_sum = state
        if part is not None:
            partial = given & (slot >= 0)
            given = given & (slot < 0)
            k = tl.where(partial, slot // 2, 0).to(tl.int64)
            store_vectors(pointers(part, offsets, R), k * HC, total, masks, partial, R)
        grad_at = pointers(grad_x_dst, offsets, R)
        write_gradients(grad_at, row_i, total, total, att2, masks, given, R, False)
    for r in tl.static_range(R):
        lane = tl.arange(0, T)
        channel = (r * K + lane % K) * V
        at = (lane // K * C + channel)[:, None] + tl.arange(0, V)[None, :]
        mask = ((lane // K < H) & (channel < C))[:, None]
        summed = tl.sum(tl.reshape(att_sum[r], [G, T, V]), 0)
        tl.store(att_sums + tl.program_id(0).to(tl.int64) * HC + at, summed, mask=mask)
