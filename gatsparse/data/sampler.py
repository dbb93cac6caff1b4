"""Neighbour sampling behind PyG's sampler interface."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch_geometric.data import Data, FeatureStore, GraphStore, HeteroData
from torch_geometric.sampler import (
    BaseSampler,
    EdgeSamplerInput,
    HeteroSamplerOutput,
    NegativeSampling,
    NodeSamplerInput,
    SamplerOutput,
)
from torch_geometric.sampler.base import NumNeighbors, SubgraphType
from torch_geometric.sampler.neighbor_sampler import edge_sample, node_sample
from torch_geometric.typing import EdgeType

from gatsparse import _native
from gatsparse.adjacency import as_graph
from gatsparse.graph import CSR, CSRGraph, recordable
from gatsparse.ops.philox import draw_seed

_native.LIBRARY.define(
    "neighbor_sample(Tensor[] csr, Tensor dst, int num_neighbors, bool replace, int seed, int hop)"
    " -> Tensor[]"
)
_native.LIBRARY.define("relabel(Tensor node, int next, Tensor(a!) local) -> Tensor[]")

#: What holds a graph for a sampler.
GraphData: TypeAlias = "Data | HeteroData | tuple[FeatureStore, GraphStore] | CSRGraph"

#: ``(source type, relation, destination type)``; of a graph of one type ``("", "", "")``.
_ONE_TYPE = ("", "", "")


@dataclass(frozen=True)
class _Built:
    """A structure, and the edges that it is of."""

    graph: CSRGraph
    row: Tensor
    col: Tensor
    versions: tuple[int, ...] | None

    def __reduce__(self) -> tuple[Any, ...]:
        """Versions are counted anew in another process."""
        if self.of(self.row, self.col):
            return _build, (self.graph, self.row, self.col)
        return _Built, (self.graph, self.row, self.col, (-1,))

    def of(self, row: Tensor | None, col: Tensor | None) -> bool:
        """Whether these are the edges, unchanged."""
        return (
            row is self.row and col is self.col and self.versions == _versions(self.row, self.col)
        )


def _build(graph: CSRGraph, row: Tensor, col: Tensor) -> _Built:
    return _Built(graph, row, col, _versions(row, col))


def _versions(*tensors: Tensor) -> tuple[int, ...] | None:
    """How often they were written; None where that is not counted."""
    if any(tensor.is_inference() for tensor in tensors):
        return None
    return tuple(tensor._version for tensor in tensors)


@dataclass
class SampledNodes(SamplerOutput):
    """What was sampled, and the structure of its edges, which stand by destination.

    Args:
        built (tuple, optional): The structure, and the edges that it is of.
    """

    built: _Built | None = None

    @property
    def graph(self) -> CSRGraph | None:
        """The structure; None where the edges are others by now."""
        if self.built is None or not self.built.of(self.row, self.col):
            return None
        return self.built.graph


@dataclass
class SampledHeteroNodes(HeteroSamplerOutput):
    """What was sampled of several types, and the structure of every edge type."""

    built: dict[EdgeType, _Built] = field(default_factory=dict)

    @property
    def graph(self) -> dict[EdgeType, CSRGraph]:
        """The structures of the edge types whose edges are not others by now."""
        return {
            key: built.graph
            for key, built in self.built.items()
            if built.of(self.row.get(key), self.col.get(key))
        }


class NeighborSampler(BaseSampler):
    r"""Samples the in-edges of nodes hop by hop, as
    :class:`torch_geometric.sampler.NeighborSampler` does, which needs pyg-lib or torch-sparse.

    Hamilton et al., `"Inductive Representation Learning on Large Graphs"
    <https://arxiv.org/abs/1706.02216>`_, NeurIPS 2017. In hop :math:`h`, every node that the hop
    before met first draws :obj:`num_neighbors[h]` of its in-edges, every subset of that size with
    the same probability; with replacement, every edge each time. Nodes stand in the order in which
    they were met, seeds first, and edges by destination. An edge id is its position in the
    caller's :obj:`edge_index`.

    It serves any of PyG's loaders: ``NodeLoader(data, node_sampler=...)``,
    ``LinkLoader(data, link_sampler=...)``; :class:`gatsparse.data.NeighborLoader` makes one.
    Several threads may use one sampler at a time.

    Args:
        data (Data, HeteroData, tuple or CSRGraph): Where the edges are: :obj:`edge_index` or
            :obj:`adj_t`, or a ``(FeatureStore, GraphStore)`` pair.
        num_neighbors (list, dict or NumNeighbors): In-edges of each node in each hop, ``-1`` for
            all; a list for all edge types, or one for each.
        subgraph_type (str, optional): ``"directional"``, the sampled edges; ``"bidirectional"``,
            and their reverse; or ``"induced"``, all edges between the sampled nodes.
        replace (bool, optional): Whether an edge may be drawn again.
        seed (int, optional): Of a generator of its own. (default: draws from torch's)

    The sample depends on the state of the generator alone, not on the number of threads.

    Raises:
        ImportError: If the kernels are not installed.
        TypeError: If :obj:`data` holds no graph.
        ValueError: If a number of neighbours is negative but not -1, or an edge type has none.
    """

    def __init__(
        self,
        data: GraphData,
        num_neighbors: list[int] | dict[EdgeType, list[int]] | NumNeighbors,
        subgraph_type: SubgraphType | str = "directional",
        replace: bool = False,
        seed: int | None = None,
    ) -> None:
        if not _native.available():
            raise ImportError(f"NeighborSampler: {_native.MISSING}; `gatsparse info` says more")
        self._graphs, self._num_nodes = _graphs(data)
        self.is_hetero = _ONE_TYPE not in self._graphs
        self.num_neighbors = num_neighbors
        self.subgraph_type = SubgraphType(subgraph_type)
        self.replace = replace
        self._generator = None if seed is None else torch.Generator().manual_seed(seed)
        self._thread = threading.local()
        self._lock = threading.Lock()
        self._idle: list[dict[str, Tensor]] = []

    @property
    def num_neighbors(self) -> NumNeighbors:
        """In-edges of each node in each hop."""
        return self._num_neighbors

    @num_neighbors.setter
    def num_neighbors(self, value: list[int] | dict[EdgeType, list[int]] | NumNeighbors) -> None:
        if not isinstance(value, (list, tuple, dict, NumNeighbors)):
            raise TypeError(
                "num_neighbors: expected a number for each hop, such as [15, 10], or a dict of "
                f"lists, got {value!r}"
            )
        self._hops = _hops(value, list(self._graphs))
        self._num_neighbors = value if isinstance(value, NumNeighbors) else NumNeighbors(value)

    @property
    def edge_permutation(self) -> None:
        """None: edge ids are positions in the caller's :obj:`edge_index` already."""
        return None

    def draw_seed(self) -> int:
        """The seed of one sample, from the generator."""
        if self._generator is None:
            return int(draw_seed())
        return int(torch.randint(torch.iinfo(torch.int64).max, (), generator=self._generator))

    @contextmanager
    def using(self, seed: int) -> Iterator[None]:
        """Samples of this thread have this seed, instead of one that is drawn."""
        self._thread.seed = seed
        try:
            yield
        finally:
            del self._thread.seed

    def sample_from_nodes(
        self, index: NodeSamplerInput, **_: Any
    ) -> SamplerOutput | HeteroSamplerOutput:
        """What the nodes of :obj:`index` reach.

        Raises:
            IndexError: If a node is none of the graph.
            ValueError: If it asks for sampling by time, which there is not.
        """
        return self._directed(node_sample(index, self._sample))

    def sample_from_edges(
        self, index: EdgeSamplerInput, neg_sampling: NegativeSampling | None = None
    ) -> SamplerOutput | HeteroSamplerOutput:
        """What the ends of the edges of :obj:`index` reach, and those of negative samples.

        Raises:
            IndexError: If a node is none of the graph.
            ValueError: If it asks for sampling by time, which there is not.
        """
        if index.time is not None:
            raise ValueError("time: expected None, as there is no sampling by time")
        num_nodes = self._num_nodes if self.is_hetero else self._num_nodes[""]
        out = edge_sample(
            index,
            self._sample,
            num_nodes,
            disjoint=False,
            node_time=None,
            neg_sampling=neg_sampling,
        )
        return self._directed(out)

    def _directed(self, out: Any) -> Any:
        if self.subgraph_type == SubgraphType.bidirectional:
            return out.to_bidirectional(keep_orig_edges=False)
        return out

    def __getstate__(self) -> dict[str, Any]:
        """For worker processes: all but what belongs to the threads of this one."""
        left_out = {"_thread", "_lock", "_idle"}
        return {key: value for key, value in vars(self).items() if key not in left_out}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _thread=threading.local(), _lock=threading.Lock(), _idle=[])

    def _sample(
        self, seed: Tensor | dict[str, Tensor], seed_time: Any = None, **_: Any
    ) -> SampledNodes | SampledHeteroNodes:
        if seed_time is not None:
            raise ValueError("input_time: expected None, as there is no sampling by time")
        seeds = seed if isinstance(seed, dict) else {"": seed}
        if unknown := seeds.keys() - self._num_nodes.keys():
            known = sorted(self._num_nodes) if self.is_hetero else "no type"
            raise ValueError(f"input_type: expected {known}, got {sorted(unknown)}")
        random = getattr(self._thread, "seed", None)
        random = self.draw_seed() if random is None else random
        walk = _Walk(self._graphs, seeds, self._take_numbers())
        for hop in range(max(map(len, self._hops.values()), default=0)):
            walk.step(hop, self._hops, self.replace, random)
        if self.subgraph_type == SubgraphType.induced:
            walk.induce()
        self._give_back(walk)  # not after an error, which may leave numbers behind
        return walk.hetero_output() if self.is_hetero else walk.output()

    def _take_numbers(self) -> dict[str, Tensor]:
        """For every node of every type -1: what a sample writes its numbers into."""
        with self._lock:
            if self._idle:
                return self._idle.pop()
        with recordable():
            return {
                key: torch.full((count,), -1, dtype=torch.int32)
                for key, count in self._num_nodes.items()
            }

    def _give_back(self, walk: _Walk) -> None:
        walk.forget()
        with self._lock:
            self._idle.append(walk.numbers)


