"""Graph attention (GAT): the public function, and the choice of its backend."""

from __future__ import annotations

import torch
from torch import Tensor

from gatsparse.graph import CSRGraph
from gatsparse.ops.backend import Backend, choose
from gatsparse.ops.gat import dense, fused, scatter
from gatsparse.ops.philox import draw_seed


def gat_attention(
    x: Tensor,
    alpha_src: Tensor,
    alpha_dst: Tensor,
    graph: CSRGraph,
    *,
    add_self_loops: bool = False,
    negative_slope: float = 0.2,
    dropout: float = 0.0,
    seed: Tensor | None = None,
    backend: Backend = "auto",
) -> Tensor:
    r"""Attention-weighted sums over the in-edges of every destination.

    .. math::
        \mathrm{out}_i = \sum_{j \in \mathcal{N}(i)} \alpha_{ij} x_j, \qquad
        \alpha_{ij} = \mathrm{softmax}_j \left(
        \mathrm{LeakyReLU}(\alpha^{src}_j + \alpha^{dst}_i) \right)

    of `"Graph Attention Networks" <https://arxiv.org/abs/1710.10903>`_, for each head.
    A destination without edges gets 0.

    Args:
        x (Tensor): float32, float64 or bfloat16 ``[N_src, H, C]``, the projected features.
        alpha_src (Tensor): ``[N_src, H]``, the source term of the score.
        alpha_dst (Tensor): ``[N_dst, H]``, the destination term of the score.
        graph (CSRGraph): Of size ``(N_src, N_dst)``.
        add_self_loops (bool, optional): Leaves out the edges ``i -> i`` of the graph and
            gives each node that is source and destination exactly one.
        negative_slope (float, optional): Of the LeakyReLU.
        dropout (float, optional): Probability that an attention weight is dropped;
            the others grow by ``1 / (1 - dropout)``.
        seed (Tensor, optional): int64 ``[]``: which weights are dropped.
            (default: drawn from torch's generator)
        backend (str, optional): ``"fused"``, ``"scatter"`` or ``"dense"``, which compute
            the same numbers, or ``"auto"``, the best that can serve.

    Scores are computed in float32 or better, whatever the dtype of :obj:`x`. NaN in a
    row of :obj:`x` or :obj:`alpha_src` reaches the destinations of its node.

    Returns:
        Tensor: ``[N_dst, H, C]``, of the dtype of :obj:`x`.

    Raises:
        TypeError: If an argument is no tensor, or not of floats.
        ValueError: If shapes or devices contradict each other, :obj:`dropout` is not in
            0 .. 1, or the named backend cannot serve.
    """
    _check_inputs(x, alpha_src, alpha_dst, graph)
    seed = _seed(dropout, seed)
    name = choose(backend, {"fused": fused.unmet(x), "scatter": [], "dense": []})
    compute = {"fused": fused, "scatter": scatter, "dense": dense}[name].gat_attention
    dtype = torch.promote_types(x.dtype, torch.float32)
    return compute(
        x,
        alpha_src.to(dtype),
        alpha_dst.to(dtype),
        graph,
        add_self_loops,
        negative_slope,
        dropout,
        seed,
    )


def gat_attention_weights(
    alpha_src: Tensor,
    alpha_dst: Tensor,
    graph: CSRGraph,
    *,
    add_self_loops: bool = False,
    negative_slope: float = 0.2,
    dropout: float = 0.0,
    seed: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    r"""The attention :math:`\alpha_{ij}` that :func:`gat_attention` sums with, per edge.

    It needs ``[E, H]`` numbers, never ``[E, H, C]``. With the same :obj:`seed` it has
    dropped the same weights.

    Args:
        alpha_src, alpha_dst, graph, add_self_loops, negative_slope, dropout, seed: As in
            :func:`gat_attention`.

    Returns:
        tuple: ``edge_index`` int64 ``[2, E']`` and ``alpha [E', H]``. The edges stand in
        the order in which the graph was given; with :obj:`add_self_loops`, those that
        are no self-loops first, then one loop of each node, as PyG returns them.

    Raises:
        ValueError: If :obj:`dropout` is not in 0 .. 1.
    """
    seed = _seed(dropout, seed)
    return scatter.gat_attention_weights(
        alpha_src, alpha_dst, graph, add_self_loops, negative_slope, dropout, seed
    )


def _seed(dropout: float, seed: Tensor | None) -> Tensor | None:
    if not 0.0 <= dropout <= 1.0:
        raise ValueError(f"dropout: expected 0 <= dropout <= 1, got {dropout}")
    if dropout == 0.0:
        return None
    return draw_seed() if seed is None else seed


def _check_inputs(x: Tensor, alpha_src: Tensor, alpha_dst: Tensor, graph: CSRGraph) -> None:
    if not isinstance(graph, CSRGraph):
        raise TypeError(f"graph: expected a CSRGraph, got {type(graph).__name__}")
    for name, tensor in (("x", x), ("alpha_src", alpha_src), ("alpha_dst", alpha_dst)):
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{name}: expected a tensor, got {type(tensor).__name__}")
        if not tensor.is_floating_point():
            raise TypeError(f"{name}: expected a floating point tensor, got {tensor.dtype}")
        if tensor.device != graph.device:
            raise ValueError(
                f"{name}: expected on {graph.device}, as graph is, got {tensor.device}"
            )
    if x.dim() != 3 or x.size(0) != graph.num_src:
        raise ValueError(f"x: expected shape [{graph.num_src}, H, C], got {list(x.shape)}")
    for name, tensor, rows in (
        ("alpha_src", alpha_src, graph.num_src),
        ("alpha_dst", alpha_dst, graph.num_dst),
    ):
        if tensor.shape != (rows, x.size(1)):
            raise ValueError(
                f"{name}: expected shape {[rows, x.size(1)]}, got {list(tensor.shape)}"
            )
