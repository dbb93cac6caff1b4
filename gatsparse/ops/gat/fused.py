r"""The fused backend of GAT: schema, fake and autograd; ``cpu.cpp`` implements it.

Forward, for every destination :math:`i` and head (omitted):

.. math::
    s_{ij} &= \mathrm{LeakyReLU}(\alpha^{src}_j + \alpha^{dst}_i), \quad
    \mathrm{score\_max}_i = \max_j s_{ij}, \quad
    \mathrm{weight\_sum}_i = \sum_j \exp(s_{ij} - \mathrm{score\_max}_i) \\
    p_{ij} &= \exp(s_{ij} - \mathrm{score\_max}_i) / \mathrm{weight\_sum}_i, \quad
    \mathrm{out}_i = \sum_j z_{ij} p_{ij} x_j

with the dropout scale :math:`z_{ij}`. Backward, with the gradient :math:`g` of out:

.. math::
    D_i &= \langle g_i, \mathrm{out}_i \rangle \\
    \mathrm{grad\_score}_{ij} &= p_{ij} \,
        (z_{ij} \langle g_i, x_j \rangle - D_i) \, \mathrm{LeakyReLU}'(\cdot) \\
    \mathrm{grad\_x}_j &= \sum_i z_{ij} p_{ij} g_i, \quad
    \mathrm{grad\_}\alpha^{src}_j = \sum_i \mathrm{grad\_score}_{ij}, \quad
    \mathrm{grad\_}\alpha^{dst}_i = \sum_j \mathrm{grad\_score}_{ij}

The maximum and the sum are saved apart: their log-sum-exp in one float32 would round
every :math:`p_{ij}` by the size of the scores.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gatsparse import _native
from gatsparse.graph import CSRGraph
from gatsparse.ops.backend import transformed

_STRUCTURE = (
    "Tensor[] csr, Tensor[] csr_t, bool add_self_loops, float negative_slope, "
    "float dropout, Tensor? seed"
)
_native.LIBRARY.define(
    f"gat(Tensor x, Tensor alpha_src, Tensor alpha_dst, {_STRUCTURE}) "
    "-> (Tensor out, Tensor score_max, Tensor weight_sum)"
)
_native.LIBRARY.define(
    "gat_backward(Tensor grad_out, Tensor x, Tensor alpha_src, Tensor alpha_dst, Tensor out, "
    f"Tensor score_max, Tensor weight_sum, {_STRUCTURE}) "
    "-> (Tensor grad_x, Tensor grad_alpha_src, Tensor grad_alpha_dst)"
)


@torch.library.register_fake("gatsparse::gat", lib=_native.LIBRARY)
def _(x: Tensor, _alpha_src: Tensor, alpha_dst: Tensor, *_: Any) -> tuple[Tensor, ...]:
    out = x.new_empty(alpha_dst.size(0), *x.shape[1:])
    return out, torch.empty_like(alpha_dst), torch.empty_like(alpha_dst)


@torch.library.register_fake("gatsparse::gat_backward", lib=_native.LIBRARY)
def _(*args: Any) -> tuple[Tensor, ...]:
    _grad_out, x, alpha_src, alpha_dst, *_ = args
    return torch.empty_like(x), torch.empty_like(alpha_src), torch.empty_like(alpha_dst)


def _setup_context(ctx: Any, inputs: tuple, output: tuple[Tensor, ...]) -> None:
    x, alpha_src, alpha_dst, csr, csr_t, *options, seed = inputs
    ctx.options = options
    ctx.mark_non_differentiable(*output[1:])
    ctx.save_for_backward(x, alpha_src, alpha_dst, *output, seed, *csr, *csr_t)


def _backward(ctx: Any, grad_out: Tensor, *_: Tensor) -> tuple:
    tensors = ctx.saved_tensors  # once: each access unpacks them anew
    *saved, seed = tensors[:7]
    csr, csr_t = tensors[7:10], tensors[10:]
    grads = torch.ops.gatsparse.gat_backward(
        grad_out.contiguous(), *saved, csr, csr_t, *ctx.options, seed
    )
    return *grads, [None] * len(csr), [None] * len(csr_t), None, None, None, None


def _double_backward(ctx: Any, *grads: Tensor) -> tuple:
    raise NotImplementedError(
        "backend='fused' computes no second derivatives: use backend='scatter' for them"
    )


torch.library.register_autograd(
    "gatsparse::gat", _backward, setup_context=_setup_context, lib=_native.LIBRARY
)
torch.library.register_autograd("gatsparse::gat_backward", _double_backward, lib=_native.LIBRARY)


def unmet(x: Tensor, alpha_src: Tensor, alpha_dst: Tensor) -> list[str]:
    """What keeps the fused backend from serving these tensors; empty if nothing does."""
    reasons = []
    if transformed(x, alpha_src, alpha_dst):
        reasons.append("forward-mode differentiation and torch.func need backend='scatter'")
    if x.device.type != "cpu":
        reasons.append(f"x lies on {x.device.type!r}; there are kernels for 'cpu'")
    elif not _native.available():
        reasons.append(f"{_native.MISSING}; `gatsparse info` says how to get it")
    if x.dtype not in (torch.float32, torch.float64, torch.bfloat16):
        reasons.append(f"x is {x.dtype}; expected float32, float64 or bfloat16")
    return reasons


def gat_attention(
    x: Tensor,
    alpha_src: Tensor,
    alpha_dst: Tensor,
    graph: CSRGraph,
    add_self_loops: bool,
    negative_slope: float,
    dropout: float,
    seed: Tensor | None,
) -> Tensor:
    """See :func:`gatsparse.ops.gat_attention`."""
    wants_grad = torch.is_grad_enabled() and any(t.requires_grad for t in (x, alpha_src, alpha_dst))
    out, *_ = torch.ops.gatsparse.gat(
        x.contiguous(),
        alpha_src.contiguous(),
        alpha_dst.contiguous(),
        list(graph.csr),
        list(graph.csr_t) if wants_grad else [],
        add_self_loops,
        negative_slope,
        dropout,
        seed,
    )
    return out
