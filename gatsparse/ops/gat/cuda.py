"""The fused backend of GAT on GPUs: allocates the results and launches the Triton kernels.

The arguments and results are those of :mod:`gatsparse.ops.gat.fused`. Exponentials are powers of
two: ``weight_sum`` is relative to the rounded product of ``shift`` and log2(e), and so are the
weights that the backward pass computes.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gatsparse.gpu import edge_dropout, launch
from gatsparse.gpu.arguments import check_csr, check_tensor
from gatsparse.gpu.pieces import pieces
from gatsparse.ops.cuda import Shape
from gatsparse.ops.gat import triton_backward, triton_forward

_SUM_PROGRAMS = 2048  # programs of sums over all nodes, at most
_SCORE_ROWS = 16  # gradients of scores that a program adds at a time


def _check_inputs(
    shape: Shape,
    x: Tensor,
    att_src: Tensor,
    att_dst: Tensor | None,
    edge: Tensor | None,
    loop: Tensor | None,
    csr: list[Tensor],
) -> None:
    """Raises RuntimeError if a tensor does not fit the others."""
    H, C = shape.layout[:2]
    check_tensor("x", x, x, x.dtype, (shape.num_src, H, C))
    check_tensor("att_src", att_src, x, shape.acc, (1, H, C))
    if att_dst is not None:
        if shape.num_src != shape.num_dst:
            raise RuntimeError("att_dst: x has no row for every destination")
        check_tensor("att_dst", att_dst, x, shape.acc, (1, H, C))
    if edge is not None:
        check_tensor("edge", edge, x, shape.acc, (shape.num_edges, H))
        if loop is None and shape.num_loops > 0:
            raise RuntimeError("loop: expected for edge, got none")
    if loop is not None:
        check_tensor("loop", loop, x, shape.acc, (shape.num_loops, H))
    check_csr("csr", csr, x, shape.num_dst, shape.num_edges)


def gat(
    x: Tensor,
    att_src: Tensor,
    att_dst: Tensor | None,
    alpha_dst: Tensor | None,
    edge: Tensor | None,
    loop: Tensor | None,
    bias: Tensor | None,
    concat: bool,
    save: bool,
    positive: bool,
    csr: list[Tensor],
    _csr_t: list[Tensor],
    add_self_loops: bool,
    negative_slope: float,
    dropout: float,
    seed: Tensor | None,
) -> tuple[Tensor, ...]:
    """Forward pass: ``out`` and the tensors that the backward pass needs."""
    shape = Shape.of("gat", x, csr, add_self_loops)
    _check_inputs(shape, x, att_src, att_dst, edge, loop, csr)
    H, C = shape.layout[:2]
    num_src, num_dst = shape.num_src, shape.num_dst
    if bias is not None:
        check_tensor("bias", bias, x, shape.acc, (H * C if concat else C,))
    saved_rows, positive_rows = num_dst if save else 0, num_dst if positive else 0
    out = x.new_empty(num_dst if concat else 0, H * C)
    # The mean over the heads is taken from heads_out.
    heads_out = shape.channels(x, num_dst if save or not concat else 0)
    shift, weight_sum = shape.terms(x, saved_rows), shape.terms(x, saved_rows)
    positive_out = shape.channels(x, positive_rows)
    positive_weight = shape.terms(x, positive_rows)
    results = (
        out if concat else None,
        heads_out if save or not concat else None,
        *((shift, weight_sum) if save else (None, None)),
        *((positive_out, positive_weight) if positive else (None, None)),
    )
    alpha_src, all_alpha_dst = shape.terms(x, num_src), shape.terms(x, num_dst)

    groups = shape.sizes.G
    launch.launch(
        triton_forward.node_terms,
        launch.programs(num_src, groups),
        *(x, att_src, att_dst, alpha_src, all_alpha_dst, num_src),
        **shape.constants(),
    )
    if att_dst is None:
        if alpha_dst is None:
            all_alpha_dst.zero_()
        else:
            check_tensor("alpha_dst", alpha_dst, x, shape.acc, (num_dst, H))
            all_alpha_dst[:, :H] = alpha_dst

    rows = pieces(csr, num_src)
    cut, width = rows.num_partial > 0, 2 if positive else 1
    part = shape.channels(x, rows.num_partial, width) if cut else None
    part_terms = shape.terms(x, rows.num_partial, width + 1) if cut else None
    scale = edge_dropout.dropout_scale(dropout)
    launch.launch(
        triton_forward.gat_forward,
        launch.programs(rows.table.size(0), groups),
        *(x, alpha_src, all_alpha_dst, edge, loop, bias if concat else None, csr[1]),
        None if edge is None else csr[2],
        edge_dropout.draw_if(csr, None, shape.num_loops, H, dropout, seed),
        rows.table,
        *(*results, part, part_terms, rows.table.size(0), shape.num_edges, shape.num_loops),
        scale,
        **shape.constants(),
        B=shape.sizes.B,
        LOOPS=shape.num_loops > 0,
        SLOPE=negative_slope,
    )
    launch.combine(
        triton_forward.gat_combine,
        rows,
        *(part, part_terms, bias if concat else None, *results, scale),
        **shape.combining(),
    )
    if not concat:
        mean = heads_out.mean(1)
        out = (mean if bias is None else mean + bias).to(x.dtype)
    if not save:
        heads_out = shape.channels(x, 0)
    return (
        *(out, heads_out, alpha_src, all_alpha_dst),
        *(shift, weight_sum, positive_out, positive_weight),
    )


def gat_backward(
    grad_out: Tensor,
    x: Tensor,
    att_src: Tensor,
    att_dst: Tensor | None,
    edge: Tensor | None,
    loop: Tensor | None,
    heads_out: Tensor,
    alpha_src: Tensor,
    alpha_dst: Tensor,
    shift: Tensor,
    weight_sum: Tensor,
    positive_out: Tensor,
    positive_weight: Tensor,
    csr: list[Tensor],
    csr_t: list[Tensor],
    add_self_loops: bool,
    negative_slope: float,
    dropout: float,
    seed: Tensor | None,
) -> tuple[Tensor, ...]:
    """Backward pass: the gradients of x, att_src, att_dst, alpha_dst, bias, edge and loop."""
    shape = Shape.of("gat_backward", x, csr, add_self_loops)
    _check_inputs(shape, x, att_src, att_dst, edge, loop, csr)
    check_csr("csr_t", csr_t, x, shape.num_src, shape.num_edges)
    H, C, HS = shape.layout[:3]
    num_src, num_dst = shape.num_src, shape.num_dst
    known = positive_out.numel() > 0
    check_tensor("grad_out", grad_out, x, x.dtype, (num_dst, H, C))
    by_channel, by_head = {"heads_out": heads_out}, {"shift": shift, "weight_sum": weight_sum}
    if known:
        if att_dst is None or edge is not None or negative_slope < 0:
            raise RuntimeError("positive_out: of no use with these inputs")
        by_channel["positive_out"], by_head["positive_weight"] = positive_out, positive_weight
    for name, tensor in by_channel.items():
        check_tensor(name, tensor, x, shape.acc, (num_dst, H, C))
    for name, tensor in (by_head | {"alpha_dst": alpha_dst}).items():
        check_tensor(name, tensor, x, shape.acc, (num_dst, HS))
    check_tensor("alpha_src", alpha_src, x, shape.acc, (num_src, HS))

    grad_x = torch.empty_like(x)
    grad_alpha_src, grad_alpha_dst = shape.terms(x, num_src), shape.terms(x, num_dst)
    scale = edge_dropout.dropout_scale(dropout)
    groups = shape.sizes.G
    terms = x.new_empty(num_dst, HS, 4, dtype=shape.acc)
    programs, steps = _blocks(num_dst, groups)
    bias_sums = shape.channels(x, programs * groups)
    launch.launch(
        triton_backward.dst_terms,
        programs,
        *(grad_out, heads_out, alpha_dst, shift, weight_sum),
        *((positive_out, positive_weight) if known else (None, None)),
        *(terms, grad_alpha_dst, bias_sums, num_dst, steps, scale),
        **shape.constants(),
        SLOPE=negative_slope,
    )

    rows = pieces(csr_t, num_dst)
    # Of the gradients of the scores: with edge features in the caller's order, else as in csr.
    length = HS if edge is None else H
    grad_score = x.new_empty(0 if known else shape.num_edges, length, dtype=shape.acc)
    grad_loop = x.new_empty(0 if known else shape.num_loops, length, dtype=shape.acc)
    place = None
    if not known:
        place = csr_t[2] if edge is None else csr[2][csr_t[2]]
    cut = rows.num_partial > 0
    part = shape.channels(x, rows.num_partial) if cut else None
    part_sums = shape.terms(x, rows.num_partial) if cut else None
    att = (att_src, att_dst if known else None)
    launch.launch(
        triton_backward.gat_backward,
        launch.programs(rows.table.size(0), groups),
        *(x, alpha_src, *att, grad_out, terms, grad_alpha_dst if known else None, edge, loop),
        *(csr_t[1], place),
        edge_dropout.draw_if(csr, csr_t, shape.num_loops, H, dropout, seed),
        rows.table,
        *(grad_x, grad_alpha_src, None if known else grad_score),
        None if known or shape.num_loops == 0 else grad_loop,
        *(part, part_sums, rows.table.size(0), shape.num_edges, shape.num_loops),
        **shape.constants(),
        B=shape.sizes.B,
        LENGTH=length,
        LOOPS=shape.num_loops > 0,
        SLOPE=negative_slope,
    )
    launch.combine(
        triton_backward.backward_combine,
        rows,
        *(part, part_sums, *att, grad_alpha_dst if known else None, grad_x, grad_alpha_src),
        **shape.combining(),
    )
    if not known:
        _sum_scores(shape, csr, edge is not None, grad_score, grad_loop, grad_alpha_dst)
        if att_dst is not None:
            grad_x.addcmul_(grad_alpha_dst[:, :H, None], att_dst)
    grad_att = _att_sums(shape, x, grad_alpha_src, None if att_dst is None else grad_alpha_dst)
    if edge is None:  # they were only temporary
        grad_score = grad_loop = x.new_empty(0, H, dtype=shape.acc)
    elif loop is None:
        grad_loop = x.new_empty(0, H, dtype=shape.acc)
    return grad_x, *grad_att, grad_alpha_dst, bias_sums.sum(0), grad_score, grad_loop


def _blocks(num_nodes: int, groups: int) -> tuple[int, int]:
    """Programs of a sum over all nodes, and how often each group of a program visits a node."""
    per_step = launch.programs(num_nodes, groups)
    steps = max(1, launch.programs(per_step, _SUM_PROGRAMS))
    return launch.programs(per_step, steps), steps


def _sum_scores(
    shape: Shape,
    csr: list[Tensor],
    by_caller: bool,
    grad_score: Tensor,
    grad_loop: Tensor,
    grad_alpha_dst: Tensor,
) -> None:
    """Computes ``grad_alpha_dst`` from the gradients of the scores."""
    rows = pieces(csr, shape.num_src)
    part = None if rows.num_partial == 0 else shape.terms(grad_score, rows.num_partial)
    layout = shape.layout
    constants = {"H": layout.H, "HS": layout.HS, "HP": layout.HP, "ROWS": _SCORE_ROWS}
    constants["ACC"] = shape.constants()["ACC"]
    launch.launch(
        triton_backward.score_sums,
        rows.table.size(0),
        *(grad_score, grad_loop if shape.num_loops > 0 else None),
        *(csr[2] if by_caller else None, rows.table, grad_alpha_dst, part, shape.num_loops),
        **constants,
        LENGTH=grad_score.size(1),
    )
    launch.combine(triton_backward.combine_score_sums, rows, *(part, grad_alpha_dst), **constants)


def _att_sums(
    shape: Shape, x: Tensor, grad_alpha_src: Tensor, grad_alpha_dst: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Gradients of att_src and att_dst, ``[1, H, C]`` each."""
    groups = shape.sizes.G
    programs, steps = _blocks(shape.num_src, groups)
    sums = shape.channels(x, programs * groups, 2)
    launch.launch(
        triton_backward.att_sums,
        programs,
        *(x, grad_alpha_src, grad_alpha_dst, sums, shape.num_src, steps),
        **shape.constants(),
    )
    return sums[:, 0].sum(0, keepdim=True), sums[:, 1].sum(0, keepdim=True)
