"""Measures the gain and the cost of node orders: ``python -m benchmarks.reorder``."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial

import torch
from rich import box
from rich.console import Console
from rich.table import Table
from torch import Tensor

from benchmarks.turns import alternate
from gatsparse import CSRGraph, GATConv
from gatsparse.graph.reorder import Order

SHAPES = ((4, 64), (8, 8))  # heads, channels
METHODS: tuple[Order, ...] = ("rcm", "degree")


def power_law(num_nodes: int, num_edges: int) -> Tensor:
    """Returns edges ``[2, E]`` whose ends are drawn with falling weights of a Pareto law."""
    weight = (torch.arange(num_nodes) + 1.0).double().rsqrt()
    cumulated = (weight / weight.sum()).cumsum(0)
    ends = torch.searchsorted(cumulated, torch.rand(2, num_edges, dtype=torch.float64))
    return ends.clamp(max=num_nodes - 1)


def communities(num_nodes: int, num_edges: int, size: int, inside: float) -> Tensor:
    """Returns edges ``[2, E]`` of a stochastic block model.

    Args:
        num_nodes: Number of nodes.
        num_edges: Number of edges.
        size: Nodes of each block, which are consecutive.
        inside: Share of the edges whose source is drawn from the block of its destination.
    """
    dst = torch.randint(num_nodes, (num_edges,))
    near = (dst - dst % size + torch.randint(size, (num_edges,))).clamp(max=num_nodes - 1)
    far = torch.randint(num_nodes, (num_edges,))
    return torch.stack([torch.where(torch.rand(num_edges) < inside, near, far), dst])


def measure(name: str, edge_index: Tensor, num_nodes: int, rounds: int, console: Console) -> None:
    """Prints gain and cost of every order on a graph.

    Args:
        name: Name of the graph.
        edge_index: ``[2, E]``, nodes in the order of generation; the caller's order is random.
        num_nodes: Number of nodes.
        rounds: Number of timed runs of each layer.
        console: Console to print on.
    """
    shuffled = CSRGraph.from_edge_index(torch.randperm(num_nodes)[edge_index], num_nodes)
    graphs = {"shuffled": shuffled}
    costs: dict[str, float] = {}
    x = torch.randn(num_nodes, 128)
    for method in METHODS:
        start = time.perf_counter()
        reordered = shuffled.reorder(method)
        costs[method] = time.perf_counter() - start
        graphs[method] = reordered.graph
    graphs["as generated"] = CSRGraph.from_edge_index(edge_index, num_nodes)

    table = Table(
        title=f"{name}: {num_nodes:,} nodes, {edge_index.size(1):,} edges", box=box.MARKDOWN
    )
    for column in ("GATConv", "order", "forward", "gain", "forward + backward", "gain"):
        table.add_column(column, justify="left" if column in ("GATConv", "order") else "right")
    for heads, channels in SHAPES:
        conv = GATConv(x.size(1), channels, heads=heads)
        forward = alternate({k: _forward(conv, x, g) for k, g in graphs.items()}, rounds)
        both = alternate({k: _both(conv, x, g) for k, g in graphs.items()}, rounds)
        for order in graphs:
            cells = [f"{heads}x{channels}", order]
            for seconds in (forward, both):
                gain = seconds["shuffled"] / seconds[order]
                cells += [f"{1e3 * seconds[order]:.1f} ms", f"{gain:.2f}x"]
            table.add_row(*cells)
    console.print(table)

    reordered = shuffled.reorder("rcm")
    out = torch.randn(num_nodes, 256)
    rows = alternate(
        {"in": lambda: reordered.to_new(x), "out": lambda: reordered.to_caller(out)}, rounds
    )
    cost = ", ".join(f"{method} {seconds:.2f} s" for method, seconds in costs.items())
    console.print(
        f"Cost, once: {cost}. Per run of a model: {1e3 * rows['in']:.1f} ms for 128 features in, "
        f"{1e3 * rows['out']:.1f} ms for 256 out."
    )


def _forward(conv: GATConv, x: Tensor, graph: CSRGraph) -> Callable[[], object]:
    def run() -> None:
        with torch.no_grad():
            conv(x, graph)

    return run


def _both(conv: GATConv, x: Tensor, graph: CSRGraph) -> Callable[[], object]:
    grad = torch.randn(graph.num_dst, conv.heads * conv.out_channels)

    def run() -> None:
        conv.zero_grad()
        conv(x, graph).backward(grad)

    return run


def main(arguments: list[str] | None = None) -> int:
    """Measures a power-law graph and a graph of communities, and returns the exit status.

    The exit status is 1 if a graph failed, which does not stop the measurement of the other.

    Args:
        arguments (list, optional): Command-line arguments.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reorder", description=__doc__)
    parser.add_argument("--nodes", type=int, default=169_343)
    parser.add_argument("--edges", type=int, default=2_294_573)
    parser.add_argument("--size", type=int, default=128, help="nodes per community")
    parser.add_argument(
        "--inside", type=float, default=0.95, help="share of edges within communities"
    )
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args(arguments)
    for name, least in (("nodes", 1), ("edges", 1), ("size", 1), ("rounds", 1)):
        if getattr(options, name) < least:
            parser.error(f"{name}: expected >= {least}, got {getattr(options, name)}")
    if not 0 <= options.inside <= 1:
        parser.error(f"inside: expected 0 .. 1, got {options.inside}")
    torch.manual_seed(0)
    CSRGraph.from_edge_index(torch.tensor([[0], [0]])).reorder()  # imports what it needs
    nodes, edges = options.nodes, options.edges
    graphs = {
        "power law": partial(power_law, nodes, edges),
        f"communities of {options.size}, {options.inside:.0%} of edges inside": partial(
            communities, nodes, edges, options.size, options.inside
        ),
    }
    measured = [_succeeds(name, draw, nodes, options.rounds) for name, draw in graphs.items()]
    return int(not all(measured))


def _succeeds(name: str, draw: Callable[[], Tensor], num_nodes: int, rounds: int) -> bool:
    """Draws and measures a graph; prints the reason if that fails."""
    try:
        measure(name, draw(), num_nodes, rounds, Console(width=110))
    except Exception as error:  # the other graph is measured all the same
        print(f"failed: {name}: {type(error).__name__}: {error}", file=sys.stderr)
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
