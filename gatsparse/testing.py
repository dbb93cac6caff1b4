"""Graph zoo, inputs and error budgets for tests and benchmarks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from gatsparse.graph import CSRGraph


class Graph(NamedTuple):
    """Edges and sizes of a graph.

    Args:
        edge_index (Tensor): int64 ``[2, E]``.
        size (tuple): ``(N_src, N_dst)``.

    Example:
        >>> from gatsparse.testing import graph_zoo
        >>> graph_zoo()["one edge"].csr()
        CSRGraph(num_src=2, num_dst=2, num_edges=1, device='cpu')
    """

    edge_index: Tensor
    size: tuple[int, int]

    def csr(self) -> CSRGraph:
        """Returns the CSR graph."""
        return CSRGraph.from_edge_index(self.edge_index, size=self.size)


def _graph(edges: list[tuple[int, int]], num_src: int, num_dst: int | None = None) -> Graph:
    edge_index = torch.tensor(edges, dtype=torch.int64).reshape(-1, 2).T
    return Graph(edge_index, (num_src, num_src if num_dst is None else num_dst))


def _random(num_src: int, num_dst: int, num_edges: int, seed: int) -> Graph:
    generator = torch.Generator().manual_seed(seed)
    rows = [torch.randint(n, (num_edges,), generator=generator) for n in (num_src, num_dst)]
    return Graph(torch.stack(rows), (num_src, num_dst))


def graph_zoo() -> dict[str, Graph]:
    """Small graphs by name, each with a property that has broken a kernel before.

    Example:
        >>> from gatsparse.testing import graph_zoo
        >>> zoo = graph_zoo()
        >>> zoo["hub"].size
        (201, 201)
    """
    hub = [(j, 0) for j in range(200)] + [(0, i) for i in range(200)]
    return {
        "no nodes": _graph([], 0),
        "no edges": _graph([], 5),
        "one node": _graph([], 1),
        "one loop": _graph([(0, 0)], 1),
        "one edge": _graph([(1, 0)], 2),
        "isolated nodes": _graph([(2, 4), (4, 2), (2, 2)], 9),
        "only loops": _graph([(i, i) for i in range(6)], 6),
        "duplicate loops": _graph([(1, 1), (1, 1), (0, 1), (1, 1)], 3),
        "duplicate edges": _graph([(0, 1), (0, 1), (2, 1), (0, 1), (2, 1)], 3),
        "chain": _graph([(i, i + 1) for i in range(20)], 21),
        "reversed chain": _graph([(i + 1, i) for i in reversed(range(20))], 21),
        "hub": _graph(hub, 201),
        "complete": _graph([(j, i) for j in range(12) for i in range(12)], 12),
        "bipartite, more sources": _random(30, 7, 90, seed=1),
        "bipartite, more destinations": _random(7, 30, 90, seed=2),
        "bipartite, no sources": _graph([], 0, 4),
        "bipartite, no destinations": _graph([], 4, 0),
        "random": _random(60, 60, 500, seed=3),
        "dense with duplicates": _random(10, 10, 400, seed=4),
    }


#: The tensors of an attention by the names of its arguments, leaves that require gradients.
Inputs = dict[str, Tensor]


def cast(inputs: Inputs, dtype: torch.dtype) -> Inputs:
    """The same numbers in another dtype, as new leaves.

    Example:
        >>> import torch
        >>> from gatsparse.testing import cast
        >>> cast({"x": torch.ones(2)}, torch.float64)["x"]
        tensor([1., 1.], dtype=torch.float64, requires_grad=True)
    """
    return {name: t.detach().to(dtype, copy=True).requires_grad_() for name, t in inputs.items()}


def gat_inputs(
    graph: Graph,
    heads: int,
    channels: int,
    *,
    x_dst: bool | None = None,
    edge: bool = False,
    loop: bool = False,
    concat: bool = True,
    dtype: torch.dtype = torch.float64,
    scale: float = 1.0,
    seed: int = 0,
) -> Inputs:
    """Normal tensors for :func:`gatsparse.ops.gat_attention`.

    Args:
        graph (Graph): The graph.
        heads, channels (int): Numbers of heads :math:`H` and of channels :math:`C`.
        x_dst (bool, optional): Whether the destinations have separate features.
            (default: only in a bipartite graph)
        edge (bool, optional): Whether edges have terms.
        loop (bool, optional): Whether added self-loops have terms, too.
        concat (bool, optional): Whether the bias is one for concatenated heads.
        dtype (torch.dtype, optional): Dtype of all tensors.
        scale (float, optional): Scale of the scores: 0 makes them equal, large ones sharpen the
            softmax.
        seed (int, optional): Seed of the numbers.

    Example:
        >>> from gatsparse.ops import gat_attention
        >>> from gatsparse.testing import gat_inputs, graph_zoo
        >>> graph = graph_zoo()["random"]
        >>> gat_attention(**gat_inputs(graph, heads=4, channels=8), graph=graph.csr()).shape
        torch.Size([60, 32])
    """
    normal = _normal(seed)
    num_src, num_dst = graph.size
    att_scale = scale / channels**0.5
    inputs = {
        "x": normal(num_src, heads, channels),
        "att_src": att_scale * normal(1, heads, channels),
        "att_dst": att_scale * normal(1, heads, channels),
        "bias": normal(heads * channels if concat else channels),
    }
    if x_dst or (x_dst is None and num_src != num_dst):
        inputs["x_dst"] = normal(num_dst, heads, channels)
    edges = _edge_inputs(graph, edge, loop, lambda rows: scale * normal(rows, heads))
    return cast(inputs | edges, dtype)


def gatv2_inputs(
    graph: Graph,
    heads: int,
    channels: int,
    *,
    edge: bool = False,
    loop: bool = False,
    concat: bool = True,
    dtype: torch.dtype = torch.float64,
    scale: float = 1.0,
    seed: int = 0,
) -> Inputs:
    """Normal tensors for :func:`gatsparse.ops.gatv2_attention`; see :func:`gat_inputs`.

    Example:
        >>> from gatsparse.testing import gatv2_inputs, graph_zoo
        >>> sorted(gatv2_inputs(graph_zoo()["random"], heads=4, channels=8))
        ['att', 'bias', 'x_dst', 'x_src']
    """
    normal = _normal(seed)
    num_src, num_dst = graph.size
    inputs = {
        "x_src": normal(num_src, heads, channels),
        "x_dst": normal(num_dst, heads, channels),
        "att": scale / channels**0.5 * normal(1, heads, channels),
        "bias": normal(heads * channels if concat else channels),
    }
    edges = _edge_inputs(graph, edge, loop, lambda rows: normal(rows, heads, channels))
    return cast(inputs | edges, dtype)


def _edge_inputs(graph: Graph, edge: bool, loop: bool, table: Callable[[int], Tensor]) -> Inputs:
    """``edge`` and ``loop`` if requested, from a function of the number of rows."""
    sizes = (("edge", edge, graph.edge_index.size(1)), ("loop", edge and loop, min(graph.size)))
    return {name: table(rows) for name, wanted, rows in sizes if wanted}


def _normal(seed: int) -> Callable[..., Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return partial(torch.randn, dtype=torch.float64, generator=generator)


def relative_error(actual: Tensor, expected: Tensor) -> float:
    """The largest difference, relative to the largest expected value (at least 1).

    Example:
        >>> import torch
        >>> from gatsparse.testing import relative_error
        >>> relative_error(torch.tensor([2.0, 4.5]), torch.tensor([2.0, 5.0]))
        0.1
    """
    if expected.numel() == 0:
        return 0.0
    difference = (actual.double() - expected.double()).abs().max()
    return float((difference / expected.double().abs().max().clamp(min=1.0)).detach())


def error_budget(reference_error: float, dtype: torch.dtype) -> float:
    """Returns the error against float64 that an implementation may have: twice the error of the
    reference in the same precision, and never less than four roundings of that precision.

    Example:
        >>> import torch
        >>> from gatsparse.testing import error_budget
        >>> error_budget(1e-6, torch.float32)
        2e-06
    """
    return max(2 * reference_error, 4 * torch.finfo(dtype).eps)
