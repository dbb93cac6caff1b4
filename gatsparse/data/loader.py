"""PyG's loaders on our sampler: batches whose structure the layers find ready."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import blake2b
from typing import Any

import torch
from torch_geometric.data import Data, HeteroData
from torch_geometric.loader import LinkLoader, NodeLoader
from torch_geometric.sampler import NumNeighbors
from torch_geometric.sampler.base import SubgraphType
from torch_geometric.typing import EdgeType

from gatsparse.adjacency import remember
from gatsparse.data.sampled import SampledHeteroNodes, SampledNodes
from gatsparse.data.sampler import NeighborSampler
from gatsparse.data.sampler_graphs import GraphData
from gatsparse.graph import CSRGraph


class _Ready:
    """What our loaders do beside PyG's: a seed for every batch, which depends on the epoch and on
    what is in the batch, not on who makes it; its structure; then the caller's transform.
    """

    _sampler: Any
    _transform: Callable[[Any], Any] | None
    _transform_output: Callable[[Any], Any] | None
    _epoch: int | None = None
    _seen: Counter[bytes]

    def __iter__(self) -> Iterator[Any]:
        if isinstance(self._sampler, NeighborSampler):
            self._epoch, self._seen = self._sampler.draw_seed(), Counter()
        return self._batches()

    def _batches(self) -> Iterator[Any]:
        return super().__iter__()  # pyright: ignore[reportAttributeAccessIssue]

    def collate_fn(self, index: Any) -> Any:
        return self._collate(index, self._seed_of(index))

    def _seed_of(self, index: Any) -> int | None:
        """Another one each time that the same batch comes."""
        if self._epoch is None:  # a call before any epoch, or a sampler that is not ours
            return None
        content = torch.as_tensor(index, dtype=torch.int64).numpy().tobytes()
        key = blake2b(content, digest_size=8).digest()
        self._seen[key] += 1
        digest = blake2b(f"{self._epoch} {self._seen[key]}".encode() + key, digest_size=8)
        return int.from_bytes(digest.digest(), "little") >> 1

    def _collate(self, index: Any, seed: int | None) -> Any:
        collate: Any = super().collate_fn  # pyright: ignore[reportAttributeAccessIssue]
        if seed is None:
            return collate(index)
        with self._sampler.using(seed):
            return collate(index)

    def filter_fn(self, out: Any) -> Any:
        if self._transform_output is not None:
            out = self._transform_output(out)
        batch = super().filter_fn(out)  # pyright: ignore[reportAttributeAccessIssue]
        if isinstance(out, SampledNodes) and out.graph is not None and "edge_index" in batch:
            remember(batch.edge_index, out.graph)
        elif isinstance(out, SampledHeteroNodes):
            for edge_type, graph in out.graph.items():
                if "edge_index" in batch[edge_type]:
                    remember(batch[edge_type].edge_index, graph)
        return batch if self._transform is None else self._transform(batch)


def _sampler_of(
    data: Any,
    num_neighbors: Any,
    options: dict[str, Any],
    neighbor_sampler: NeighborSampler | None,
    *,
    replace: bool,
    subgraph_type: SubgraphType | str,
    seed: int | None,
) -> NeighborSampler:
    """The sampler of a loader, by PyG's arguments.

    Raises:
        ValueError: If one of them asks for what there is not.
    """
    for name, default in (
        ("input_time", None),
        ("edge_label_time", None),
        ("disjoint", False),
        ("time_attr", None),
        ("weight_attr", None),
        ("temporal_strategy", "uniform"),
        ("directed", True),
    ):
        if (value := options.pop(name, default)) != default:
            raise ValueError(f"{name}: expected {default!r}, which is all there is, got {value!r}")
    if isinstance(data, CSRGraph):
        raise TypeError("data: expected Data, HeteroData or a pair of stores, got CSRGraph")
    options.pop("is_sorted", None)  # sorting what is sorted is cheap
    if neighbor_sampler is not None:
        return neighbor_sampler
    return NeighborSampler(data, num_neighbors, subgraph_type, replace, seed)


class NeighborLoader(_Ready, NodeLoader):
    r"""Mini-batches of sampled neighbourhoods, with the arguments of
    :class:`torch_geometric.loader.NeighborLoader`, which needs pyg-lib or torch-sparse.

    The edges of a batch stand by destination, and the layers of gatsparse find its structure
    built; PyG's layers take the same batches. Features may be a memory map: see
    :func:`gatsparse.data.open_features`.

    Args:
        data (Data, HeteroData or tuple): As of PyG's loader.
        num_neighbors (list or dict): In-edges of each node in each hop, ``-1`` for all.
        input_nodes (optional): As of PyG's loader: the seeds.
        replace (bool, optional): Whether an edge may be drawn again.
        subgraph_type (str, optional): As of :class:`NeighborSampler`.
        transform (callable, optional): Called with every batch.
        neighbor_sampler (NeighborSampler, optional): Takes the place of a new one.
        seed (int, optional): Of the sampler. (default: it draws from torch's generator)
        prefetch (int, optional): Batches that threads prepare while one is computed with, which
            pays where features come from disk. Not beside ``num_workers``.
        **kwargs (optional): As of PyG's loader and :class:`torch.utils.data.DataLoader`, such as
            :obj:`batch_size`, :obj:`shuffle`, :obj:`num_workers`.

    The batches of a seed are the same for any number of threads, of processes and any
    :obj:`prefetch`; but the same seeds that come twice in an epoch draw alike in two processes.
    Batches that worker processes filter come without their structure, which a layer then builds:
    ``filter_per_worker=False`` keeps it.

    Raises:
        ValueError: If an argument asks for what there is not (sampling by time or by weight,
            disjoint samples), or :obj:`prefetch` is negative or beside ``num_workers``.
        ImportError, TypeError: As :class:`NeighborSampler`.
    """

    def __init__(
        self,
        data: GraphData,
        num_neighbors: list[int] | dict[EdgeType, list[int]] | NumNeighbors,
        input_nodes: Any = None,
        *,
        replace: bool = False,
        subgraph_type: SubgraphType | str = "directional",
        transform: Callable[[Data | HeteroData], Any] | None = None,
        neighbor_sampler: NeighborSampler | None = None,
        seed: int | None = None,
        prefetch: int = 0,
        **kwargs: Any,
    ) -> None:
        if prefetch < 0 or (prefetch > 0 and kwargs.get("num_workers", 0) > 0):
            raise ValueError(
                f"prefetch: expected >= 0, and 0 beside num_workers, got {prefetch} "
                f"beside num_workers={kwargs.get('num_workers', 0)}"
            )
        self._sampler = _sampler_of(
            data,
            num_neighbors,
            kwargs,
            neighbor_sampler,
            replace=replace,
            subgraph_type=subgraph_type,
            seed=seed,
        )
        self._transform = transform
        self._transform_output = kwargs.pop("transform_sampler_output", None)
        self.prefetch = prefetch
        super().__init__(data, self._sampler, input_nodes, **kwargs)  # pyright: ignore[reportArgumentType]

    def _batches(self) -> Iterator[Any]:
        return self._prefetched() if self.prefetch > 0 else super()._batches()

    def _prepare(self, index: Any, seed: int | None) -> Any:
        out = self._collate(index, seed)
        return out if self.filter_per_worker else self.filter_fn(out)

    def _prefetched(self) -> Iterator[Any]:
        # As the iterator of DataLoader, that the order of a shuffle is the same.
        torch.empty((), dtype=torch.int64).random_(generator=self.generator)
        waiting: deque[Future[Any]] = deque()
        batches: Any = self.batch_sampler
        threads = ThreadPoolExecutor(self.prefetch, thread_name_prefix="gatsparse-batches")
        try:
            for index in batches:
                waiting.append(threads.submit(self._prepare, index, self._seed_of(index)))
                if len(waiting) > self.prefetch:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            threads.shutdown(cancel_futures=True)


class LinkNeighborLoader(_Ready, LinkLoader):
    r"""Mini-batches of the neighbourhoods of edges, with the arguments of
    :class:`torch_geometric.loader.LinkNeighborLoader`.

    Args:
        data (Data, HeteroData or tuple): As of PyG's loader.
        num_neighbors (list or dict): In-edges of each node in each hop, ``-1`` for all.
        edge_label_index, edge_label, neg_sampling (optional): As of PyG's loader.
        replace, subgraph_type, transform, neighbor_sampler, seed (optional): As of
            :class:`NeighborLoader`.
        **kwargs (optional): As of PyG's loader and :class:`torch.utils.data.DataLoader`.

    Raises:
        ValueError: If an argument asks for what there is not.
        ImportError, TypeError: As :class:`NeighborSampler`.
    """

    def __init__(
        self,
        data: GraphData,
        num_neighbors: list[int] | dict[EdgeType, list[int]] | NumNeighbors,
        edge_label_index: Any = None,
        edge_label: Any = None,
        *,
        replace: bool = False,
        subgraph_type: SubgraphType | str = "directional",
        neg_sampling: Any = None,
        transform: Callable[[Data | HeteroData], Any] | None = None,
        neighbor_sampler: NeighborSampler | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        self._sampler = _sampler_of(
            data,
            num_neighbors,
            kwargs,
            neighbor_sampler,
            replace=replace,
            subgraph_type=subgraph_type,
            seed=seed,
        )
        self._transform = transform
        self._transform_output = kwargs.pop("transform_sampler_output", None)
        super().__init__(
            data,  # pyright: ignore[reportArgumentType]
            self._sampler,
            edge_label_index,
            edge_label,
            neg_sampling=neg_sampling,
            **kwargs,
        )
