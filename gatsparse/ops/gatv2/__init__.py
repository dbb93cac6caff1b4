"""Dynamic graph attention (GATv2): the public functions, and the choice of their backend."""

from __future__ import annotations

from torch import Tensor

from gatsparse.graph import CSRGraph
from gatsparse.ops.backend import Backend, choose
from gatsparse.ops.gatv2 import dense, fused, scatter
from gatsparse.ops.gatv2.inputs import Inputs
from gatsparse.ops.kernel_support import unmet
from gatsparse.ops.options import (
    Options,
    check_bias,
    check_edge_features,
    check_graph,
    check_tensor,
)


def gatv2_attention(
    x_src: Tensor,
    x_dst: Tensor,
    att: Tensor,
    graph: CSRGraph,
    *,
    edge: Tensor | None = None,
    loop: Tensor | None = None,
    bias: Tensor | None = None,
    concat: bool = True,
    add_self_loops: bool = False,
    negative_slope: float = 0.2,
    dropout: float = 0.0,
    seed: Tensor | None = None,
    backend: Backend = "auto",
) -> Tensor:
    r"""Attention-weighted sums over the in-edges of every destination.

    .. math::
        \mathrm{out}_i = \sum_{j \in \mathcal{N}(i)} \alpha_{ij} x^{src}_j, \qquad
        \alpha_{ij} = \mathrm{softmax}_j \left( \langle a,
        \mathrm{LeakyReLU}(x^{src}_j + x^{dst}_i + e_{ij}) \rangle \right)

    of `"How Attentive are Graph Attention Networks?" <https://arxiv.org/abs/2105.14491>`_, for
    each head. A destination without edges gets 0.

    Args:
        x_src (Tensor): ``[N_src, H, C]``, the projected sources, in any floating-point dtype.
        x_dst (Tensor): ``[N_dst, H, C]``, the projected destinations, of the same dtype.
        att (Tensor): ``[1, H, C]``, :math:`a`.
        graph (CSRGraph): Graph of size ``(N_src, N_dst)``.
        edge (Tensor, optional): ``[E, H, C]``, the projected edge features :math:`e_{ij}` in the
            order in which the graph was given, of the same dtype. They are used in place.
        loop (Tensor, optional): ``[min(N_src, N_dst), H, C]``, the same for the self-loops that
            are added.
        bias, concat, add_self_loops, negative_slope, dropout, seed, backend: As in
            :func:`gatsparse.ops.gat_attention`.

    Scores are computed in at least float32. NaN and -inf are handled as in
    :func:`gatsparse.ops.gat_attention`.

    Returns:
        Tensor: ``[N_dst, H * C]``, or ``[N_dst, C]``, of the dtype of :obj:`x_src`.

    Raises:
        TypeError: If a tensor is not of floating point, :obj:`graph` is not a CSR graph,
            :obj:`seed` is not int64, or a number is of a wrong type.
        ValueError: If shapes or devices contradict each other, :obj:`loop` is missing or not
            needed, :obj:`negative_slope` is not finite, :obj:`dropout` is not in 0 .. 1, or the
            requested backend cannot handle the call.

    Example:
        >>> import torch
        >>> from gatsparse import CSRGraph
        >>> from gatsparse.ops import gatv2_attention
        >>> graph = CSRGraph.from_edge_index(torch.tensor([[0, 1, 2], [1, 2, 0]]), num_nodes=3)
        >>> x_src, x_dst, att = torch.randn(3, 4, 8), torch.randn(3, 4, 8), torch.randn(1, 4, 8)
        >>> gatv2_attention(x_src, x_dst, att, graph, concat=False).shape
        torch.Size([3, 8])
    """
    inputs = Inputs(x_src, x_dst, att, edge, loop)
    _check(inputs, graph, add_self_loops)
    check_bias(bias, graph, x_src.size(1), x_src.size(2), concat)
    options = Options.checked(add_self_loops, negative_slope, dropout, seed, graph.device)
    dense_unmet = [] if edge is None else ["edge: duplicate edges have separate features"]
    unmet_by = {
        "fused": unmet(*inputs, bias, graph=graph, backend=backend, float16=True),
        "scatter": [],
        "dense": dense_unmet,
    }
    name = choose(backend, unmet_by, graph.num_edges)
    compute = {"fused": fused, "scatter": scatter, "dense": dense}[name].gatv2_attention
    inputs = inputs._replace(att=att.to(inputs.score_dtype))
    bias = None if bias is None else bias.to(inputs.score_dtype)
    return compute(inputs, bias, concat, graph, options)


def gatv2_attention_weights(
    x_src: Tensor,
    x_dst: Tensor,
    att: Tensor,
    graph: CSRGraph,
    *,
    edge: Tensor | None = None,
    loop: Tensor | None = None,
    add_self_loops: bool = False,
    negative_slope: float = 0.2,
    dropout: float = 0.0,
    seed: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    r"""Returns the attention :math:`\alpha_{ij}` of :func:`gatv2_attention` for each edge.

    It builds tensors ``[E, H, C]``. With the same :obj:`seed`, the same weights are dropped.

    Args:
        x_src, x_dst, att, graph, edge, loop, add_self_loops, negative_slope, dropout, seed:
            As in :func:`gatv2_attention`.

    Returns:
        tuple: As in :func:`gatsparse.ops.gat_attention_weights`.

    Raises:
        TypeError, ValueError: As in :func:`gatv2_attention`.

    Example:
        >>> import torch
        >>> from gatsparse import CSRGraph
        >>> from gatsparse.ops import gatv2_attention_weights
        >>> graph = CSRGraph.from_edge_index(torch.tensor([[0, 1], [2, 2]]), num_nodes=3)
        >>> x_src, x_dst, att = torch.randn(3, 4, 8), torch.randn(3, 4, 8), torch.randn(1, 4, 8)
        >>> edge_index, alpha = gatv2_attention_weights(x_src, x_dst, att, graph)
        >>> torch.allclose(alpha.sum(dim=0), torch.ones(4))
        True
    """
    inputs = Inputs(x_src, x_dst, att, edge, loop)
    _check(inputs, graph, add_self_loops)
    options = Options.checked(add_self_loops, negative_slope, dropout, seed, graph.device)
    inputs = inputs._replace(att=att.to(inputs.score_dtype))
    return scatter.gatv2_attention_weights(inputs, graph, options)


def _check(inputs: Inputs, graph: CSRGraph, add_self_loops: bool) -> None:
    check_graph(graph)
    x_src = inputs.x_src
    check_tensor("x_src", x_src, graph, (graph.num_src, "H", "C"))
    heads, channels = x_src.shape[1:]
    check_tensor("x_dst", inputs.x_dst, graph, (graph.num_dst, heads, channels))
    check_tensor("att", inputs.att, graph, (1, heads, channels))
    check_edge_features(inputs.edge, inputs.loop, graph, add_self_loops, (heads, channels))
    for name, tensor in (("x_dst", inputs.x_dst), ("edge", inputs.edge), ("loop", inputs.loop)):
        if tensor is not None and tensor.dtype != x_src.dtype:
            raise ValueError(f"{name}: expected {x_src.dtype} to match x_src, got {tensor.dtype}")
