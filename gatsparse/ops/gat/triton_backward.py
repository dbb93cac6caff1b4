"""Kernels of GAT's backward pass; :mod:`gatsparse.ops.gat.cuda` launches them.

The formulas and names are those of :mod:`gatsparse.ops.gat.fused`, the layout of tiles is that of
:mod:`gatsparse.gpu.lanes`. No two programs write the same number, and every sum has a fixed order.
"""

# ruff: noqa: RUF005 (Triton does not support unpacking into a tuple)
# Pyright does not know Triton's constants.
# pyright: reportGeneralTypeIssues=false, reportAssignmentType=false
# pyright: reportInvalidTypeForm=false

import triton
import triton.language as tl

from gatsparse.gpu.device_functions import (
    channels_of_lane,
    exp_from,
    group_of_lane,
    group_sum,
    group_sums,
    head_of_lane,
    inner_product,
    is_kept,
    leaky_relu,
    load_four,
    load_four_where,
    load_vectors,
    load_vectors_where,
    plus_scaled,
    pointers,
    scaled,
    store_four,
    store_vectors,
    zeros,
)


@triton.jit(do_not_specialize=["num_dst", "steps"])
def dst_terms(
    grad_out, heads_out, alpha_dst, shift, weight_sum, positive_out, positive_weight,
    terms, grad_alpha_dst, grad_bias, num_dst, steps, scale: tl.float64,
    H: tl.constexpr, C: tl.constexpr, HS: tl.constexpr, V: tl.constexpr, K: tl.constexpr,
    HP: tl.constexpr, R: tl.constexpr, G: tl.constexpr, SLOPE: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """Terms of the destinations; a program visits G of them at a time, in ``steps`` steps.

    ``terms [N_dst, HS, 4]`` are alpha_dst, the shift, ``scale / weight_sum`` and
    ``D / scale``: so an edge that dropout keeps needs no scale. ``grad_alpha_dst [N_dst, HS]`` is
    written if ``positive_out`` is given. ``grad_bias [programs * G, H, C]`` are the sums of
    ``grad_out`` over the destinations of each group.
    """
    L: tl.constexpr = G * HP * K
    HC: tl.constexpr = H * C
    scale = tl.full([], scale, ACC)
    group = group_of_lane(HP, K, G)
    head, writes = head_of_lane(H, HP, K, G)
    offsets, masks = channels_of_lane(H, C, V, K, HP, R, G)
    grad_at = pointers(grad_out, offsets, R)
    heads_at = pointers(heads_out, offsets, R)
    one = tl.full([L], 1.0, ACC)
    sums = zeros(L, V, R, ACC)
    for step in range(0, steps):
        i = (tl.program_id(0).to(tl.int64) * steps + step) * G + group
        given = i < num_dst
        g = load_vectors_where(grad_at, i * HC, masks, given, R, ACC)
        sums = plus_scaled(sums, one, g, R)
        heads = load_vectors_where(heads_at, i * HC, masks, given, R, ACC)
        D = inner_product(g, heads, L, K, R)
        number = i * HS + head
        mask = given & writes
        alpha = tl.load(alpha_dst + number, mask=mask, other=0.0)
        shift_i = tl.load(shift + number, mask=mask, other=0.0)
        inverse = scale / tl.load(weight_sum + number, mask=mask, other=1.0)
        store_four(terms, number, alpha, shift_i, inverse, D / scale, mask)
        if positive_out is not None:
            positive_at = pointers(positive_out, offsets, R)
            heads = load_vectors_where(positive_at, i * HC, masks, given, R, ACC)
            share = D * tl.load(positive_weight + number, mask=mask, other=0.0)
            grad = (1 - SLOPE) * (inner_product(g, heads, L, K, R) - share)
            tl.store(grad_alpha_dst + number, grad, mask=mask)
    row = (tl.program_id(0).to(tl.int64) * G + group) * HC
    store_vectors(pointers(grad_bias, offsets, R), row, sums, masks, group >= 0, R)


@triton.jit
def _gradient(
    raw, four, inner, bits, place, head, H: tl.constexpr, SLOPE: tl.constexpr
):  # fmt: skip
    """Gradient of an edge's score, and its weight in the gradient of x.

    ``raw`` is the score before the LeakyReLU, ``four`` are the terms of the destination, ``inner``
    is ``<grad_out, x>``.
    """
    _, shift, inverse, D = four
    softmax = exp_from(leaky_relu(raw, SLOPE), shift) * inverse
    weight = softmax
    if bits is not None:
        kept = is_kept(bits, place, head, (H + 7) // 8)
        inner = tl.where(kept, inner, 0.0)
        weight = tl.where(kept, weight, 0.0)
    grad = softmax * (inner - D)
    return tl.where(raw > 0, grad, grad * SLOPE), weight


@triton.jit
def _add_edges(
    total, score_sum, x_j, alpha_j, grad_at, terms, edge, place, bits, grad_score, col, at, end,
    skip, head, writes, masks,
    H: tl.constexpr, C: tl.constexpr, HS: tl.constexpr, L: tl.constexpr, K: tl.constexpr,
    R: tl.constexpr, B: tl.constexpr, LENGTH: tl.constexpr, LOOPS: tl.constexpr,
    MASKED: tl.constexpr, SLOPE: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """Adds the edges ``at .. at + B - 1`` of each group to its sums; if MASKED, those below
    ``end``.
    """
    lives, rows, fours = (), (), ()
    for b in tl.static_range(B):
        if MASKED:
            live = at + b < end
            i = tl.load(col + at + b, mask=live, other=0)
            row = load_vectors_where(grad_at, i.to(tl.int64) * (H * C), masks, live, R, ACC)
            four = load_four_where(terms, i.to(tl.int64) * HS + head, live)
            if LOOPS:
                live = live & (i != skip)
        else:
            i = tl.load(col + at + b)
            row = load_vectors(grad_at, i.to(tl.int64) * (H * C), R, ACC)
            four = load_four(terms, i.to(tl.int64) * HS + head)
            live = i != skip
        fours = fours + (four,)
        lives = lives + (live,)
        rows = rows + (row,)
    for b in tl.static_range(B):
        inside = at + b < end
        raw = alpha_j + fours[b][0]
        if place is not None:
            if MASKED:
                to = tl.load(place + at + b, mask=inside, other=0).to(tl.int64)
            else:
                to = tl.load(place + at + b).to(tl.int64)
            if edge is not None:
                if MASKED:
                    raw += tl.load(edge + to * H + head, mask=inside, other=0.0)
                else:
                    raw += tl.load(edge + to * H + head)
        entry = at + b
        if MASKED:
            entry = tl.where(inside, entry, 0)
        inner = inner_product(x_j, rows[b], L, K, R)
        grad, weight = _gradient(raw, fours[b], inner, bits, entry, head, H, SLOPE)
        if LOOPS or MASKED:
            grad = tl.where(lives[b], grad, 0.0)
            weight = tl.where(lives[b], weight, 0.0)
        score_sum += grad
        total = plus_scaled(total, weight, rows[b], R)
        if grad_score is not None:
            mask = writes
            if MASKED:
                mask = writes & inside
            tl.store(grad_score + to * LENGTH + head, grad, mask=mask)
    return total, score_sum


@triton.jit(do_not_specialize=["num_pieces", "num_edges", "num_loops"])
def gat_backward(
    x, alpha_src, att_src, att_dst, grad_out, terms, grad_alpha_dst, edge, loop, col, place, bits,
    table, grad_x, grad_alpha_src, grad_score, grad_loop, part, part_sums,
    num_pieces, num_edges, num_loops,
    H: tl.constexpr, C: tl.constexpr, HS: tl.constexpr, V: tl.constexpr, K: tl.constexpr,
    HP: tl.constexpr, R: tl.constexpr, G: tl.constexpr, B: tl.constexpr, LENGTH: tl.constexpr,
    LOOPS: tl.constexpr, SLOPE: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """Sums over the out-edges of G pieces; as in :func:`gat_forward`, with the transposed graph.

    ``grad_score[place]`` and ``grad_loop``, rows of LENGTH numbers, receive the gradients of the
    scores unless they are None. ``edge`` is read at ``place``, too. ``att_dst`` is None unless
    ``grad_alpha_dst`` is known.
    """
    L: tl.constexpr = G * HP * K
    HC: tl.constexpr = H * C
    item = tl.program_id(0).to(tl.int64) * G + group_of_lane(HP, K, G)
    given = item < num_pieces
    begin, end, j, slot = load_four(table, tl.minimum(item, num_pieces - 1))
    given = given & (j >= 0)
    end = tl.where(given, end, begin)
    j = tl.where(given, j, 0)
    head, writes = head_of_lane(H, HP, K, G)
    offsets, masks = channels_of_lane(H, C, V, K, HP, R, G)
    grad_at = pointers(grad_out, offsets, R)
    j64 = j.to(tl.int64)
    number = j64 * HS + head
    alpha_j = tl.load(alpha_src + number)
    # Zero in the lanes and vectors of padding, which therefore add nothing to inner products.
    x_j = load_vectors_where(pointers(x, offsets, R), j64 * HC, masks, given, R, ACC)

    score_sum = tl.zeros([L], ACC)
    total = zeros(L, V, R, ACC)
    skip = j - j - 1
    if LOOPS:  # the virtual loop is the first edge
        has_loop = given & (j < num_loops)
        skip = tl.where(has_loop, j, -1)
        own = has_loop & (slot % 2 == 0)
        row = load_vectors_where(grad_at, j64 * HC, masks, own, R, ACC)
        four = load_four_where(terms, number, own)
        raw = alpha_j + four[0]
        if loop is not None:
            raw += tl.load(loop + j64 * H + head, mask=own, other=0.0)
        entry = tl.where(own, num_edges + j64, 0)
        inner = inner_product(x_j, row, L, K, R)
        grad, weight = _gradient(raw, four, inner, bits, entry, head, H, SLOPE)
        score_sum = tl.where(own, grad, 0.0)
        total = scaled(row, tl.where(own, weight, 0.0), R)
        if grad_loop is not None:
            tl.store(grad_loop + j64 * LENGTH + head, score_sum, mask=own & writes)

    blocks = tl.min((end - begin) // B, 0)
    inner_begin = end - blocks * B
    most = tl.max(inner_begin - begin, 0)
    for first in range(0, most, B):
        total, score_sum = _add_edges(
            total, score_sum, x_j, alpha_j, grad_at, terms, edge, place, bits, grad_score, col,
            begin + first, inner_begin, skip, head, writes, masks,
            H, C, HS, L, K, R, B, LENGTH, LOOPS, True, SLOPE, ACC,
        )  # fmt: skip
    for block in range(0, blocks):
        total, score_sum = _add_edges(
            total, score_sum, x_j, alpha_j, grad_at, terms, edge, place, bits, grad_score, col,
            inner_begin + block * B, end, skip, head, writes, masks,
            H, C, HS, L, K, R, B, LENGTH, LOOPS, False, SLOPE, ACC,
        )  # fmt: skip

    if part is not None:
        partial = given & (slot >= 0)
        given = given & (slot < 0)
        k = tl.where(partial, slot // 2, 0).to(tl.int64)
        store_vectors(pointers(part, offsets, R), k * HC, total, masks, partial, R)
        tl.store(part_sums + k * HS + head, score_sum, mask=partial & writes)
    _write_rows(
        total, score_sum, att_src, att_dst, grad_alpha_dst, grad_x, grad_alpha_src, j64, given,
        writes, head, offsets, masks, HC, HS, R, ACC,
    )  # fmt: skip


@triton.jit
def _write_rows(
    total, score_sum, att_src, att_dst, grad_alpha_dst, grad_x, grad_alpha_src, j, given, writes,
    head, offsets, masks, HC: tl.constexpr, HS: tl.constexpr, R: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """Writes the gradients of rows ``j`` from their sums."""
    number = j * HS + head
    nowhere = tl.zeros_like(head)
    tl.store(grad_alpha_src + number, score_sum, mask=given & writes)
    att = load_vectors(pointers(att_src, offsets, R), nowhere, R, ACC)
    total = plus_scaled(total, score_sum, att, R)
    if att_dst is not None:
        att = load_vectors(pointers(att_dst, offsets, R), nowhere, R, ACC)
        total = plus_scaled(total, tl.load(grad_alpha_dst + number), att, R)
    store_vectors(pointers(grad_x, offsets, R), j * HC, total, masks, given, R)


@triton.jit
def backward_combine(
    hubs, part, part_sums, att_src, att_dst, grad_alpha_dst, grad_x, grad_alpha_src,
    H: tl.constexpr, C: tl.constexpr, HS: tl.constexpr, V: tl.constexpr, K: tl.constexpr,
    HP: tl.constexpr, R: tl.constexpr, G: tl.constexpr, FINAL: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """Gradients of a row of several pieces: G groups add every G-th one, then their sums.

    Unless ``FINAL``, entries of ``hubs`` are chunks, whose sums are partial sums again.
    """
    L: tl.constexpr = G * HP * K
    HC: tl.constexpr = H * C
    hub = hubs + tl.program_id(0).to(tl.int64) * 4
    j = tl.load(hub).to(tl.int64)
    if j >= 0:
        begin, end = tl.load(hub + 1), tl.load(hub + 2)
        head, writes = head_of_lane(H, HP, K, G)
        offsets, masks = channels_of_lane(H, C, V, K, HP, R, G)
        group = group_of_lane(HP, K, G)
        part_at = pointers(part, offsets, R)
        one = tl.full([L], 1.0, ACC)
        score_sum = tl.zeros([L], ACC)
        total = zeros(L, V, R, ACC)
        for first in range(begin, end, G):
            k = (first + group).to(tl.int64)
            inside = k < end
            score_sum += tl.load(part_sums + k * HS + head, mask=inside, other=0.0)
            total_k = load_vectors_where(part_at, k * HC, masks, inside, R, ACC)
            total = plus_scaled(total, one, total_k, R)
        total, score_sum = group_sums(total, G, R), group_sum(score_sum, G)
        if FINAL:
            _write_rows(
                total, score_sum, att_src, att_dst, grad_alpha_dst, grad_x, grad_alpha_src, j,
                group == 0, writes, head, offsets, masks, HC, HS, R, ACC,
            )  # fmt: skip
        else:
            store_vectors(part_at, j * HC, total, masks, group == 0, R)
            tl.store(part_sums + j * HS + head, score_sum, mask=(group == 0) & writes)


@triton.jit(do_not_specialize=["num_loops"])
def score_sums(
    grad_score, grad_loop, place, table, grad_alpha_dst, part, num_loops,
    H: tl.constexpr, HS: tl.constexpr, HP: tl.constexpr, LENGTH: tl.constexpr,
    ROWS: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """``grad_alpha_dst [N_dst, HS]``: sums of ``grad_score`` over the in-edges of a piece.

    Entry ``t`` of the graph is row ``place[t]`` of ``grad_score``, or row ``t`` without ``place``.
    """
    piece = table + tl.program_id(0).to(tl.int64) * 4
    i = tl.load(piece + 2).to(tl.int64)
    if i >= 0:
        begin, end, slot = tl.load(piece), tl.load(piece + 1), tl.load(piece + 3)
        h, entry = tl.arange(0, HP), tl.arange(0, ROWS)
        total = tl.zeros([ROWS, HP], ACC)
        for first in range(begin, end, ROWS):
            t = first + entry
            inside = t < end
            row = t
            if place is not None:
                row = tl.load(place + t, mask=inside, other=0)
            at = (row.to(tl.int64) * LENGTH)[:, None] + h[None, :]
            total += tl.load(grad_score + at, mask=inside[:, None] & (h < H)[None, :], other=0.0)
        value = tl.sum(total, 0)
        if grad_loop is not None:
            own = (i < num_loops) & (slot % 2 == 0)
            value += tl.load(grad_loop + i * LENGTH + h, mask=(h < H) & own, other=0.0)
        if part is not None:
            k = tl.maximum(slot // 2, 0).to(tl.int64)
            tl.store(part + k * HS + h, value, mask=(h < H) & (slot >= 0))
        tl.store(grad_alpha_dst + i * HS + h, value, mask=(h < H) & (slot < 0))


@triton.jit
def combine_score_sums(
    hubs, part, grad_alpha_dst,
    H: tl.constexpr, HS: tl.constexpr, HP: tl.constexpr, ROWS: tl.constexpr, FINAL: tl.constexpr,
    ACC: tl.constexpr,
):  # fmt: skip
    """``grad_alpha_dst`` of a row of several pieces; partial sums of a chunk unless ``FINAL``."""
    hub = hubs + tl.program_id(0).to(tl.int64) * 4
    i = tl.load(hub).to(tl.int64)
    if i >= 0:
        begin, end = tl.load(hub + 1), tl.load(hub + 2)
        h, entry = tl.arange(0, HP), tl.arange(0, ROWS)
        total = tl.zeros([ROWS, HP], ACC)
        for first in range(begin, end, ROWS):
            k = (first + entry).to(tl.int64)
            at = (k * HS)[:, None] + h[None, :]
            total += tl.load(part + at, mask=(k < end)[:, None] & (h < H)[None, :], other=0.0)
        out = grad_alpha_dst if FINAL else part
        tl.store(out + i * HS + h, tl.sum(total, 0), mask=h < H)


@triton.jit(do_not_specialize=["num_nodes", "steps"])
def att_sums(
    x, grad_alpha_src, grad_alpha_dst, grad_att, num_nodes, steps,
    H: tl.constexpr, C: tl.constexpr, HS: tl.constexpr, V: tl.constexpr, K: tl.constexpr,
    HP: tl.constexpr, R: tl.constexpr, G: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """``grad_att [programs * G, 2, H, C]``: sums over the nodes of each group of x, weighted by
    ``grad_alpha_src`` and by ``grad_alpha_dst`` (unless it is None).
    """
    L: tl.constexpr = G * HP * K
    HC: tl.constexpr = H * C
    group = group_of_lane(HP, K, G)
    head, _ = head_of_lane(H, HP, K, G)
    offsets, masks = channels_of_lane(H, C, V, K, HP, R, G)
    x_at = pointers(x, offsets, R)
    src = zeros(L, V, R, ACC)
    dst = src
    for step in range(0, steps):
        n = (tl.program_id(0).to(tl.int64) * steps + step) * G + group
        given = n < num_nodes
        x_n = load_vectors_where(x_at, n * HC, masks, given, R, ACC)
        number = n * HS + head
        src = plus_scaled(src, tl.load(grad_alpha_src + number, mask=given, other=0.0), x_n, R)
        if grad_alpha_dst is not None:
            dst = plus_scaled(dst, tl.load(grad_alpha_dst + number, mask=given, other=0.0), x_n, R)
    row = (tl.program_id(0).to(tl.int64) * G + group) * (2 * HC)
    store_vectors(pointers(grad_att, offsets, R), row, src, masks, group >= 0, R)
    store_vectors(pointers(grad_att, offsets, R), row + HC, dst, masks, group >= 0, R)