class _Walk:
    """The nodes and edges that one sample has met.

    Args:
        graphs (dict): The graph of every edge type.
        seeds (dict): int64 ``[B]`` by node type, where it begins.
        numbers (dict): int32 ``[N]`` of -1 by node type; then the local number of each node.
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
        self.count = {key: nodes[0].numel() for key, nodes in self.nodes.items()}
        self.counts = {key: [count] for key, count in self.count.items()}
        self.ptr: dict[EdgeType, list[Tensor]] = {key: [] for key in graphs}
        self.row: dict[EdgeType, list[Tensor]] = {key: [] for key in graphs}
        self.edge: dict[EdgeType, list[Tensor]] = {key: [] for key in graphs}
        for key, (nodes,) in self.nodes.items():
            self._number_seeds(key, nodes)

    def _number_seeds(self, key: str, nodes: Tensor) -> None:
        _check_nodes(nodes, self.numbers[key].numel())
        number, unique = torch.ops.gatsparse.relabel(nodes, 0, self.numbers[key])
        if unique.numel() < nodes.numel():  # a node that stands twice is known by its first place
            first = torch.full_like(unique, nodes.numel())
            first.scatter_reduce_(0, number, torch.arange(nodes.numel()), "amin")
            self.numbers[key][unique] = first.int()

    def step(
        self, hop: int, num_neighbors: dict[EdgeType, list[int]], replace: bool, seed: int
    ) -> None:
        """Goes on from the nodes that the hop before met first."""
        frontier = {key: nodes[-1] for key, nodes in self.nodes.items()}
        new = {key: [nodes[:0]] for key, nodes in frontier.items()}
        for k, (edge_type, graph) in enumerate(self.graphs.items()):
            src, _, dst = edge_type
            draw = hop * len(self.graphs) + k
            ptr, source, edge = torch.ops.gatsparse.neighbor_sample(
                list(graph.csr), frontier[dst], num_neighbors[edge_type][hop], replace, seed, draw
            )
            row, met = torch.ops.gatsparse.relabel(source, self.count[src], self.numbers[src])
            self.count[src] += met.numel()
            new[src].append(met)
            self.ptr[edge_type].append(ptr)
            self.row[edge_type].append(row)
            self.edge[edge_type].append(edge)
        for key, met in new.items():
            self.nodes[key].append(torch.cat(met))
            self.counts[key].append(self.nodes[key][-1].numel())

    def induce(self) -> None:
        """Takes all edges between the nodes that were met, in place of those on the way."""
        for edge_type, graph in self.graphs.items():
            src, _, dst = edge_type
            ptr, source, edge = torch.ops.gatsparse.neighbor_sample(
                list(graph.csr), torch.cat(self.nodes[dst]), -1, False, 0, 0
            )
            row = self.numbers[src][source].long()
            inside = row >= 0
            kept = torch.cat([inside.new_zeros(1, dtype=torch.int64), inside.cumsum(0)])
            self.ptr[edge_type] = [kept[ptr]]
            self.row[edge_type], self.edge[edge_type] = [row[inside]], [edge[inside]]

    def forget(self) -> None:
        """Leaves the numbers as they were before."""
        for key, nodes in self.nodes.items():
            for part in nodes:
                self.numbers[key][part] = -1

    def _graph(self, edge_type: EdgeType) -> CSRGraph:
        """The sampled edges of a type, between local nodes."""
        src, _, dst = edge_type
        num_dst, ends, total = self.count[dst], [torch.zeros(1, dtype=torch.int64)], 0
        for ptr in self.ptr[edge_type]:
            ends.append(ptr[1:] + total)
            total += int(ptr[-1])
        rest = num_dst + 1 - sum(part.numel() for part in ends)  # met in the last hop
        ends.append(torch.full((rest,), total))
        dtype = torch.int32 if total <= torch.iinfo(torch.int32).max else torch.int64
        other = _cat(self.row[edge_type]).to(dtype)
        return CSRGraph(
            CSR(torch.cat(ends), other, torch.arange(total, dtype=dtype)), self.count[src]
        )

    def output(self) -> SampledNodes:
        """Of one node and one edge type."""
        graph = self._graph(_ONE_TYPE)
        row, col = _cat(self.row[_ONE_TYPE]), graph.csr.row()
        return SampledNodes(
            node=torch.cat(self.nodes[""]),
            row=row,
            col=col,
            edge=_cat(self.edge[_ONE_TYPE]),
            num_sampled_nodes=self.counts[""],
            num_sampled_edges=[part.numel() for part in self.row[_ONE_TYPE]],
            built=_build(graph, row, col),
        )

    def hetero_output(self) -> SampledHeteroNodes:
        """Of several types."""
        graphs = {key: self._graph(key) for key in self.graphs}
        rows = {key: _cat(parts) for key, parts in self.row.items()}
        cols = {key: graph.csr.row() for key, graph in graphs.items()}
        return SampledHeteroNodes(
            node={key: torch.cat(nodes) for key, nodes in self.nodes.items()},
            row=rows,
            col=cols,
            edge={key: _cat(edges) for key, edges in self.edge.items()},
            num_sampled_nodes=self.counts,
            num_sampled_edges={
                key: [part.numel() for part in parts] for key, parts in self.row.items()
            },
            built={key: _build(graph, rows[key], cols[key]) for key, graph in graphs.items()},
        )


def _cat(parts: list[Tensor]) -> Tensor:
    """int64, also of no parts, as there are without hops."""
    return torch.cat(parts) if parts else torch.empty(0, dtype=torch.int64)


def _hops(value: Any, edge_types: list[EdgeType]) -> dict[EdgeType, list[int]]:
    """In-edges of each node in each hop, by edge type."""
    default = value.default if isinstance(value, NumNeighbors) else None
    given = value.values if isinstance(value, NumNeighbors) else value
    if isinstance(given, dict):
        given = {
            tuple(key.split("__")) if isinstance(key, str) else key: counts
            for key, counts in given.items()
        }
        given = {
            (key[0], "to", key[1]) if len(key) == 2 else key: counts  # as PyG abbreviates it
            for key, counts in given.items()
        }
        lacks = [key for key in edge_types if key not in given and default is None]
        unknown = [key for key in given if key not in edge_types]
        if lacks or unknown or (not given and default is None):
            raise ValueError(
                f"num_neighbors: expected a list for each edge type, got none for {lacks} and one "
                f"for {unknown}, of which there is none"
            )
        hops = {key: list(given.get(key, default)) for key in edge_types}
    else:
        hops = {key: list(given) for key in edge_types}
    for counts in hops.values():
        for count in counts:
            if isinstance(count, bool) or not isinstance(count, int) or count < -1:
                raise ValueError(
                    f"num_neighbors: expected integers >= 0, or -1 for all, got {counts}"
                )
    if len({len(counts) for counts in hops.values()}) > 1:
        raise ValueError(
            f"num_neighbors: expected the same number of hops for every edge type, got {hops}"
        )
    return hops


def _check_nodes(nodes: Tensor, num_nodes: int) -> None:
    if nodes.dim() != 1:
        raise ValueError(f"index: expected nodes of shape [B], got {list(nodes.shape)}")
    if nodes.numel() > 0:
        low, high = (int(bound) for bound in nodes.aminmax())
        if low < 0 or high >= num_nodes:
            worst = low if low < 0 else high
            raise IndexError(f"index: expected nodes in 0 .. {num_nodes - 1}, got {worst}")


def _graphs(data: GraphData) -> tuple[dict[EdgeType, CSRGraph], dict[str, int]]:
    """The graph of every edge type, and the number of nodes of every node type."""
    if isinstance(data, CSRGraph):
        if data.num_src != data.num_dst:
            raise ValueError(f"data: expected a graph of one node set, got size {data.size}")
        return {_ONE_TYPE: data}, {"": data.num_dst}
    if isinstance(data, Data):
        num_nodes = data.num_nodes or 0
        return {_ONE_TYPE: as_graph(_edges(data), (num_nodes, num_nodes))}, {"": num_nodes}
    if isinstance(data, HeteroData):
        sizes = {key: data[key].num_nodes or 0 for key in data.node_types}
        for src, _, dst in data.edge_types:  # a type may be known by its edges alone
            edges = _edges(data[src, _, dst])
            for key, ends in ((src, 0), (dst, 1)):
                if key not in data.node_types and isinstance(edges, Tensor) and edges.numel() > 0:
                    sizes[key] = max(sizes.get(key, 0), int(edges[ends].max()) + 1)
                sizes.setdefault(key, 0)
        return {
            key: as_graph(_edges(data[key]), (sizes[key[0]], sizes[key[2]]))
            for key in data.edge_types
        }, sizes
    if isinstance(data, tuple) and len(data) == 2 and isinstance(data[1], GraphStore):
        return _graphs_of_store(*data)
    raise TypeError(
        "data: expected Data, HeteroData, (FeatureStore, GraphStore) or CSRGraph, "
        f"got {type(data).__name__}"
    )


def _edges(store: Any) -> Any:
    for key in ("edge_index", "adj_t"):
        if key in store:
            return store[key]
    raise TypeError("data: expected edge_index or adj_t, got neither")


def _graphs_of_store(
    feature_store: Any, graph_store: Any
) -> tuple[dict[EdgeType, CSRGraph], dict[str, int]]:
    from torch_geometric.data.remote_backend_utils import size

    edge_types = dict.fromkeys(attr.edge_type for attr in graph_store.get_all_edge_attrs())
    row, colptr, perm = graph_store.csc()  # a tensor each, or one for each type
    if set(edge_types) == {None}:
        num_nodes = _size_of_one_type(graph_store, row, colptr)
        graph = CSRGraph.from_csr(_padded(colptr, num_nodes), row, num_nodes, perm)
        return {_ONE_TYPE: graph}, {"": num_nodes}
    groups = [attr.group_name for attr in feature_store.get_all_tensor_attrs()]
    groups = [group for group in groups if isinstance(group, str)]  # the others are of edges
    types = dict.fromkeys(
        [*groups, *(key for edge_type in edge_types for key in (edge_type[0], edge_type[2]))]
    )
    sizes: dict[str, Any] = {
        key: size(feature_store, graph_store, key) or 0  # pyright: ignore[reportArgumentType]
        for key in types
    }
    return {
        key: CSRGraph.from_csr(
            _padded(colptr[key], sizes[key[2]]), row[key], sizes[key[0]], (perm or {}).get(key)
        )
        for key in edge_types
    }, sizes


def _size_of_one_type(graph_store: Any, row: Tensor, colptr: Tensor) -> int:
    """The number of nodes: as declared, else as the edges have it."""
    declared = [n for attr in graph_store.get_all_edge_attrs() for n in attr.size or ()]
    of_edges = int(row.max()) + 1 if row.numel() > 0 else 0
    return max(colptr.numel() - 1, of_edges, *(n for n in declared if n is not None), 0)


def _padded(ptr: Tensor, num_rows: int) -> Tensor:
    """With the last rows, which a store that declares no size leaves out."""
    missing = num_rows + 1 - ptr.numel()
    if missing < 0:
        raise IndexError(
            f"graph_store: expected destinations in 0 .. {num_rows - 1}, got {ptr.numel() - 2}"
        )
    return torch.cat([ptr, ptr[-1:].expand(missing)])
