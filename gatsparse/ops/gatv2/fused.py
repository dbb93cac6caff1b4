r"""The fused backend of GATv2: schema, fake and autograd; ``cpu.cpp`` implements it.

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

One pass over the in-edges and one over the out-edges recompute the scores; no number per edge
is kept, but of each softmax a shift, the score of one edge, at most 4 below the largest, and the
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
from gatsparse.ops.gatv2.inputs import Inputs
from gatsparse.ops.native import (
    STRUCTURE,
    no_second_derivatives,
    padded_heads,
    split_heads,
    wants_grad,
)
from gatsparse.ops.options import Options

_INPUTS = "Tensor x_src, Tensor x_dst, Tensor att, Tensor? edge, Tensor? loop"
_SAVED = "Tensor heads_out, Tensor shift, Tensor weight_sum"
_native.LIBRARY.define(
    f"gatv2({_INPUTS}, Tensor? bias, bool concat, bool save, {STRUCTURE}) -> (Tensor out, {_SAVED})"
)
_native.LIBRARY.define(
    f"gatv2_backward(Tensor grad_out, {_INPUTS}, {_SAVED}, {STRUCTURE}) "
    "-> (Tensor grad_x_src, Tensor grad_x_dst, Tensor grad_att, Tensor grad_bias, "
    "Tensor grad_edge, Tensor grad_loop)"
)


@torch.library.register_fake("gatsparse::gatv2", lib=_native.LIBRARY)
def _(x_src: Tensor, x_dst: Tensor, att: Tensor, *args: Any) -> tuple[Tensor, ...]:
    _edge, _loop, _bias, concat, save, *_ = args
    num_dst, heads, channels = x_dst.shape
    rows = num_dst if save else 0
    return (
        x_src.new_empty(num_dst, heads * channels if concat else channels),
        x_src.new_empty(rows, heads, channels),
        att.new_empty(rows, padded_heads(heads)),
        att.new_empty(rows, padded_heads(heads)),
    )


@torch.library.register_fake("gatsparse::gatv2_backward", lib=_native.LIBRARY)
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


def _setup_context(ctx: Any, inputs: tuple, output: tuple[Tensor, ...]) -> None:
    *tensors, bias, concat, _save, csr, csr_t, loops, slope, dropout, seed = inputs
    ctx.options, ctx.concat = (loops, slope, dropout), concat
    ctx.set_materialize_grads(False)  # no zeros for what is only saved
    ctx.given = [t is not None for t in (*tensors, bias)]
    ctx.mark_non_differentiable(*output[1:])
    ctx.save_for_backward(*tensors, *output[1:], seed, *csr, *csr_t)


def _backward(ctx: Any, grad_out: Tensor | None, *_: Tensor) -> tuple:
    tensors = ctx.saved_tensors  # once: each access unpacks them anew
    *inputs_and_saved, seed = tensors[:9]
    csr, csr_t = tensors[9:12], tensors[12:]
    structure = [[None] * len(csr), [None] * len(csr_t)]
    grads: list[Tensor | None] = [None] * 6
    if grad_out is not None:
        heads, channels = inputs_and_saved[0].shape[1:]
        grad_x_src, grad_x_dst, grad_att, grad_bias, grad_edge, grad_loop = (
            torch.ops.gatsparse.gatv2_backward(
                split_heads(grad_out, heads, channels, ctx.concat),
                *inputs_and_saved,
                csr,
                csr_t,
                *ctx.options,
                seed,
            )
        )
        grad_bias = grad_bias.flatten() if ctx.concat else grad_bias.sum(0)
        every = (grad_x_src, grad_x_dst, grad_att, grad_edge, grad_loop, grad_bias)
        grads = [grad if given else None for grad, given in zip(every, ctx.given, strict=True)]
    return *grads, None, None, *structure, None, None, None, None


torch.library.register_autograd(
    "gatsparse::gatv2", _backward, setup_context=_setup_context, lib=_native.LIBRARY
)
torch.library.register_autograd(
    "gatsparse::gatv2_backward", no_second_derivatives, lib=_native.LIBRARY
)


def gatv2_attention(
    inputs: Inputs, bias: Tensor | None, concat: bool, graph: CSRGraph, options: Options
) -> Tensor:
    """See :func:`gatsparse.ops.gatv2_attention`."""
    given = (*inputs, bias)
    save = wants_grad(*given)
    out, *_ = torch.ops.gatsparse.gatv2(
        *(None if t is None else t.contiguous() for t in given),
        concat,
        save,
        list(graph.csr),
        list(graph.csr_t) if save else [],
        *options,
    )
    return out
