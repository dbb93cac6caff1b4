"""Neighbour sampling behind PyG's sampler interface."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral
from typing import Any

import torch
from torch import Tensor
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
from gatsparse.checks import check_choice, check_integer
from gatsparse.data.bidirectional import bidirectional
from gatsparse.data.sampled import SampledHeteroNodes, SampledNodes
from gatsparse.data.sampler_graphs import ONE_TYPE, GraphData, graphs_of
from gatsparse.data.walk import Walk
from gatsparse.ops.philox import draw_seed
from gatsparse.tracing import recordable


class NeighborSampler(BaseSampler):
    r"""Samples the in-edges of nodes hop by hop, as
    :class:`torch_geometric.sampler.NeighborSampler` does, but without pyg-lib or torch-sparse.

    Hamilton et al., `"Inductive Representation Learning on Large Graphs"
    <https://arxiv.org/abs/1706.02216>`_, NeurIPS 2017. In hop :math:`h`, every node that was first
    reached in the previous hop draws :obj:`num_neighbors[h]` of its in-edges. All subsets of that
    size have the same probability; with replacement, edges are drawn independently. Nodes are in
    the order in which they were reached, seeds first; edges are sorted by destination. The id of
    an edge is its position in the caller's :obj:`edge_index`.

    Each occurrence of a repeated seed is a separate node of the sample with its own in-edges.
    With ``num_neighbors=[-1, ...]`` the in-edges of all seeds are those of the whole graph.

    The sampler works with any of PyG's loaders: ``NodeLoader(data, node_sampler=...)``,
    ``LinkLoader(data, link_sampler=...)``; :class:`gatsparse.data.NeighborLoader` creates one.
    Several threads may share a sampler.

    Args:
        data (Data, HeteroData, tuple or CSRGraph): Graph: an object with :obj:`edge_index` or
            :obj:`adj_t`, or a ``(FeatureStore, GraphStore)`` pair.
        num_neighbors (list, dict or NumNeighbors): In-edges of each node in each hop, ``-1`` for
            all; a list for all edge types, or one for each.
        subgraph_type (str, optional): ``"directional"``: the sampled edges; ``"bidirectional"``:
            also the reverse of each; ``"induced"``: all edges between the sampled nodes.
        replace (bool, optional): Whether to sample with replacement.
        seed (int, optional): Seed of the sampler's own generator. (default: torch's generator)

    Samples depend only on the state of the generator, not on the number of threads.

    Raises:
        ImportError: If the kernels are not installed.
        TypeError: If :obj:`data` holds no graph.
        ValueError: If a number of neighbours is below -1, or missing for an edge type.

    Example:
        >>> from torch_geometric.loader import NodeLoader
        >>> from gatsparse.data import NeighborSampler, load
        >>> data = load("digits")
        >>> sampler = NeighborSampler(data, [10, 5], seed=0)
        >>> loader = NodeLoader(data, node_sampler=sampler, batch_size=64)
        >>> next(iter(loader)).batch_size
        64
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
            raise ImportError(
                f"NeighborSampler: {_native.MISSING}; run `gatsparse info` for details"
            )
        self._graphs, self._num_nodes = graphs_of(data)
        self.is_hetero = ONE_TYPE not in self._graphs
        self.num_neighbors = num_neighbors
        if not isinstance(subgraph_type, SubgraphType):
            check_choice("subgraph_type", subgraph_type, [each.value for each in SubgraphType])
        self.subgraph_type = SubgraphType(subgraph_type)
        self.replace = replace
        if seed is not None:
            check_integer("seed", seed, -(2**63), 2**63 - 1)
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
        """None, because edge ids are positions in the caller's :obj:`edge_index`."""
        return None

    def draw_seed(self) -> int:
        """Draws the seed of one sample from the generator."""
        if self._generator is None:
            return int(draw_seed())
        return int(torch.randint(torch.iinfo(torch.int64).max, (), generator=self._generator))

    @contextmanager
    def using(self, seed: int) -> Iterator[None]:
        """Fixes the seed of the samples of this thread."""
        self._thread.seed = seed
        try:
            yield
        finally:
            del self._thread.seed

    def sample_from_nodes(
        self, index: NodeSamplerInput, **_: Any
    ) -> SamplerOutput | HeteroSamplerOutput:
        """Samples the neighbourhood of the nodes of :obj:`index`.

        Raises:
            IndexError: If a node index is out of range.
            ValueError: If times are given: temporal sampling is not supported.
        """
        return self._directed(node_sample(index, self._sample))

    def sample_from_edges(
        self, index: EdgeSamplerInput, neg_sampling: NegativeSampling | None = None
    ) -> SamplerOutput | HeteroSamplerOutput:
        """Samples the neighbourhood of the ends of edges and of negative samples.

        Raises:
            IndexError: If a node index is out of range.
            ValueError: If times are given: temporal sampling is not supported.
        """
        if index.time is not None:
            raise ValueError("time: expected None, as temporal sampling is not supported")
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
            return bidirectional(out)
        return out

    def __getstate__(self) -> dict[str, Any]:
        """State for worker processes, without locks and state of this process's threads."""
        left_out = {"_thread", "_lock", "_idle"}
        return {key: value for key, value in vars(self).items() if key not in left_out}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _thread=threading.local(), _lock=threading.Lock(), _idle=[])

    def _sample(
        self, seed: Tensor | dict[str, Tensor], seed_time: Any = None, **_: Any
    ) -> SampledNodes | SampledHeteroNodes:
        if seed_time is not None:
            raise ValueError("input_time: expected None, as temporal sampling is not supported")
        seeds = seed if isinstance(seed, dict) else {"": seed}
        if unknown := seeds.keys() - self._num_nodes.keys():
            known = sorted(self._num_nodes) if self.is_hetero else "no type"
            raise ValueError(f"input_type: expected {known}, got {sorted(unknown)}")
        random = getattr(self._thread, "seed", None)
        random = self.draw_seed() if random is None else random
        walk = Walk(self._graphs, seeds, self._take_numbers())
        for hop in range(max(map(len, self._hops.values()), default=0)):
            walk.step(hop, self._hops, self.replace, random)
        if self.subgraph_type == SubgraphType.induced:
            walk.induce()
        self._give_back(walk)  # not after an error, which may leave numbers behind
        return walk.hetero_output() if self.is_hetero else walk.output()

    def _take_numbers(self) -> dict[str, Tensor]:
        """Returns int32 ``[N]`` of -1 by node type, for the local numbers of one sample."""
        with self._lock:
            if self._idle:
                return self._idle.pop()
        with recordable():
            return {
                key: torch.full((count,), -1, dtype=torch.int32)
                for key, count in self._num_nodes.items()
            }

    def _give_back(self, walk: Walk) -> None:
        walk.forget()
        with self._lock:
            self._idle.append(walk.numbers)


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
            (key[0], "to", key[1]) if len(key) == 2 else key: counts  # PyG's abbreviation
            for key, counts in given.items()
        }
        lacks = [key for key in edge_types if key not in given and default is None]
        unknown = [key for key in given if key not in edge_types]
        if lacks or unknown or (not given and default is None):
            raise ValueError(
                f"num_neighbors: expected a list for each edge type, got no list for {lacks} and "
                f"unknown edge types {unknown}"
            )
        hops = {key: list(given.get(key, default)) for key in edge_types}
    else:
        hops = {key: list(given) for key in edge_types}
    for counts in hops.values():
        for count in counts:
            if isinstance(count, bool) or not isinstance(count, Integral) or int(count) < -1:
                raise ValueError(
                    f"num_neighbors: expected integers >= 0, or -1 for all, got {counts}"
                )
    if len({len(counts) for counts in hops.values()}) > 1:
        raise ValueError(
            f"num_neighbors: expected the same number of hops for every edge type, got {hops}"
        )
    return {key: [int(count) for count in counts] for key, counts in hops.items()}
