r"""The fused backend of GAT: schema, fake and autograd; ``forward.cpp`` and
``backward.cpp`` implement it.

Forward, for every destination :math:`i` and head (omitted):

.. math::
    s_{ij} &= \mathrm{LeakyReLU}(\alpha^{src}_j + \alpha^{dst}_i + \mathrm{edge}_{ij}), \quad
    \mathrm{weight\_sum}_i = \sum_j \exp(s_{ij} - \mathrm{shift}_i) \\
    p_{ij} &= \exp(s_{ij} - \mathrm{shift}_i) / \mathrm{weight\_sum}_i, \quad
    \mathrm{heads\_out}_i = \sum_j z_{ij} p_{ij} x_j

with :math:`\alpha^{src}_j = \langle a_{src}, x_j \rangle`,
:math:`\alpha^{dst}_i = \langle a_{dst}, x_i \rangle` and the dropout scale :math:`z_{ij}`. The
shift is :math:`\max_j s_{ij}`, or :math:`\mathrm{LeakyReLU}(\alpha^{dst}_i)` where that is equally
safe: see ``Factors`` in ``factors.h``.
Backward, with the gradient :math:`g` of heads_out:

.. math::
    D_i &= \langle g_i, \mathrm{heads\_out}_i \rangle \\
    \mathrm{grad\_score}_{ij} &= p_{ij} \,
        (z_{ij} \langle g_i, x_j \rangle - D_i) \, \mathrm{LeakyReLU}'(\cdot) \\
    \mathrm{grad\_}\alpha^{src}_j &= \sum_i \mathrm{grad\_score}_{ij}, \quad
    \mathrm{grad\_}\alpha^{dst}_i = \sum_j \mathrm{grad\_score}_{ij} \\
    \mathrm{grad\_x}_j &= \sum_i z_{ij} p_{ij} g_i + \mathrm{grad\_}\alpha^{src}_j a_{src}
        + \mathrm{grad\_}\alpha^{dst}_j a_{dst}

The shift and the sum are saved separately: a single log-sum-exp in float32 would round every
:math:`p_{ij}` by the size of the scores. ``heads_out`` is saved in the dtype of the sums:
where all neighbours of a row are equal, :math:`\langle g_i, x_j \rangle` and :math:`D_i` cancel,
and rounding to bfloat16 would leave a gradient where there is none.

:math:`\mathrm{grad\_}\alpha^{dst}` needs no number per edge: the gradients of a row's softmax
sum to zero, so with the parts :math:`O^+_i` of heads_out and :math:`P^+_i` of the softmax
that come from positive scores,

.. math::
    \mathrm{grad\_}\alpha^{dst}_i = (1 - \mathrm{slope})
        (\langle g_i, O^+_i \rangle - D_i P^+_i).

This writes and reads ``[N, H, C]`` additional numbers, instead of ``[E, H]``: see
:func:`positive_pays`.
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
from gatsparse.ops.gat.inputs import Inputs
from gatsparse.ops.options import Options

_INPUTS = "Tensor x, Tensor att_src, Tensor? att_dst"
_EDGES = "Tensor? edge, Tensor? loop"
_SAVED = (
    "Tensor heads_out, Tensor alpha_src, Tensor alpha_dst, Tensor shift, Tensor weight_sum, "
    "Tensor positive_out, Tensor positive_weight"
)
_native.LIBRARY.define(
    f"gat({_INPUTS}, Tensor? alpha_dst, {_EDGES}, Tensor? bias, bool concat, bool save, "
    f"bool positive, {GRAPH_AND_OPTIONS}) -> (Tensor out, {_SAVED})"
)
_native.LIBRARY.define(
    f"gat_backward(Tensor grad_out, {_INPUTS}, {_EDGES}, {_SAVED}, {GRAPH_AND_OPTIONS}) "
    "-> (Tensor grad_x, Tensor grad_att_src, Tensor grad_att_dst, Tensor grad_alpha_dst, "
    "Tensor grad_bias, Tensor grad_edge, Tensor grad_loop)"
)
_native.on_gpu("gatsparse.ops.gat.cuda", "gat", "gat_backward")


def positive_pays(graph: CSRGraph, channels: int) -> bool:
    """Whether the sums over positive scores cost less than numbers per edge.

    Measured where E / (N C) was 0.1 .. 2.5, forward and backward: about equal at 0.4, up to a
    sixth more time below, up to a quarter less above. A compiled graph must not depend on sizes:
    16 edges per node are assumed for it.
    """
    if torch.compiler.is_compiling():
        return channels < 32
    return channels * graph.num_dst < 2 * graph.num_edges


@_native.fake("gat")
def _(x: Tensor, att_src: Tensor, *args: Any) -> tuple[Tensor, ...]:
    *_, concat, save, positive, csr, _csr_t, _loops, _slope, _p, _seed = args
    num_src, heads, channels = x.shape
    num_dst = csr[0].size(0) - 1
    out = x.new_empty(num_dst, heads * channels if concat else channels)
    rows = [num_dst if wanted else 0 for wanted in (save, positive)]
    sizes = (num_src, num_dst, rows[0], rows[0], rows[1])
    terms = [att_src.new_empty(n, padded_heads(heads)) for n in sizes]
    heads_out, positive_out = (att_src.new_empty(n, heads, channels) for n in rows)
    return out, heads_out, *terms[:4], positive_out, terms[4]


@_native.fake("gat_backward")
def _(*args: Any) -> tuple[Tensor, ...]:
    _, x, att_src, _att_dst, edge, loop, *_, csr, _csr_t, _loops, _slope, _p, _seed = args
    heads, channels = x.shape[1:]
    return (
        torch.empty_like(x),
        torch.empty_like(att_src),
        torch.empty_like(att_src),
        att_src.new_empty(csr[0].size(0) - 1, padded_heads(heads)),
        att_src.new_empty(heads, channels),
        att_src.new_empty(0, heads) if edge is None else torch.empty_like(edge),
        att_src.new_empty(0, heads) if loop is None else torch.empty_like(loop),
    )


_gat_backward = past_autograd(torch.ops.gatsparse.gat_backward.default)


def _setup_context(ctx: Any, inputs: tuple, output: tuple[Tensor, ...]) -> None:
    x, att_src, att_dst, _alpha_dst, edge, loop, bias, ctx.concat, _save, _positive, *rest = inputs
    csr, csr_t, *ctx.options, seed = rest
    _out, *results = output
    ctx.bias_dtype = None if bias is None else bias.dtype
    ctx.set_materialize_grads(False)  # no zeros for results that are only saved
    ctx.mark_non_differentiable(*results)
    ctx.save_for_backward(x, att_src, att_dst, edge, loop, *results, seed, *csr, *csr_t)


def _backward(ctx: Any, grad_out: Tensor | None, *_: Tensor) -> tuple:
    saved = ctx.saved_tensors  # once: each access unpacks them again
    values, seed, csr, csr_t = saved[:12], saved[12], saved[13:16], saved[16:]
    needed = ctx.needs_input_grad[:7]
    grads: list[Tensor | None] = [None] * 7
    bias = None
    if grad_out is not None and any(needed[:6]):
        _, heads, channels = values[0].shape
        grad_heads = grad_of_heads(grad_out, heads, channels, ctx.concat)
        x, att_src, att_dst, alpha_dst, bias, edge, loop = _gat_backward(
            grad_heads, *values, csr, csr_t, *ctx.options, seed
        )
        computed = (x, att_src, att_dst, alpha_dst[:, :heads], edge, loop)
        for k, grad in enumerate(computed):
            grads[k] = grad if needed[k] else None
    if grad_out is not None and needed[6]:
        grads[6] = grad_of_bias(grad_out, bias, ctx.concat, ctx.bias_dtype)
    # None for concat, save and positive, for each tensor of csr and csr_t, and for the options.
    return (*grads, None, None, None, [None] * len(csr), [None] * len(csr_t), *[None] * 4)


_gat = differentiable("gat", _setup_context, _backward, "backend='dense' without edge features")
refuse_second_derivatives("gat", "backend='scatter' or backend='dense'")


def gat_attention(
    inputs: Inputs, bias: Tensor | None, concat: bool, graph: CSRGraph, options: Options
) -> Tensor:
    """See :func:`gatsparse.ops.gat_attention`."""
    x, att_src, att_dst, x_dst, edge, loop = inputs
    if x.dtype == torch.float16 and x.is_cpu:  # its kernels do not read or write it
        widened = inputs._replace(x=x.float(), x_dst=None if x_dst is None else x_dst.float())
        return gat_attention(widened, bias, concat, graph, options).to(x.dtype)
    alpha_dst = None
    if att_dst is not None and x_dst is not None:
        alpha_dst, att_dst = inputs.dst_terms(graph), None
    given = (x, att_src, att_dst, alpha_dst, edge, loop)
    save = wants_grad(*given)
    # A negative slope changes the signs of scores.
    splits = att_dst is not None and edge is None and options.negative_slope >= 0
    positive = save and splits and positive_pays(graph, x.size(2))
    concat = concat or x.size(1) == 1  # nothing to average
    out, *_ = _gat(
        *contiguous(*given, bias), concat, save, positive, *csr_arguments(graph, save), *options
    )
    return out
