"""The measurements, which run in separate processes and return numbers by name."""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.sampler import NodeSamplerInput
from torch_geometric.utils import trim_to_layer

from benchmarks.isolate import UnavailableError
from benchmarks.large.config import LargeConfig
from benchmarks.measure import peak, resident
from gatsparse import CSRGraph, infer
from gatsparse.data import DatasetNotFoundError, NeighborLoader, NeighborSampler, load, rmat
from gatsparse.ops import neighbor_sum
from gatsparse.train import build_gat

#: Seconds, bytes, rates and differences, by name.
Numbers = dict[str, float]


def structure(config: LargeConfig, name: str) -> Numbers:
    """CSR graph of unsorted int64 edges, its transpose, and the same by ``torch.argsort``."""
    data = _data(config, name)
    edge_index, num_nodes = data["edge_index"], data.num_nodes
    assert num_nodes is not None
    if name in config.datasets:  # their edges are sorted
        edge_index = edge_index[:, torch.randperm(edge_index.size(1))]

    def by_argsort() -> tuple[Tensor, Tensor]:
        order = torch.argsort(edge_index[1], stable=True)
        rowptr = torch.bincount(edge_index[1], minlength=num_nodes).cumsum(0)
        return rowptr, edge_index[0, order]

    def measured(function: Callable[[], Any]) -> tuple[float, float, Any]:
        """Returns seconds, bytes added, and the result."""
        _reset_peak()
        before = resident()
        seconds, result = _timed(function)
        return seconds, float(peak() - before), result

    ours, theirs = [], []
    for _ in range(3):  # interleaved; the first run of each includes page faults
        ours.append(measured(lambda: CSRGraph.from_edge_index(edge_index, num_nodes)))
        theirs.append(measured(by_argsort))
        rowptr, col = theirs[-1][2]
        assert torch.equal(col, ours[-1][2].col.long())
        assert torch.equal(rowptr, ours[-1][2].rowptr[1:])
        ours[-1], theirs[-1] = ours[-1][:2], theirs[-1][:2]
    graph = CSRGraph.from_edge_index(edge_index, num_nodes)
    transpose, _ = _timed(lambda: graph.csr_t)
    return {
        "seconds": statistics.median(seconds for seconds, _ in ours),
        "first": ours[0][0],
        "added": max(added for _, added in ours),
        "transpose": transpose,
        "argsort": statistics.median(seconds for seconds, _ in theirs),
        "argsort first": theirs[0][0],
        "argsort added": max(added for _, added in theirs),
    }


def step(config: LargeConfig, name: str, kind: str) -> Numbers:
    """Full-batch training steps; for gatsparse, also plain sums of the rows that are gathered."""
    data, model, edge_index = _task(config, name, kind)
    optimizer = torch.optim.Adam(model.parameters(), fused=True)

    def one() -> None:
        optimizer.zero_grad()
        F.cross_entropy(model(data.x, edge_index), data["y"]).backward()
        optimizer.step()

    times = [_timed(one)[0] for _ in range(config.steps)][1:]
    numbers = {"seconds": statistics.median(times), "peak": float(peak())}
    if kind == "gatsparse":
        numbers["floor"] = _floor(model, edge_index)
    return numbers


def _floor(model: Any, graph: CSRGraph) -> float:
    """Returns seconds of plain sums of the rows that a step gathers, forward and backward."""
    total = 0.0
    for conv in model.convs:
        x = torch.ones(graph.num_src, conv.heads * conv.out_channels)
        total += 2 * statistics.median(_timed(lambda: neighbor_sum(x, graph))[0] for _ in range(3))  # noqa: B023
    return total


def sampling(config: LargeConfig, name: str) -> Numbers:
    """Sampled edges per second of the sampler and of a loop in NumPy."""
    data = _data(config, name)
    graph = CSRGraph.from_edge_index(data["edge_index"], data.num_nodes)
    sampler = NeighborSampler(graph, list(config.num_neighbors), seed=0)
    batches = torch.randperm(graph.num_dst)[: config.seeds].split(config.batch_size)

    def sample() -> int:
        samples: list[Any] = [
            sampler.sample_from_nodes(NodeSamplerInput(None, batch)) for batch in batches
        ]
        return sum(sample.row.numel() for sample in samples)

    sample()
    seconds, edges = _timed(sample)
    loop, of_loop = _timed(
        lambda: _sample_by_numpy(
            graph.rowptr.numpy(), graph.col.numpy(), batches[0].numpy(), config.num_neighbors
        )
    )
    return {"seconds": seconds, "rate": edges / seconds, "loop": of_loop / loop}


def _sample_by_numpy(
    rowptr: np.ndarray, col: np.ndarray, seeds: np.ndarray, num_neighbors: tuple[int, ...]
) -> int:
    """Samples as the sampler does, node by node; returns the number of edges."""
    generator, seen, frontier, edges = np.random.default_rng(0), set(seeds), seeds, 0
    for count in num_neighbors:
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


