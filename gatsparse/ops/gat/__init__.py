"""Graph attention (GAT): the public functions, and the choice of their backend."""

from __future__ import annotations

from torch import Tensor

from gatsparse.graph import CSRGraph
from gatsparse.ops.backend import Backend, choose
from gatsparse.ops.gat import dense, fused, scatter
from gatsparse.ops.gat.inputs import Inputs
from gatsparse.ops.kernel_support import unmet
from gatsparse.ops.options import (
    Options,
    check_bias,
    check_edge_features,
    check_graph,
    check_tensor,
)


def gat_attention(
    x: Tensor,
    att_src: Tensor,
    att_dst: Tensor | None,
    graph: CSRGraph,
    *,
    x_dst: Tensor | None = None,
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
        \mathrm{out}_i = \sum_{j \in \mathcal{N}(i)} \alpha_{ij} x_j, \qquad
        \alpha_{ij} = \mathrm{softmax}_j \left( \mathrm{LeakyReLU}(
        \langle a_{src}, x_j \rangle + \langle a_{dst}, x_i \rangle + e_{ij}) \right)

    of `"Graph Attention Networks" <https://arxiv.org/abs/1710.10903>`_, for each head.
    A destination without edges gets 0.

    Args:
        x (Tensor): ``[N_src, H, C]``, the projected features, in any floating-point dtype.
        att_src (Tensor): ``[1, H, C]``, :math:`a_{src}`.
        att_dst (Tensor, optional): ``[1, H, C]``, :math:`a_{dst}`; None omits its term.
        graph (CSRGraph): Graph of size ``(N_src, N_dst)``.
        x_dst (Tensor, optional): ``[N_dst, H, C]``, features of destinations that are not the
            sources.
        edge (Tensor, optional): ``[E, H]``, the terms :math:`e_{ij}` of the edges in the
            order in which the graph was given.
        loop (Tensor, optional): ``[min(N_src, N_dst), H]``, the same for the self-loops that
            are added.
        bias (Tensor, optional): ``[H * C]``, or ``[C]`` for the mean; added to the result.
        concat (bool, optional): Concatenates the heads; otherwise they are averaged.
        add_self_loops (bool, optional): Leaves out the edges ``i -> i`` of the graph and
            gives each node that is source and destination exactly one.
        negative_slope (float, optional): Slope of the LeakyReLU for negative values.
        dropout (float, optional): Probability that an attention weight is dropped;
            the others are scaled by ``1 / (1 - dropout)``.
        seed (Tensor, optional): int64 ``[]`` on the device of :obj:`graph` or on the CPU,
            determines which weights are dropped. (default: drawn from torch's generator)
        backend (str, optional): ``"fused"``, ``"scatter"`` or ``"dense"``, which compute
            the same numbers, or ``"auto"``, the best that can handle the call.
            ``"dense"`` does not support :obj:`edge`.

    Scores are computed in at least float32 for any dtype of :obj:`x`. NaN in a row of :obj:`x`
    reaches the destinations of its node (with ``"dense"`` all destinations). If all scores of a
    destination are -inf, its result is NaN, as in :func:`torch.softmax`.

    Returns:
        Tensor: ``[N_dst, H * C]``, or ``[N_dst, C]``, of the dtype of :obj:`x`.

    Raises:
        TypeError: If a tensor is not of floating point, :obj:`graph` is not a CSR graph,
            :obj:`seed` is not int64, or a number is of a wrong type.
        ValueError: If shapes or devices contradict each other, :obj:`loop` is missing or not
            needed, :obj:`negative_slope` is not finite, :obj:`dropout` is not in 0 .. 1, or the
            requested backend cannot handle the call.

    Example:
        >>> import torch
        >>> from gatsparse import CSRGraph
        >>> from gatsparse.ops import gat_attention
        >>> graph = CSRGraph.from_edge_index(torch.tensor([[0, 1, 2], [1, 2, 0]]), num_nodes=3)
        >>> x, att_src, att_dst = torch.randn(3, 4, 8), torch.randn(1, 4, 8), torch.randn(1, 4, 8)
        >>> gat_attention(x, att_src, att_dst, graph, add_self_loops=True).shape
        torch.Size([3, 32])
    """
    inputs = Inputs(x, att_src, att_dst, x_dst, edge, loop)
    _check(inputs, graph, add_self_loops)
    check_bias(bias, graph, x.size(1), x.size(2), concat)
    options = Options.checked(add_self_loops, negative_slope, dropout, seed, graph.device)
    dense_unmet = [] if edge is None else ["edge: duplicate edges have separate terms"]
    unmet_by = {
        "fused": unmet(*inputs, bias, graph=graph, backend=backend, float16=True),
        "scatter": [],
        "dense": dense_unmet,
    }
    name = choose(backend, unmet_by, graph.num_edges)
    compute = {"fused": fused, "scatter": scatter, "dense": dense}[name].gat_attention
    inputs = inputs.widened()
    bias = None if bias is None else bias.to(inputs.score_dtype)
    return compute(inputs, bias, concat, graph, options)


def gat_attention_weights(
    x: Tensor,
    att_src: Tensor,
    att_dst: Tensor | None,
    graph: CSRGraph,
    *,
    x_dst: Tensor | None = None,
    edge: Tensor | None = None,
    loop: Tensor | None = None,
    add_self_loops: bool = False,
    negative_slope: float = 0.2,
    dropout: float = 0.0,
    seed: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    r"""Returns the attention :math:`\alpha_{ij}` of :func:`gat_attention` for each edge.

    It builds tensors ``[E, H]``, but not ``[E, H, C]``. With the same :obj:`seed`, the same
    weights are dropped.

    Args:
        x, att_src, att_dst, graph, x_dst, edge, loop, add_self_loops, negative_slope,
            dropout, seed: As in :func:`gat_attention`.

    Returns:
        tuple: ``edge_index`` int64 ``[2, E']`` and ``alpha [E', H]``. The edges have
        the order of the input of the graph. With :obj:`add_self_loops`, edges that are
        not self-loops are first, followed by one loop of each node, as in PyG.

    Raises:
        TypeError, ValueError: As in :func:`gat_attention`.

    Example:
        >>> import torch
        >>> from gatsparse import CSRGraph
        >>> from gatsparse.ops import gat_attention_weights
        >>> graph = CSRGraph.from_edge_index(torch.tensor([[0, 1], [2, 2]]), num_nodes=3)
        >>> x, zero = torch.randn(3, 1, 8), torch.zeros(1, 1, 8)
        >>> gat_attention_weights(x, zero, zero, graph)  # equal scores
        (tensor([[0, 1],
                [2, 2]]), tensor([[0.5000],
                [0.5000]]))
    """
    inputs = Inputs(x, att_src, att_dst, x_dst, edge, loop)
    _check(inputs, graph, add_self_loops)
    options = Options.checked(add_self_loops, negative_slope, dropout, seed, graph.device)
    return scatter.gat_attention_weights(inputs.widened(), graph, options)


def _check(inputs: Inputs, graph: CSRGraph, add_self_loops: bool) -> None:
    check_graph(graph)
    check_tensor("x", inputs.x, graph, (graph.num_src, "H", "C"))
    heads, channels = inputs.x.shape[1:]
    check_tensor("att_src", inputs.att_src, graph, (1, heads, channels))
    if inputs.x_dst is not None:
        check_tensor("x_dst", inputs.x_dst, graph, (graph.num_dst, heads, channels))
    if inputs.att_dst is not None:
        check_tensor("att_dst", inputs.att_dst, graph, (1, heads, channels))
        if inputs.x_dst is None and graph.num_src != graph.num_dst:
            raise ValueError(
                f"x_dst: expected shape [{graph.num_dst}, {heads}, {channels}], as sources and "
                "destinations are different nodes, got None"
            )
    check_edge_features(inputs.edge, inputs.loop, graph, add_self_loops, (heads,))
