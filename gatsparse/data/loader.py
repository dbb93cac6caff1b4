"""PyG's loaders with gatsparse's sampler, which also builds the CSR graph of each batch."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import blake2b
from typing import Any

import torch
import torch_geometric.loader
from torch import Tensor
from torch_geometric.data import Data, HeteroData
from torch_geometric.sampler import NumNeighbors
from torch_geometric.sampler.base import SubgraphType
from torch_geometric.typing import EdgeType

from gatsparse.adjacency import remember
from gatsparse.checks import check_integer
from gatsparse.data.sampled import SampledHeteroNodes, SampledNodes
from gatsparse.data.sampler import NeighborSampler
from gatsparse.data.sampler_graphs import GraphData
from gatsparse.graph import CSRGraph


class _Ready:
    """Mixin of gatsparse's loaders. Each batch has a seed, which depends on the epoch and the
    content of the batch, not on the process that makes it; layers find its CSR graph in the cache.
    """

    _sampler: Any
    num_workers: int
    _transform: Callable[[Any], Any] | None
    _transform_output: Callable[[Any], Any] | None
    # Number and seed of the epoch, in shared memory: persistent worker processes see the changes.
    _epoch: Tensor | None = None
    _seen: tuple[int, Counter[bytes]] = 0, Counter()

    def __iter__(self) -> Iterator[Any]:
        if isinstance(self._sampler, NeighborSampler):
            if self._epoch is None:
                epoch = torch.zeros(2, dtype=torch.int64)
                self._epoch = epoch.share_memory_() if self.num_workers > 0 else epoch
            self._epoch[0] += 1
            self._epoch[1] = self._sampler.draw_seed()
        return self._batches()

    def _batches(self) -> Iterator[Any]:
        return super().__iter__()  # pyright: ignore[reportAttributeAccessIssue]

    def collate_fn(self, index: Any) -> Any:
        return self._collate(index, self._seed_of(index))

    def _seed_of(self, index: Any) -> int | None:
        """Seed of a batch; a different one for each repetition of the batch in an epoch."""
        if self._epoch is None:  # before the first epoch, or another sampler
            return None
        content = torch.as_tensor(index, dtype=torch.int64).numpy().tobytes()
        key = blake2b(content, digest_size=8).digest()
        number, epoch_seed = self._epoch.tolist()
        if self._seen[0] != number:
            self._seen = number, Counter()
        seen = self._seen[1]
        seen[key] += 1
        digest = blake2b(f"{epoch_seed} {seen[key]}".encode() + key, digest_size=8)
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
        if isinstance(out, SampledNodes):
            if "edge_index" in batch and (graph := out.graph) is not None:
                remember(batch.edge_index, graph)
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
    """Returns the sampler of a loader from PyG's arguments.

    Raises:
        TypeError: If PyG's loaders do not support :obj:`data`.
        ValueError: If an option is not supported, or contradicts :obj:`neighbor_sampler`.
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
            hint = "; use subgraph_type='induced'" if name == "directed" else ""
            raise ValueError(f"{name}: only {default!r} is supported, got {value!r}{hint}")
    if isinstance(data, CSRGraph):
        raise TypeError("data: expected Data, HeteroData or a pair of stores, got CSRGraph")
    for store in data.edge_stores if isinstance(data, (Data, HeteroData)) else ():
        if isinstance(store.get("adj_t"), Tensor):
            raise TypeError(
                "data: expected edge_index, or a SparseTensor as adj_t, got a torch.sparse adj_t, "
                "which PyG's loaders do not support: set edge_index and remove adj_t"
            )
    options.pop("is_sorted", None)  # has no effect: the graph is always sorted
    if neighbor_sampler is not None:
        subgraph_type = SubgraphType(subgraph_type).value
        for name, value, default in (
            ("replace", replace, False),
            ("subgraph_type", subgraph_type, "directional"),
            ("seed", seed, None),
        ):
            if value != default:
                raise ValueError(
                    f"{name}: expected {default!r} with a neighbor_sampler, whose own value is "
                    f"used, got {value!r}"
                )
        return neighbor_sampler
    return NeighborSampler(data, num_neighbors, subgraph_type, replace, seed)


def _check_nodes(data: GraphData, input_nodes: Any) -> None:
    """Raises if :obj:`input_nodes` of homogeneous data are neither indices nor a mask. PyG rounds
    floats and accepts masks of any length.
    """
    if not isinstance(data, Data) or input_nodes is None:
        return
    try:
        nodes = torch.as_tensor(input_nodes)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(
            f"input_nodes: expected indices or a mask, got {type(input_nodes).__name__}"
        ) from error
    if nodes.is_floating_point() or nodes.is_complex():
        raise TypeError(f"input_nodes: expected indices or a mask, got {nodes.dtype}")
    mask = nodes.dtype == torch.bool
    if nodes.dim() != 1 or (mask and nodes.numel() != data.num_nodes):
        expected = f"[{data.num_nodes}]" if mask else "[K]"
        raise ValueError(f"input_nodes: expected shape {expected}, got {list(nodes.shape)}")