def sampled_epoch(config: LargeConfig, name: str, kind: str) -> Numbers:
    """An epoch of sampled batches, after one batch to warm up.

    Both kinds use the batches of our sampler. PyG's layers run on the edges that ``trim_to_layer``
    leaves, as in PyG's models.
    """
    data, model, edge_index = _task(config, name, kind, as_structure=False)
    seeds = torch.randperm(data["num_nodes"])[: config.seeds]
    loader = NeighborLoader(
        Data(x=data.x, y=data.y, edge_index=edge_index),
        list(config.num_neighbors),
        seeds,
        batch_size=config.batch_size,
    )
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    forward = _trimmed_forward if kind == "pyg" else _forward

    def one(batch: Any) -> int:
        optimizer.zero_grad()
        out = forward(model, batch)[: batch.batch_size]
        F.cross_entropy(out, batch.y[: batch.batch_size]).backward()
        optimizer.step()
        return batch.edge_index.size(1)

    one(next(iter(loader)))
    seconds, edges = _timed(lambda: sum(map(one, loader)))
    drawing, _ = _timed(lambda: sum(batch.num_nodes for batch in loader))
    numbers = {"seconds": seconds, "edges": float(edges), "batches alone": drawing}
    return numbers | {"peak": float(peak())}


def _forward(model: Any, batch: Any) -> Tensor:
    return model(batch.x, batch.edge_index, batch.num_sampled_nodes)


def _trimmed_forward(model: Any, batch: Any) -> Tensor:
    x, edge_index = F.dropout(batch.x, model.dropout, model.training), batch.edge_index
    for layer, conv in enumerate(model.convs):
        x, edge_index, _ = trim_to_layer(
            layer, batch.num_sampled_nodes, batch.num_sampled_edges, x, edge_index
        )
        x = F.dropout(F.elu(x), model.dropout, model.training) if layer > 0 else x
        x = conv(x, edge_index)
    return x


def inference(
    config: LargeConfig, name: str, kind: str, budget: str, folder: Path | None
) -> Numbers:
    """Exact inference within a budget, and its difference from the model on the whole graph.

    PyG's model runs on the whole graph.
    """
    data, model, edge_index = _task(config, name, kind)
    model.eval()
    _reset_peak()
    before = resident()
    if kind == "pyg":
        with torch.no_grad():
            seconds, _ = _timed(lambda: model(data.x, edge_index))
        return {"seconds": seconds, "added": float(peak() - before)}
    assert data.x is not None
    x = data.x
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)  # no resuming of an earlier run
    seconds, out = _timed(lambda: infer(model, x, edge_index, max_memory=budget, folder=folder))
    numbers = {"seconds": seconds, "added": float(peak() - before)}
    with torch.no_grad():
        expected = model(x, edge_index)
    numbers["difference"] = ((out - expected).abs().max() / expected.abs().max()).item()
    if folder is not None:
        shutil.rmtree(folder)
    return numbers


def _data(config: LargeConfig, name: str) -> Data:
    torch.set_num_threads(config.threads)
    torch.manual_seed(0)
    if name in config.graphs:
        graph = config.graphs[name]
        return Data(edge_index=rmat(graph.num_nodes, graph.num_edges), num_nodes=graph.num_nodes)
    try:
        data = load(name, config.root)
    except DatasetNotFoundError as error:
        raise UnavailableError(str(error)) from error
    return Data(
        x=data["x"], y=data["y"], edge_index=data["edge_index"], num_nodes=data["x"].size(0)
    )


def _task(
    config: LargeConfig, name: str, kind: Any, as_structure: bool = True
) -> tuple[Data, Any, Any]:
    """Returns features and classes, a model of a kind, and the graph in its format."""
    data = _data(config, name)
    num_nodes, edge_index = data["num_nodes"], data["edge_index"]
    del data["edge_index"]
    if kind == "gatsparse" and as_structure:
        edge_index = CSRGraph.from_edge_index(edge_index, num_nodes)
    if data.x is None:
        data.x = torch.randn(num_nodes, config.in_channels)
        data.y = torch.randint(config.out_channels, (num_nodes,))
    model = build_gat(
        kind,
        data.x.size(1),
        int(data["y"].max()) + 1,
        hidden_channels=config.hidden_channels,
        heads=config.heads,
        dropout=config.dropout,
        num_layers=len(config.num_neighbors),
    )
    return data, model, edge_index


def _timed(function: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def _reset_peak() -> None:
    """Resets the peak memory of this process, where the system supports it."""
    reset = Path("/proc/self/clear_refs")
    if reset.exists():
        reset.write_text("5")
