r"""The fused backend of GATv2: schema, fake and autograd; ``forward.cpp`` and
``backward.cpp`` implement it.

Forward, for every destination :math:`i` and head (omitted):

.. math::
    z_{ij} &= x^{src}_j + x^{dst}_i + \mathrm{edge}_{ij}, \quad
    s_{ij} = \langle a, \mathrm{LeakyReLU}(z_{ij}) \rangle \\
    p_{ij} &= \mathrm{softmax}_j(s_{ij}), \quad
    \mathrm{heads\_out}_i = \sum_j d_{ij} p_{ij} x^{src}_j

with the dropout scale :math:`d_{ij}`. Backward, with the gradient :math:`g` of heads_out and
:math:`D_i = \langle g_i, \mathrm{heads\_out}_i \rangle`:

.. math::
    \mathrm{grad\_score}_{ij} &= p_{ij} \, (d_{ij} \langle g_i, x^{src}_j \rangle - D_i) \\
    \mathrm{grad\_z}_{ij} &= \mathrm{grad\_score}_{ij} \; a \odot \mathrm{LeakyReLU}'(z_{ij}) \\
    \mathrm{grad\_x^{dst}}_i &= \sum_j \mathrm{grad\_z}_{ij}, \quad
    \mathrm{grad\_x^{src}}_j = \sum_i \mathrm{grad\_z}_{ij} + d_{ij} p_{ij} g_i, \quad
    \mathrm{grad\_a} = \sum_{ij} \mathrm{grad\_score}_{ij} \, \mathrm{LeakyReLU}(z_{ij})

``heads_out`` is saved in the dtype of the sums, as in :mod:`gatsparse.ops.gat.fused`. No number per
edge is saved for the backward pass: a pass over the in-edges recomputes the scores. The pass over
the out-edges recomputes them, too, unless the first one keeps for every edge :math:`d_{ij} p_{ij}`,
:math:`\mathrm{grad\_score}_{ij}` and the signs of :math:`z_{ij}`, which are 72 bytes at 8 heads of
8 channels. It does for shapes that fit the registers, if that is at most six times the memory of
:math:`x^{src}`.
Each softmax saves a shift, which is the score of one edge, at most 4 below the largest, and the
sum of :math:`\exp(s_{ij} - \mathrm{shift}_i)`.

Sums of :math:`\mathrm{grad\_z}` need one addition per channel: with slope :math:`s`,
:math:`\sum \mathrm{grad\_z} = a \odot (s \sum \mathrm{grad\_score} +
(1 - s) \sum_{z > 0} \mathrm{grad\_score})`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gatsparse import _native
from gatsparse.graph import CSRGraph
from gatsparse.ops.autograd import (
    differentiable,
    grad_of_bias,
    grad_of_heads,
    past_autograd,
    refuse_second_derivatives,
    wants_grad,
)
from gatsparse.ops.fused import GRAPH_AND_OPTIONS, contiguous, csr_arguments, padded_heads
from gatsparse.ops.gatv2.inputs import Inputs
from gatsparse.ops.options import Options

_INPUTS = "Tensor x_src, Tensor x_dst, Tensor att, Tensor? edge, Tensor? loop"
_SAVED = "Tensor heads_out, Tensor shift, Tensor weight_sum"
_native.LIBRARY.define(
    f"gatv2({_INPUTS}, Tensor? bias, bool concat, bool save, {GRAPH_AND_OPTIONS}) "
    f"-> (Tensor out, {_SAVED})"
)
_native.LIBRARY.define(
    f"gatv2_backward(Tensor grad_out, {_INPUTS}, {_SAVED}, {GRAPH_AND_OPTIONS}) "
    "-> (Tensor grad_x_src, Tensor grad_x_dst, Tensor grad_att, Tensor grad_bias, "
    "Tensor grad_edge, Tensor grad_loop)"
)
_native.on_gpu("gatsparse.ops.gatv2.cuda", "gatv2", "gatv2_backward")


@_native.fake("gatv2")
def _(x_src: Tensor, x_dst: Tensor, att: Tensor, *args: Any) -> tuple[Tensor, ...]:
    _edge, _loop, _bias, concat, save, *_ = args
    num_dst, heads, channels = x_dst.shape
    rows = num_dst if save else 0
    return (
        x_src.new_empty(num_dst, heads * channels if concat else channels),
        att.new_empty(rows, heads, channels),
        att.new_empty(rows, padded_heads(heads)),
        att.new_empty(rows, padded_heads(heads)),
    )


@_native.fake("gatv2_backward")
def _(*args: Any) -> tuple[Tensor, ...]:
    _grad_out, x_src, x_dst, att, edge, loop, *_ = args
    shape = x_src.shape[1:]
    return (
        torch.empty_like(x_src),
        torch.empty_like(x_dst),
        torch.empty_like(att),
        att.new_empty(shape),
        x_src.new_empty(0, *shape) if edge is None else torch.empty_like(edge),
        x_src.new_empty(0, *shape) if loop is None else torch.empty_like(loop),
    )


_gatv2_backward = past_autograd(torch.ops.gatsparse.gatv2_backward.default)


def _setup_context(ctx: Any, inputs: tuple, output: tuple[Tensor, ...]) -> None:
    x_src, x_dst, att, edge, loop, bias, ctx.concat, _save, csr, csr_t, *ctx.options, seed = inputs
    _out, *results = output
    ctx.bias_dtype = None if bias is None else bias.dtype
    ctx.set_materialize_grads(False)  # no zeros for results that are only saved
    ctx.mark_non_differentiable(*results)
    ctx.save_for_backward(x_src, x_dst, att, edge, loop, *results, seed, *csr, *csr_t)


def _backward(ctx: Any, grad_out: Tensor | None, *_: Tensor) -> tuple:
    saved = ctx.saved_tensors  # once: each access unpacks them again
    values, seed, csr, csr_t = saved[:8], saved[8], saved[9:12], saved[12:]
    needed = ctx.needs_input_grad[:6]
    grads: list[Tensor | None] = [None] * 6
    bias = None
    if grad_out is not None and any(needed[:5]):
        _, heads, channels = values[0].shape
        grad_heads = grad_of_heads(grad_out, heads, channels, ctx.concat)
        x_src, x_dst, att, bias, edge, loop = _gatv2_backward(
            grad_heads, *values, csr, csr_t, *ctx.options, seed
        )
        computed = (x_src, x_dst, att, edge, loop)
        for k, grad in enumerate(computed):
            grads[k] = grad if needed[k] else None
    if grad_out is not None and needed[5]:
        grads[5] = grad_of_bias(grad_out, bias, ctx.concat, ctx.bias_dtype)
    # None for concat and save, for each tensor of csr and csr_t, and for the options.
    return (*grads, None, None, [None] * len(csr), [None] * len(csr_t), *[None] * 4)


_gatv2 = differentiable("gatv2", _setup_context, _backward, "backend='dense' without edge features")
refuse_second_derivatives("gatv2", "backend='scatter' or backend='dense'")


def gatv2_attention(
    inputs: Inputs, bias: Tensor | None, concat: bool, graph: CSRGraph, options: Options
) -> Tensor:
    """See :func:`gatsparse.ops.gatv2_attention`."""
    x = inputs.x_src
    if x.dtype == torch.float16 and x.is_cpu:  # its kernels do not read or write it
        widened = Inputs(*[None if t is None else t.float() for t in inputs])  # pyright: ignore
        return gatv2_attention(widened, bias, concat, graph, options).to(torch.float16)
    save = wants_grad(*inputs)
    concat = concat or inputs.x_src.size(1) == 1  # nothing to average
    out, *_ = _gatv2(
        *contiguous(*inputs, bias), concat, save, *csr_arguments(graph, save), *options
    )
    return out
