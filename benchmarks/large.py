"""Large graphs on one machine: structure, full-batch step, sampling and exact inference, each in a
process of its own: ``python -m benchmarks.large``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
import torch_geometric.nn
from torch_geometric.sampler import NodeSamplerInput

from benchmarks.isolate import Call, isolated
from benchmarks.measure import environment, peak, resident
from benchmarks.text import machine, markdown_table
from gatsparse import CSRGraph, GATConv, infer
from gatsparse.data import NeighborSampler, rmat
from gatsparse.nn import PaperGAT

FEATURES, CLASSES, FAN_OUT = 100, 47, [15, 10, 5]
GB = 10**9


def structure(num_nodes: int, num_edges: int) -> dict[str, str]:
    """The structure of unsorted int64 edges, and the same by ``torch.argsort``."""
    edge_index = rmat(num_nodes, num_edges)
    before, start = resident(), time.perf_counter()
    graph = CSRGraph.from_edge_index(edge_index, num_nodes)
    seconds, added = time.perf_counter() - start, peak() - before
    graph.csr_t  # noqa: B018 - built at the first use
    transposed = time.perf_counter() - start - seconds
    start = time.perf_counter()
    order = torch.argsort(edge_index[1], stable=True)
    col = edge_index[0, order]
    rowptr = torch.bincount(edge_index[1], minlength=num_nodes).cumsum(0)
    sorting = time.perf_counter() - start
    assert torch.equal(col[:1000].int(), graph.col[:1000])
    assert torch.equal(rowptr, graph.rowptr[1:])
    return {
        "structure": f"{seconds:.2f} s, +{added / GB:.2f} GB",
        "its transpose": f"{transposed:.2f} s",
        "by torch.argsort": f"{sorting:.2f} s ({sorting / seconds:.1f}x)",
    }


def sampling(num_nodes: int, num_edges: int) -> dict[str, str]:
    """Sampled edges per second of 20 batches of 1024 nodes, and of a loop in NumPy."""
    graph = _graph(num_nodes, num_edges)
    order = torch.randperm(num_nodes)
    sampler = NeighborSampler(graph, FAN_OUT, seed=0)
    seeds = order.split(min(1024, num_nodes // 2))[:21]
    sampler.sample_from_nodes(NodeSamplerInput(None, seeds[0]))
    start = time.perf_counter()
    edges = 0
    for batch in seeds[1:]:
        sample: Any = sampler.sample_from_nodes(NodeSamplerInput(None, batch))
        edges += sample.row.numel()
    rate = edges / (time.perf_counter() - start)
    start = time.perf_counter()
    of_numpy = _sample_by_numpy(graph.rowptr.numpy(), graph.col.numpy(), seeds[0].numpy())
    loop = of_numpy / (time.perf_counter() - start)
    return {
        f"sampling {FAN_OUT}": f"{rate / 1e6:.1f} M edges/s",
        "a loop in NumPy": f"{loop / 1e6:.2f} M edges/s ({rate / loop:.0f}x)",
    }


def _sample_by_numpy(rowptr: np.ndarray, col: np.ndarray, seeds: np.ndarray) -> int:
    """Samples as the sampler does, node by node; returns the number of edges."""
    generator, seen, frontier, edges = np.random.default_rng(0), set(seeds), seeds, 0
    for count in FAN_OUT:
        new: list[int] = []
        for node in frontier:
            row = col[rowptr[node] : rowptr[node + 1]]
            drawn = row if len(row) <= count else generator.choice(row, count, replace=False)
            edges += len(drawn)
            for source in drawn:
                if source not in seen:
                    seen.add(source)
                    new.append(source)
        frontier = np.array(new, dtype=np.int64)
    return edges


def full_batch(num_nodes: int, num_edges: int, conv: Callable[..., Any]) -> dict[str, str]:
    """The second training step of three layers, 8 heads x 16 channels."""
    edge_index: Any = rmat(num_nodes, num_edges)
    if conv is GATConv:
        edge_index = CSRGraph.from_edge_index(edge_index, num_nodes)
    x, y = torch.randn(num_nodes, FEATURES), torch.randint(CLASSES, (num_nodes,))
    model = PaperGAT(FEATURES, 16, CLASSES, dropout=0.2, conv=conv, num_layers=3)
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    seconds = 0.0
    for _ in range(2):
        start = time.perf_counter()
        optimizer.zero_grad()
        F.cross_entropy(model(x, edge_index), y).backward()
        optimizer.step()
        seconds = time.perf_counter() - start
    return {f"step, {conv.__module__.split('.')[0]}": f"{seconds:.1f} s, peak {peak() / GB:.1f} GB"}


def inference(
    num_nodes: int, num_edges: int, max_memory: str, folder: Path | None
) -> dict[str, str]:
    """Exact inference of the same layers; with a folder, features in between lie there."""
    graph = _graph(num_nodes, num_edges)
    x = torch.randn(num_nodes, FEATURES)
    model = PaperGAT(FEATURES, 16, CLASSES, num_layers=3).eval()
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before, start = resident(), time.perf_counter()
    infer(model, x, graph, max_memory=max_memory, folder=folder)
    seconds, added = time.perf_counter() - start, peak() - before
    where = "in memory" if folder is None else "on disk"
    name = f"inference within {max_memory}, features between layers {where}"
    return {name: f"{seconds:.1f} s, +{added / GB:.2f} GB"}


def _graph(num_nodes: int, num_edges: int) -> CSRGraph:
    return CSRGraph.from_edge_index(rmat(num_nodes, num_edges, dtype=torch.int32), num_nodes)


def main(arguments: list[str] | None = None) -> None:
    """Measures and prints a table; what fails is a row that says so.

    Args:
        arguments (list, optional): Of the command line.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.large", description=__doc__)
    parser.add_argument("--nodes", type=int, default=2_400_000)
    parser.add_argument("--edges", type=int, default=124_000_000)
    parser.add_argument("--budgets", nargs="*", default=["8GB", "2GB"], help="of inference")
    parser.add_argument("--memory-limit", type=float, default=20.0, help="GB of a process")
    parser.add_argument("--time-limit", type=float, default=1800.0, help="seconds of a process")
    parser.add_argument("--out", type=Path, default=Path("runs/large"))
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    size = options.nodes, options.edges
    measurements: dict[str, Callable[..., dict[str, str]]] = {
        "structure": structure,
        "sampling": sampling,
        "step, gatsparse": partial(full_batch, conv=GATConv),
        "step, PyG": partial(full_batch, conv=torch_geometric.nn.GATConv),
    }
    for k, budget in enumerate(options.budgets):
        folder = options.out / f"layers-{budget}" if k > 0 else None
        measurements[f"inference within {budget}"] = partial(
            inference, max_memory=budget, folder=folder
        )
    title = f"# Large graphs: R-MAT, {size[0]:,} nodes, {size[1]:,} edges"
    lines = [title, "", *machine(environment(None)), ""]
    rows: list[list[str]] = []
    calls = [
        Call(function, size, options.memory_limit, options.time_limit, options.out / f"{k}.log")
        for k, function in enumerate(measurements.values())
    ]
    for name, (_, outcome) in zip(measurements, isolated(calls), strict=True):
        found = outcome.value if outcome.status == "ok" else {name: f"failed: {outcome.detail}"}
        rows += [[key, value] for key, value in found.items()]
        print(*rows[-len(found) :], sep="\n", flush=True)
    lines += markdown_table(["what", "measured"], rows)
    (options.out / "report.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
