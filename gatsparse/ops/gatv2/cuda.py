"""The fused backend of GATv2 on GPUs: allocates the results and launches the Triton kernels.

The arguments and results are those of :mod:`gatsparse.ops.gatv2.fused`, except that the saved shift
is multiplied by log2(e): only the backward pass of this file reads it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gatsparse.gpu import edge_dropout, launch
from gatsparse.gpu.arguments import check_csr, check_tensor
from gatsparse.gpu.pieces import pieces
from gatsparse.ops.cuda import Shape
from gatsparse.ops.gatv2.triton_forward import gatv2_combine, gatv2_forward
from gatsparse.ops.gatv2.triton_in_edges import in_edges
from gatsparse.ops.gatv2.triton_out_edges import combine_gradients, out_edges

#: Records of edges are kept if they take at most as much memory as six tables of x_src, or little.
_SMALL_RECORDS, _TABLES = 64 << 20, 6

#: Programs of the pass over the in-edges, at most: each writes a row of sums for the gradient of
#: att.
_MOST_PROGRAMS = 1 << 15


def _check_inputs(
    shape: Shape,
    x_src: Tensor,
    x_dst: Tensor,
    att: Tensor,
    edge: Tensor | None,
    loop: Tensor | None,
    csr: list[Tensor],
) -> None:
    """Raises RuntimeError if a tensor does not fit the others."""
    row = shape.layout[:2]
    check_tensor("x_src", x_src, x_src, x_src.dtype, (shape.num_src, *row))
    check_tensor("x_dst", x_dst, x_src, x_src.dtype, (shape.num_dst, *row))
    check_tensor("att", att, x_src, shape.acc, (1, *row))
    if edge is not None:
        check_tensor("edge", edge, x_src, x_src.dtype, (shape.num_edges, *row))
        if loop is None and shape.num_loops > 0:
            raise RuntimeError("loop: expected for edge, got none")
    if loop is not None:
        check_tensor("loop", loop, x_src, x_src.dtype, (shape.num_loops, *row))
    check_csr("csr", csr, x_src, shape.num_dst, shape.num_edges)


def _visiting(shape: Shape, negative_slope: float) -> dict[str, Any]:
    """Constants and warps of the kernels that visit edges, except B."""
    options = {"LOOPS": shape.num_loops > 0, "MONOTONE": 0 < negative_slope <= 1}
    return shape.constants() | options


def gatv2(
    x_src: Tensor,
    x_dst: Tensor,
    att: Tensor,
    edge: Tensor | None,
    loop: Tensor | None,
    bias: Tensor | None,
    concat: bool,
    save: bool,
    csr: list[Tensor],
    csr_t: list[Tensor],  # noqa: ARG001
    add_self_loops: bool,
    negative_slope: float,
    dropout: float,
    seed: Tensor | None,
) -> tuple[Tensor, ...]:
    """Forward pass: ``out`` and the tensors that the backward pass needs."""
    shape = Shape.of("gatv2", x_src, csr, add_self_loops)
    _check_inputs(shape, x_src, x_dst, att, edge, loop, csr)
    H, C = shape.layout[:2]
    num_dst, (G, B, _) = shape.num_dst, shape.sizes
    if bias is not None:
        check_tensor("bias", bias, x_src, shape.acc, (H * C if concat else C,))
    out = x_src.new_empty(num_dst, H * C) if concat else None
    # The mean over the heads is taken from heads_out.
    heads_out = shape.channels(x_src, num_dst) if save or not concat else None
    shift, weight_sum = (shape.terms(x_src, num_dst) if save else None for _ in range(2))
    results = (bias if concat else None, out, heads_out, shift, weight_sum)

    rows = pieces(csr, shape.num_src)
    cut = rows.num_partial > 0
    part = shape.channels(x_src, rows.num_partial) if cut else None
    part_terms = shape.terms(x_src, 2 * rows.num_partial) if cut else None
    bits = edge_dropout.draw_if(csr, None, shape.num_loops, H, dropout, seed)
    scale = 1.0 if bits is None else edge_dropout.dropout_scale(dropout)
    launch.launch(
        gatv2_forward,
        launch.programs(rows.table.size(0), G),
        *(x_src, x_dst, att, edge, loop, csr[1], csr[2], bits, rows.table, *results),
        *(part, part_terms, rows.table.size(0), shape.num_edges, shape.num_loops),
        *(negative_slope, scale),
        B=B if edge is None else max(1, B // 2),
        **_visiting(shape, negative_slope),
    )
    launch.combine(gatv2_combine, rows, *(part, part_terms, *results, scale), **shape.combining())
    if heads_out is not None and not concat:
        mean = heads_out.mean(1)
        out = (mean if bias is None else mean + bias).to(x_src.dtype)
    saved = (
        heads_out if save else shape.channels(x_src, 0),
        *(shape.terms(x_src, 0) if term is None else term for term in (shift, weight_sum)),
    )
    return out, *saved  # pyright: ignore


def gatv2_backward(
    grad_out: Tensor,
    x_src: Tensor,
    x_dst: Tensor,
    att: Tensor,
    edge: Tensor | None,
    loop: Tensor | None,
    heads_out: Tensor,
    shift: Tensor,
    weight_sum: Tensor,
    csr: list[Tensor],
    csr_t: list[Tensor],
    add_self_loops: bool,
    negative_slope: float,
    dropout: float,
    seed: Tensor | None,
) -> tuple[Tensor, ...]:
    """Backward pass: the gradients of x_src, x_dst, att, bias, edge and loop."""
    shape = Shape.of("gatv2_backward", x_src, csr, add_self_loops)
    _check_inputs(shape, x_src, x_dst, att, edge, loop, csr)
    H, C, HS = shape.layout[:3]
    num_dst, num_edges, (G, B, _) = shape.num_dst, shape.num_edges, shape.sizes
    check_csr("csr_t", csr_t, x_src, shape.num_src, num_edges)
    check_tensor("grad_out", grad_out, x_src, x_src.dtype, (num_dst, H, C))
    check_tensor("heads_out", heads_out, x_src, shape.acc, (num_dst, H, C))
    for name, tensor in (("shift", shift), ("weight_sum", weight_sum)):
        check_tensor(name, tensor, x_src, shape.acc, (num_dst, HS))
    grad_x_src, grad_x_dst = torch.empty_like(x_src), torch.empty_like(x_dst)
    grad_edge, grad_loop = (
        x_src.new_empty(0, H, C) if table is None else torch.empty_like(table)
        for table in (edge, loop)
    )
    visiting = _visiting(shape, negative_slope)
    bits = edge_dropout.draw_if(csr, None, shape.num_loops, H, dropout, seed)
    scalars = (negative_slope, 1.0 if bits is None else edge_dropout.dropout_scale(dropout))

    record, signs = _records(shape, x_src, always=edge is not None)
    dst_terms = None
    if record is None:
        dst_terms = x_src.new_empty(num_dst, HS, 4, dtype=shape.acc)
    rows = pieces(csr, shape.num_src)
    part = shape.channels(x_src, rows.num_partial) if rows.num_partial > 0 else None
    per_round = launch.programs(rows.table.size(0), G)
    rounds = max(1, launch.programs(per_round, _MOST_PROGRAMS))
    programs = launch.programs(per_round, rounds)
    att_sums = shape.channels(x_src, programs)
    launch.launch(
        in_edges,
        programs,
        *(x_src, x_dst, att, edge, loop, grad_out, heads_out, shift, weight_sum, csr[1], csr[2]),
        *(bits, rows.table, grad_x_dst, grad_edge, grad_loop, att_sums, dst_terms, record, signs),
        *(part, rows.table.size(0), num_edges, shape.num_loops, programs, rounds, *scalars),
        B=min(2, B) if edge is None else 1,
        **visiting,
    )
    combining = shape.combining()
    del combining["HS"]
    launch.combine(combine_gradients, rows, part, att, grad_x_dst, OTHER=False, **combining)

    rows = pieces(csr_t, num_dst)
    part = shape.channels(x_src, rows.num_partial, 2) if rows.num_partial > 0 else None
    launch.launch(
        out_edges,
        launch.programs(rows.table.size(0), G),
        *(x_src, x_dst, att, grad_out, dst_terms, csr_t[1], csr_t[2]),
        *(bits if record is None else None, record, signs, rows.table, grad_x_src, part),
        *(rows.table.size(0), num_edges, shape.num_loops, *scalars),
        B=B,
        **visiting,
    )
    launch.combine(combine_gradients, rows, part, att, grad_x_src, OTHER=True, **combining)
    grad_att, grad_bias = att_sums.sum(0, keepdim=True), grad_out.sum(0, dtype=shape.acc)
    return grad_x_src, grad_x_dst, grad_att, grad_bias, grad_edge, grad_loop


def _records(shape: Shape, x_src: Tensor, always: bool) -> tuple[Tensor | None, Tensor | None]:
    """Records of the edges and the loops: numbers ``[.., H, 2]`` and signs ``[.., T]``; None if
    they would take too much memory.
    """
    layout, count = shape.layout, shape.num_edges + shape.num_loops
    dtype = torch.uint8 if layout.R * layout.V <= 8 else torch.int16
    num_bytes = count * (2 * layout.H * shape.acc.itemsize + layout.lanes * dtype.itemsize)
    if not always and num_bytes > max(_SMALL_RECORDS, _TABLES * x_src.nbytes):
        return None, None
    record = x_src.new_empty(count, layout.H, 2, dtype=shape.acc)
    return record, x_src.new_empty(count, layout.lanes, dtype=dtype)
