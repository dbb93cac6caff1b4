"""Replacement of PyG's loader of sampled neighbourhoods."""

from __future__ import annotations

from typing import Any

import torch_geometric.loader
from torch.utils.data import RandomSampler, SequentialSampler

from gatsparse.data.loader import NeighborLoader

#: Arguments that both loaders have and keep as attributes.
_KEPT = (
    "batch_size",
    "custom_cls",
    "drop_last",
    "filter_per_worker",
    "generator",
    "input_id",
    "multiprocessing_context",
    "num_workers",
    "persistent_workers",
    "pin_memory",
    "pin_memory_device",
    "prefetch_factor",
    "timeout",
    "transform",
    "transform_sampler_output",
    "worker_init_fn",
)


def accelerate_loader(loader: Any) -> NeighborLoader:
    """Returns a :class:`NeighborLoader` with the data and the options of PyG's.

    It samples from the same distribution, with other random numbers.

    Args:
        loader (torch_geometric.loader.NeighborLoader): A loader of PyG. A loader of gatsparse is
            returned unchanged.

    Raises:
        TypeError: If :obj:`loader` is not such a loader, or is of a subclass.
        ValueError: If it has an option that gatsparse's loader does not support.

    Example:
        >>> import torch, warnings
        >>> from torch_geometric.data import Data
        >>> from torch_geometric.loader import NeighborLoader
        >>> from gatsparse.data import accelerate_loader
        >>> data = Data(x=torch.eye(3), edge_index=torch.tensor([[0, 1, 2], [1, 2, 0]]))
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")  # pyg-lib may be missing
        ...     loader = NeighborLoader(data, [2, 2], batch_size=3, subgraph_type="induced")
        >>> next(iter(accelerate_loader(loader))).num_nodes
        3
    """
    if isinstance(loader, NeighborLoader):
        return loader
    if type(loader) is not torch_geometric.loader.NeighborLoader:
        raise TypeError(
            "loader: expected a torch_geometric.loader.NeighborLoader, "
            f"got {type(loader).__module__}.{type(loader).__name__}"
        )
    sampler: Any = loader.node_sampler
    if type(sampler).__module__.partition(".")[0] != "torch_geometric":
        raise ValueError(f"loader: expected a sampler of PyG, got a {type(sampler).__name__}")
    return NeighborLoader(
        loader.data,
        sampler.num_neighbors,
        loader.input_nodes,
        input_time=loader.input_time,
        disjoint=sampler.disjoint,
        time_attr=_set_if("node_time or edge_time", sampler.node_time, sampler.edge_time),
        weight_attr=_set_if("edge_weight", sampler.edge_weight),
        replace=sampler.replace,
        subgraph_type=sampler.subgraph_type,
        **_order(loader),
        **{name: getattr(loader, name) for name in _KEPT if name != "batch_size"},
    )


def _set_if(name: str, *values: Any) -> str | None:
    """Name of an option if it is set."""
    return None if all(value is None for value in values) else name


def _order(loader: Any) -> dict[str, Any]:
    """Options that determine the batches of seeds."""
    if loader.batch_size is None:
        return {"batch_sampler": loader.batch_sampler}
    sampler = loader.sampler
    options: dict[str, Any] = {"batch_size": loader.batch_size}
    if type(sampler) is SequentialSampler:
        return options
    if type(sampler) is RandomSampler and not sampler.replacement and sampler._num_samples is None:
        return {**options, "shuffle": True}
    return {**options, "sampler": sampler}
