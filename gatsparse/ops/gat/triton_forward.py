"""Kernels of GAT's forward pass; :mod:`gatsparse.ops.gat.cuda` launches them.

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
    MINUS_INF,
    channels_of_lane,
    chosen,
    exp_from,
    group_max,
    group_of_lane,
    group_sum,
    group_sums,
    head_of_lane,
    inner_product,
    is_kept,
    leaky_relu,
    load_four,
    load_vectors,
    load_vectors_where,
    plus_scaled,
    pointers,
    scaled,
    store_vectors,
    zeros,
)


@triton.jit(do_not_specialize=["num_nodes"])
def node_terms(
    x, att_src, att_dst, alpha_src, alpha_dst, num_nodes,
    H: tl.constexpr, C: tl.constexpr, HS: tl.constexpr, V: tl.constexpr, K: tl.constexpr,
    HP: tl.constexpr, R: tl.constexpr, G: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """``alpha_src [N, HS] = <x, att_src>``, and the same of ``att_dst`` unless it is None."""
    L: tl.constexpr = G * HP * K
    node = tl.program_id(0).to(tl.int64) * G + group_of_lane(HP, K, G)
    given = node < num_nodes
    head, writes = head_of_lane(H, HP, K, G)
    offsets, masks = channels_of_lane(H, C, V, K, HP, R, G)
    nowhere = tl.zeros([L], tl.int32)
    x_n = load_vectors_where(pointers(x, offsets, R), node * (H * C), masks, given, R, ACC)
    a_src = load_vectors(pointers(att_src, offsets, R), nowhere, R, ACC)
    mask = given & writes
    tl.store(alpha_src + node * HS + head, inner_product(x_n, a_src, L, K, R), mask=mask)
    if att_dst is not None:
        a_dst = load_vectors(pointers(att_dst, offsets, R), nowhere, R, ACC)
        tl.store(alpha_dst + node * HS + head, inner_product(x_n, a_dst, L, K, R), mask=mask)


@triton.jit
def _add_edges(
    state, x_at, alpha_at, alpha_i, edge, perm, bits, col, at, end, skip, head, masks,
    H: tl.constexpr, C: tl.constexpr, HS: tl.constexpr, R: tl.constexpr, B: tl.constexpr,
    LOOPS: tl.constexpr, MASKED: tl.constexpr, POSITIVE: tl.constexpr, SLOPE: tl.constexpr,
    ACC: tl.constexpr,
):  # fmt: skip
    """Adds the edges ``at .. at + B - 1`` of each group to its sums; if MASKED, those below
    ``end``.
    """
    shift, weight_sum, positive_sum, total, positive_total = state
    scores, raws, rows = (), (), ()
    top = shift
    for b in tl.static_range(B):
        live = at + b < end
        if MASKED:
            j = tl.load(col + at + b, mask=live, other=0).to(tl.int64)
            raw = tl.load(alpha_at + j * HS, mask=live, other=0.0) + alpha_i
            row = load_vectors_where(x_at, j * (H * C), masks, live, R, ACC)
        else:
            j = tl.load(col + at + b).to(tl.int64)
            raw = tl.load(alpha_at + j * HS) + alpha_i
            row = load_vectors(x_at, j * (H * C), R, ACC)
        if edge is not None:
            if MASKED:
                number = tl.load(perm + at + b, mask=live, other=0).to(tl.int64)
                raw += tl.load(edge + number * H + head, mask=live, other=0.0)
            else:
                number = tl.load(perm + at + b).to(tl.int64)
                raw += tl.load(edge + number * H + head)
        score = leaky_relu(raw, SLOPE)
        if MASKED:
            score = tl.where(live, score, MINUS_INF)
        if LOOPS:
            score = tl.where(j != skip, score, MINUS_INF)
        top = tl.maximum(top, score)
        scores = scores + (score,)
        raws = raws + (raw,)
        rows = rows + (row,)
    origin = tl.where(top == MINUS_INF, 0.0, top)
    factor = exp_from(shift, origin)
    weight_sum = weight_sum * factor
    total = scaled(total, factor, R)
    if POSITIVE:
        positive_sum = positive_sum * factor
        positive_total = scaled(positive_total, factor, R)
    for b in tl.static_range(B):
        weight = exp_from(scores[b], origin)
        weight_sum += weight
        kept = weight
        if bits is not None:
            place = at + b
            if MASKED:
                place = tl.where(place < end, place, 0)
            kept = tl.where(is_kept(bits, place, head, (H + 7) // 8), weight, 0.0)
        total = plus_scaled(total, kept, rows[b], R)
        if POSITIVE:
            positive_sum += tl.where(raws[b] > 0, weight, 0.0)
            positive_total = plus_scaled(
                positive_total, tl.where(raws[b] > 0, kept, 0.0), rows[b], R
            )
    return top, weight_sum, positive_sum, total, positive_total


@triton.jit(do_not_specialize=["num_pieces", "num_edges", "num_loops"])
def gat_forward(
    x, alpha_src, alpha_dst, edge, loop, bias, col, perm, bits, table,
    out, heads_out, shift, weight_sum, positive_out, positive_weight, part, part_terms,
    num_pieces, num_edges, num_loops, scale: tl.float64,
    H: tl.constexpr, C: tl.constexpr, HS: tl.constexpr, V: tl.constexpr, K: tl.constexpr,
    HP: tl.constexpr, R: tl.constexpr, G: tl.constexpr, B: tl.constexpr, LOOPS: tl.constexpr,
    SLOPE: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """Sums over the in-edges of G pieces: a group of lanes visits one, B edges at a time.

    Pieces that are whole rows give results; the sums of others are written to ``part``, for
    :func:`gat_combine`. The first blocks of a piece have masks, until as many whole blocks are left
    as all groups have.
    """
    L: tl.constexpr = G * HP * K
    HC: tl.constexpr = H * C
    POSITIVE: tl.constexpr = positive_out is not None
    scale = tl.full([], scale, ACC)
    item = tl.program_id(0).to(tl.int64) * G + group_of_lane(HP, K, G)
    given = item < num_pieces
    begin, end, i, slot = load_four(table, tl.minimum(item, num_pieces - 1))
    given = given & (i >= 0)
    end = tl.where(given, end, begin)
    i = tl.where(given, i, 0)
    head, writes = head_of_lane(H, HP, K, G)
    offsets, masks = channels_of_lane(H, C, V, K, HP, R, G)
    x_at = pointers(x, offsets, R)
    alpha_at = alpha_src + head
    i64 = i.to(tl.int64)
    number = i64 * HS + head
    alpha_i = tl.load(alpha_dst + number)

    top = tl.full([L], MINUS_INF, ACC)
    total_weight = tl.zeros([L], ACC)
    positive_sum = total_weight
    total = zeros(L, V, R, ACC)
    positive_total = total
    skip = i - i - 1
    isolated = begin == end
    if LOOPS:  # the virtual loop is the first edge
        has_loop = given & (i < num_loops)
        skip = tl.where(has_loop, i, -1)
        own = has_loop & (slot % 2 == 0)
        raw = tl.load(alpha_at + i64 * HS, mask=own, other=0.0) + alpha_i
        if loop is not None:
            raw += tl.load(loop + i64 * H + head, mask=own, other=0.0)
        top = tl.where(own, leaky_relu(raw, SLOPE), MINUS_INF)
        isolated = isolated & ~own
        total_weight = exp_from(top, tl.where(top == MINUS_INF, 0.0, top))
        kept = total_weight
        if bits is not None:
            place = tl.where(own, num_edges + i64, 0)
            kept = tl.where(is_kept(bits, place, head, (H + 7) // 8), kept, 0.0)
        x_i = load_vectors_where(x_at, i64 * HC, masks, own, R, ACC)
        total = scaled(x_i, kept, R)
        if POSITIVE:
            positive_sum = tl.where(raw > 0, total_weight, 0.0)
            positive_total = scaled(x_i, tl.where(raw > 0, kept, 0.0), R)

    blocks = tl.min((end - begin) // B, 0)
    inner = end - blocks * B
    most = tl.max(inner - begin, 0)
    state = (top, total_weight, positive_sum, total, positive_total)
    for first in range(0, most, B):
        state = _add_edges(
            state, x_at, alpha_at, alpha_i, edge, perm, bits, col, begin + first, inner, skip,
            head, masks, H, C, HS, R, B, LOOPS, True, POSITIVE, SLOPE, ACC,
        )  # fmt: skip
    for block in range(0, blocks):
        state = _add_edges(
            state, x_at, alpha_at, alpha_i, edge, perm, bits, col, inner + block * B, end, skip,
            head, masks, H, C, HS, R, B, LOOPS, False, POSITIVE, SLOPE, ACC,
        )  # fmt: skip
    top, total_weight, positive_sum, total, positive_total = state

    if part is not None:
        partial = given & (slot >= 0)
        given = given & (slot < 0)
        k = tl.where(partial, slot // 2, 0).to(tl.int64)
        _write_part(
            total, positive_total, top, total_weight, positive_sum, part, part_terms, k,
            partial, writes, head, offsets, masks, HC, HS, R, POSITIVE,
        )  # fmt: skip
    _write_rows(
        total, positive_total, top, total_weight, positive_sum, isolated, bias, out, heads_out,
        shift, weight_sum, positive_out, positive_weight, i64, given, writes, head, offsets, masks,
        scale, HC, HS, R, ACC,
    )  # fmt: skip


@triton.jit
def _write_part(
    total, positive_total, top, weight_sum, positive_sum, part, part_terms, k, given, writes,
    head, offsets, masks, HC: tl.constexpr, HS: tl.constexpr, R: tl.constexpr,
    POSITIVE: tl.constexpr,
):  # fmt: skip
    """Writes sums as the partial sums ``k``, for :func:`gat_combine`."""
    WIDTH: tl.constexpr = 2 * HC if POSITIVE else HC
    TERMS: tl.constexpr = 3 * HS if POSITIVE else 2 * HS
    store_vectors(pointers(part, offsets, R), k * WIDTH, total, masks, given, R)
    terms = part_terms + k * TERMS + head
    tl.store(terms, top, mask=given & writes)
    tl.store(terms + HS, weight_sum, mask=given & writes)
    if POSITIVE:
        store_vectors(pointers(part + HC, offsets, R), k * WIDTH, positive_total, masks, given, R)
        tl.store(terms + 2 * HS, positive_sum, mask=given & writes)


@triton.jit
def _write_rows(
    total, positive_total, top, total_weight, positive_sum, isolated, bias, out, heads_out,
    shift, weight_sum, positive_out, positive_weight, i, given, writes, head, offsets, masks,
    scale, HC: tl.constexpr, HS: tl.constexpr, R: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """Writes the results of rows ``i`` from their sums."""
    norm = scale / total_weight
    row = i * HC
    number = i * HS + head
    result = chosen(~isolated, scaled(total, norm, R), 0.0, R)
    if heads_out is not None:
        store_vectors(pointers(heads_out, offsets, R), row, result, masks, given, R)
    if shift is not None:
        tl.store(shift + number, top, mask=given & writes)
        tl.store(weight_sum + number, total_weight, mask=given & writes)
    if positive_out is not None:
        positive = chosen(~isolated, scaled(positive_total, norm, R), 0.0, R)
        store_vectors(pointers(positive_out, offsets, R), row, positive, masks, given, R)
        share = tl.where(isolated, 0.0, positive_sum / total_weight)
        tl.store(positive_weight + number, share, mask=given & writes)
    if out is not None:
        if bias is not None:
            nowhere = tl.zeros_like(head)
            one = tl.full(norm.shape, 1.0, ACC)
            addend = load_vectors(pointers(bias, offsets, R), nowhere, R, ACC)
            result = plus_scaled(result, one, addend, R)
        store_vectors(pointers(out, offsets, R), row, result, masks, given, R)


@triton.jit
def gat_combine(
    hubs, part, part_terms, bias,
    out, heads_out, shift, weight_sum, positive_out, positive_weight, scale: tl.float64,
    H: tl.constexpr, C: tl.constexpr, HS: tl.constexpr, V: tl.constexpr, K: tl.constexpr,
    HP: tl.constexpr, R: tl.constexpr, G: tl.constexpr, FINAL: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """Results of a row of several pieces: G groups add every G-th one, then their sums.

    Unless ``FINAL``, entries of ``hubs`` are chunks, whose sums are partial sums again.
    """
    L: tl.constexpr = G * HP * K
    HC: tl.constexpr = H * C
    POSITIVE: tl.constexpr = positive_out is not None
    WIDTH: tl.constexpr = 2 * HC if POSITIVE else HC
    TERMS: tl.constexpr = 3 * HS if POSITIVE else 2 * HS
    scale = tl.full([], scale, ACC)
    hub = hubs + tl.program_id(0).to(tl.int64) * 4
    i = tl.load(hub).to(tl.int64)
    if i >= 0:
        begin, end = tl.load(hub + 1), tl.load(hub + 2)
        head, writes = head_of_lane(H, HP, K, G)
        offsets, masks = channels_of_lane(H, C, V, K, HP, R, G)
        group = group_of_lane(HP, K, G)
        part_at = pointers(part, offsets, R)
        positive_at = pointers(part + HC, offsets, R)
        top = tl.full([L], MINUS_INF, ACC)
        weight_sum_i = tl.zeros([L], ACC)
        positive_sum = weight_sum_i
        total = zeros(L, V, R, ACC)
        positive_total = total
        for first in range(begin, end, G):
            k = (first + group).to(tl.int64)
            inside = k < end
            terms = part_terms + k * TERMS + head
            top_k = tl.load(terms, mask=inside, other=MINUS_INF)
            new = tl.maximum(top, top_k)
            origin = tl.where(new == MINUS_INF, 0.0, new)
            factor = exp_from(top, origin)
            factor_k = exp_from(top_k, origin)
            top = new
            weight_k = tl.load(terms + HS, mask=inside, other=0.0)
            weight_sum_i = weight_sum_i * factor + weight_k * factor_k
            total_k = load_vectors_where(part_at, k * WIDTH, masks, inside, R, ACC)
            total = plus_scaled(scaled(total, factor, R), factor_k, total_k, R)
            if POSITIVE:
                positive_k = tl.load(terms + 2 * HS, mask=inside, other=0.0)
                positive_sum = positive_sum * factor + positive_k * factor_k
                total_k = load_vectors_where(positive_at, k * WIDTH, masks, inside, R, ACC)
                positive_total = plus_scaled(
                    scaled(positive_total, factor, R), factor_k, total_k, R
                )
        most = group_max(top, G)
        factor = exp_from(top, tl.where(most == MINUS_INF, 0.0, most))
        weight_sum_i = group_sum(weight_sum_i * factor, G)
        total = group_sums(scaled(total, factor, R), G, R)
        if POSITIVE:
            positive_sum = group_sum(positive_sum * factor, G)
            positive_total = group_sums(scaled(positive_total, factor, R), G, R)
        if FINAL:
            _write_rows(
                total, positive_total, most, weight_sum_i, positive_sum, group < 0, bias, out,
                heads_out, shift, weight_sum, positive_out, positive_weight, i, group == 0, writes,
                head, offsets, masks, scale, HC, HS, R, ACC,
            )  # fmt: skip
        else:
            _write_part(
                total, positive_total, most, weight_sum_i, positive_sum, part, part_terms, i,
                group == 0, writes, head, offsets, masks, HC, HS, R, POSITIVE,
            )  # fmt: skip