class NeighborLoader(_Ready, torch_geometric.loader.NeighborLoader):
    r"""Mini-batches of sampled neighbourhoods, with the arguments of
    :class:`torch_geometric.loader.NeighborLoader`, which needs pyg-lib or torch-sparse.

    The edges of a batch are sorted by destination, and its CSR graph is built in advance. PyG's
    layers accept the same batches. Features may be a memory map: see
    :func:`gatsparse.data.open_features`. With ``num_neighbors=[-1]`` the loader works
    with ``model.inference(loader)`` of PyG's models.

    Args:
        data (Data, HeteroData or tuple): As in PyG's loader.
        num_neighbors (list or dict): In-edges of each node in each hop, ``-1`` for all.
        input_nodes (optional): As in PyG's loader: the seeds.
        replace (bool, optional): Whether to sample with replacement.
        subgraph_type (str, optional): As in :class:`NeighborSampler`.
        transform (callable, optional): Called with every batch.
        neighbor_sampler (NeighborSampler, optional): Used instead of a new one; its options
            replace :obj:`num_neighbors`, as in PyG.
        seed (int, optional): Seed of the sampler. (default: torch's generator)
        prefetch (int, optional): Number of batches that threads prepare in advance, for features
            on disk. Cannot be combined with ``num_workers``.
        **kwargs (optional): As in PyG's loader and :class:`torch.utils.data.DataLoader`, such as
            :obj:`batch_size`, :obj:`shuffle`, :obj:`num_workers`.

    With a :obj:`seed` the same nodes in the same order give the same batches, for any number of
    threads and processes and any :obj:`prefetch`. With ``shuffle=True`` their order is drawn from
    torch's generator: call :func:`torch.manual_seed`, or pass ``generator=``. If a batch occurs
    twice in an epoch, two processes draw the same sample for it.
    If worker processes filter the batches, their CSR graphs are lost and built again by the first
    layer; ``filter_per_worker=False`` keeps them. They are also lost if a batch is moved to a GPU,
    as :class:`torch_geometric.loader.PrefetchLoader` does.

    Raises:
        ValueError: If an option is not supported (temporal, weighted or disjoint sampling) or
            given in addition to :obj:`neighbor_sampler`, or :obj:`prefetch` is negative or
            combined with ``num_workers``.
        ImportError, TypeError: As in :class:`NeighborSampler`.

    Example:
        >>> from gatsparse.data import NeighborLoader, load
        >>> data = load("digits")
        >>> loader = NeighborLoader(data, [10, 5], data.train_mask, batch_size=64, shuffle=True)
        >>> batch = next(iter(loader))
        >>> batch.batch_size, batch.num_sampled_nodes[0]
        (64, 64)
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
        check_integer("prefetch", prefetch, 0)
        num_workers = kwargs.get("num_workers", 0)
        if prefetch > 0 and num_workers > 0:
            raise ValueError(
                f"prefetch: expected 0 together with worker processes, got {prefetch} and "
                f"num_workers={num_workers}"
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
        _check_nodes(data, input_nodes)
        self._transform = transform
        self._transform_output = kwargs.pop("transform_sampler_output", None)
        self.prefetch = prefetch
        super().__init__(
            data,  # pyright: ignore[reportArgumentType]
            num_neighbors,  # pyright: ignore[reportArgumentType]
            input_nodes,
            neighbor_sampler=self._sampler,  # pyright: ignore[reportArgumentType]
            **kwargs,
        )

    def _batches(self) -> Iterator[Any]:
        return self._prefetched() if self.prefetch > 0 else super()._batches()

    def _prepare(self, index: Any, seed: int | None) -> Any:
        out = self._collate(index, seed)
        return out if self.filter_per_worker else self.filter_fn(out)

    def _prefetched(self) -> Iterator[Any]:
        # DataLoader's iterator draws it, too: shuffling then gives the same order.
        torch.empty((), dtype=torch.int64).random_(generator=self.generator)
        waiting: deque[Future[Any]] = deque()
        batches: Any = self._index_sampler
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


class LinkNeighborLoader(_Ready, torch_geometric.loader.LinkNeighborLoader):
    r"""Mini-batches of the neighbourhoods of edges, with the arguments of
    :class:`torch_geometric.loader.LinkNeighborLoader`.

    Args:
        data (Data, HeteroData or tuple): As in PyG's loader.
        num_neighbors (list or dict): In-edges of each node in each hop, ``-1`` for all.
        edge_label_index, edge_label, neg_sampling (optional): As in PyG's loader.
        replace, subgraph_type, transform, neighbor_sampler, seed (optional): As in
            :class:`NeighborLoader`.
        **kwargs (optional): As in PyG's loader and :class:`torch.utils.data.DataLoader`.

    Raises:
        ValueError: If an option is not supported, or given in addition to
            :obj:`neighbor_sampler`.
        ImportError, TypeError: As in :class:`NeighborSampler`.

    Example:
        >>> from gatsparse.data import LinkNeighborLoader, load
        >>> data = load("digits")
        >>> loader = LinkNeighborLoader(data, [10], data.edge_index[:, :100], batch_size=20)
        >>> next(iter(loader)).edge_label_index.shape
        torch.Size([2, 20])
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
            num_neighbors,  # pyright: ignore[reportArgumentType]
            edge_label_index,
            edge_label,
            neg_sampling=neg_sampling,
            neighbor_sampler=self._sampler,  # pyright: ignore[reportArgumentType]
            **kwargs,
        )
