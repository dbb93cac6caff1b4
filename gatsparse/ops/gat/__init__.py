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
    row of :obj:`x` or :obj:`alpha_src` reaches the destinations of its node, and with
    ``"dense"`` all of them. A destination all of whose scores are -inf gets NaN, as in
    :func:`torch.softmax`.

    Returns:
        Tensor: ``[N_dst, H, C]``, of the dtype of :obj:`x`.

    Raises:
        TypeError: If an argument is no tensor, or not of floats.
        ValueError: If shapes or devices contradict each other, :obj:`dropout` is not in
            0 .. 1, or the named backend cannot serve.
    """
    _check_graph(graph)
    _check_features(x, graph)
    _check_node_terms(alpha_src, alpha_dst, graph, heads=x.size(1))
    seed = _seed(dropout, seed)
    unmet = {"fused": fused.unmet(x, alpha_src, alpha_dst), "scatter": [], "dense": []}
    name = choose(backend, unmet)
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
        TypeError, ValueError: As :func:`gat_attention`.
    """
    _check_graph(graph)
    _check_node_terms(alpha_src, alpha_dst, graph)
    seed = _seed(dropout, seed)
    dtype = torch.promote_types(alpha_src.dtype, torch.float32)
    return scatter.gat_attention_weights(
        alpha_src.to(dtype),
        alpha_dst.to(dtype),
        graph,
        add_self_loops,
        negative_slope,
        dropout,
        seed,
    )


def _seed(dropout: float, seed: Tensor | None) -> Tensor | None:
    if not 0.0 <= dropout <= 1.0:
        raise ValueError(f"dropout: expected 0 <= dropout <= 1, got {dropout}")
    if dropout == 0.0:
        return None
    if seed is None:
        return draw_seed()
    if not isinstance(seed, Tensor) or seed.dtype != torch.int64:
        got = seed.dtype if isinstance(seed, Tensor) else type(seed).__name__
        raise TypeError(f"seed: expected an int64 tensor, got {got}")
    if seed.dim() != 0:
        raise ValueError(f"seed: expected shape [], got {list(seed.shape)}")
    return seed


def _check_graph(graph: CSRGraph) -> None:
    if not isinstance(graph, CSRGraph):
        raise TypeError(f"graph: expected a CSRGraph, got {type(graph).__name__}")


def _check_features(x: Tensor, graph: CSRGraph) -> None:
    _check_tensor("x", x, graph)
    if x.dim() != 3 or x.size(0) != graph.num_src or 0 in x.shape[1:]:
        raise ValueError(
            f"x: expected shape [{graph.num_src}, H, C] with H, C >= 1, got {list(x.shape)}"
        )


def _check_node_terms(
    alpha_src: Tensor, alpha_dst: Tensor, graph: CSRGraph, heads: int | None = None
) -> None:
    for name, tensor, rows in (
        ("alpha_src", alpha_src, graph.num_src),
        ("alpha_dst", alpha_dst, graph.num_dst),
    ):
        _check_tensor(name, tensor, graph)
        heads = tensor.size(-1) if heads is None and tensor.dim() == 2 else heads
        if tensor.dim() != 2 or tensor.shape != (rows, heads):
            raise ValueError(
                f"{name}: expected shape [{rows}, {heads or 'H'}], got {list(tensor.shape)}"
            )


def _check_tensor(name: str, tensor: Tensor, graph: CSRGraph) -> None:
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{name}: expected a tensor, got {type(tensor).__name__}")
    if not tensor.is_floating_point():
        raise TypeError(f"{name}: expected a floating point tensor, got {tensor.dtype}")
    if tensor.device != graph.device:
        raise ValueError(f"{name}: expected on {graph.device}, as graph is, got {tensor.device}")
