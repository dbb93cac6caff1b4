"""Nodes and edges of one sample, collected hop by hop."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.typing import EdgeType

from gatsparse import _native
from gatsparse.data.sampled import SampledHeteroNodes, SampledNodes, build
from gatsparse.data.sampler_graphs import ONE_TYPE
from gatsparse.graph import CSRGraph
from gatsparse.graph.csr import CSR
from gatsparse.index_checks import check_range

_native.LIBRARY.define(
    "neighbor_sample(Tensor[] csr, Tensor dst, int num_neighbors, bool replace, int seed, int hop)"
    " -> Tensor[]"
)
_native.LIBRARY.define("relabel(Tensor node, int next, Tensor(a!) local) -> Tensor[]")


class Walk:
    """Nodes and edges of one sample.

    Each occurrence of a repeated seed is a separate local node and draws its own in-edges, as in
    PyG. Edges from a repeated seed start at its first occurrence, but a self-loop stays a
    self-loop: otherwise layers that replace self-loops would count it twice.

    Args:
        graphs (dict): The graph of every edge type.
        seeds (dict): int64 ``[B]`` by node type.
        numbers (dict): int32 ``[N]`` of -1 by node type; receives the local number of each node.
    """

    def __init__(
        self,
        graphs: dict[EdgeType, CSRGraph],
        seeds: dict[str, Tensor],
        numbers: dict[str, Tensor],
    ) -> None:
        self.graphs, self.numbers = graphs, numbers
        empty = torch.empty(0, dtype=torch.int64)
        self.nodes = {key: [seeds.get(key, empty).long().contiguous()] for key in numbers}
        self.repeated: set[str] = set()  # node types with a seed that occurs several times
        self.count = {key: nodes[0].numel() for key, nodes in self.nodes.items()}
        self.counts = {key: [count] for key, count in self.count.items()}
        self.induced = False
        self.ptr: dict[EdgeType, list[Tensor]] = {key: [] for key in graphs}
        self.row: dict[EdgeType, list[Tensor]] = {key: [] for key in graphs}
        self.edge: dict[EdgeType, list[Tensor]] = {key: [] for key in graphs}
        for key, (nodes,) in self.nodes.items():
            self._number_seeds(key, nodes)

    def _number_seeds(self, key: str, nodes: Tensor) -> None:
        _check_nodes(nodes, self.numbers[key].numel())
        number, unique = torch.ops.gatsparse.relabel(nodes, 0, self.numbers[key])
        if unique.numel() < nodes.numel():
            self.repeated.add(key)
            first = torch.full_like(unique, nodes.numel())
            first.scatter_reduce_(0, number, torch.arange(nodes.numel()), "amin")
            self.numbers[key][unique] = first.int()

    def step(
        self, hop: int, num_neighbors: dict[EdgeType, list[int]], replace: bool, seed: int
    ) -> None:
        """Samples in-edges of the nodes that were first reached in the previous hop."""
        frontier = {key: nodes[-1] for key, nodes in self.nodes.items()}
        new = {key: [nodes[:0]] for key, nodes in frontier.items()}
        for k, (edge_type, graph) in enumerate(self.graphs.items()):
            src, _, dst = edge_type
            draw = hop * len(self.graphs) + k
            ptr, source, edge = torch.ops.gatsparse.neighbor_sample(
                list(graph.csr), frontier[dst], num_neighbors[edge_type][hop], replace, seed, draw
            )
            row, met = torch.ops.gatsparse.relabel(source, self.count[src], self.numbers[src])
            if hop == 0 and src == dst and dst in self.repeated:
                row = _keep_self_loops(row, source, ptr, frontier[dst])
            self.count[src] += met.numel()
            new[src].append(met)
            self.ptr[edge_type].append(ptr)
            self.row[edge_type].append(row)
            self.edge[edge_type].append(edge)
        for key, met in new.items():
            self.nodes[key].append(torch.cat(met))
            self.counts[key].append(self.nodes[key][-1].numel())

    def induce(self) -> None:
        """Replaces the sampled edges by all edges between the sampled nodes."""
        self.induced = True
        for edge_type, graph in self.graphs.items():
            src, _, dst = edge_type
            nodes = torch.cat(self.nodes[dst])
            ptr, source, edge = torch.ops.gatsparse.neighbor_sample(
                list(graph.csr), nodes, -1, False, 0, 0
            )
            row = self.numbers[src][source].long()
            if src == dst and dst in self.repeated:
                row = _keep_self_loops(row, source, ptr, nodes)
            inside = row >= 0
            kept = torch.cat([inside.new_zeros(1, dtype=torch.int64), inside.cumsum(0)])
            self.ptr[edge_type] = [kept[ptr]]
            self.row[edge_type], self.edge[edge_type] = [row[inside]], [edge[inside]]

    def forget(self) -> None:
        """Resets the local numbers to -1."""
        for key, nodes in self.nodes.items():
            for part in nodes:
                self.numbers[key][part] = -1

    def _graph(self, edge_type: EdgeType) -> CSRGraph:
        """CSR graph of the sampled edges of a type, between local nodes."""
        src, _, dst = edge_type
        num_dst, ends, total = self.count[dst], [torch.zeros(1, dtype=torch.int64)], 0
        for ptr in self.ptr[edge_type]:
            ends.append(ptr[1:] + total)
            total += int(ptr[-1])
        rest = num_dst + 1 - sum(part.numel() for part in ends)  # nodes of the last hop
        ends.append(torch.full((rest,), total))
        dtype = torch.int32 if total <= torch.iinfo(torch.int32).max else torch.int64
        other = _cat(self.row[edge_type]).to(dtype)
        return CSRGraph(
            CSR(torch.cat(ends), other, torch.arange(total, dtype=dtype)), self.count[src]
        )

    def output(self) -> SampledNodes:
        """Sample of a graph with one type."""
        graph = self._graph(ONE_TYPE)
        row, col = _cat(self.row[ONE_TYPE]), graph.csr.row()
        return SampledNodes(
            node=torch.cat(self.nodes[""]),
            row=row,
            col=col,
            edge=_cat(self.edge[ONE_TYPE]),
            num_sampled_nodes=None if self.induced else self.counts[""],
            num_sampled_edges=None
            if self.induced
            else [part.numel() for part in self.row[ONE_TYPE]],
            built=build(graph, row, col),
        )

    def hetero_output(self) -> SampledHeteroNodes:
        """Sample of a graph with several types."""
        graphs = {key: self._graph(key) for key in self.graphs}
        rows = {key: _cat(parts) for key, parts in self.row.items()}
        cols = {key: graph.csr.row() for key, graph in graphs.items()}
        return SampledHeteroNodes(
            node={key: torch.cat(nodes) for key, nodes in self.nodes.items()},
            row=rows,
            col=cols,
            edge={key: _cat(edges) for key, edges in self.edge.items()},
            num_sampled_nodes=None if self.induced else self.counts,
            num_sampled_edges=None
            if self.induced
            else {key: [part.numel() for part in parts] for key, parts in self.row.items()},
            built={key: build(graph, rows[key], cols[key]) for key, graph in graphs.items()},
        )


def _cat(parts: list[Tensor]) -> Tensor:
    """Concatenates int64 tensors; the list is empty if there are no hops."""
    return torch.cat(parts) if parts else torch.empty(0, dtype=torch.int64)


def _keep_self_loops(row: Tensor, source: Tensor, ptr: Tensor, nodes: Tensor) -> Tensor:
    """Local sources of the in-edges of :obj:`nodes`; for a self-loop, the local destination.

    Args:
        row, source (Tensor): int64 ``[S]``, local and global sources.
        ptr (Tensor): int64 ``[M + 1]``, the first edge of each node.
        nodes (Tensor): int64 ``[M]``, global ids of the local nodes 0 .. M - 1.
    """
    col = torch.arange(nodes.numel()).repeat_interleave(ptr.diff())
    return torch.where(source == nodes[col], col, row)


def _check_nodes(nodes: Tensor, num_nodes: int) -> None:
    if nodes.dim() != 1:
        raise ValueError(f"index: expected nodes of shape [B], got {list(nodes.shape)}")
    check_range("index", nodes, num_nodes)
