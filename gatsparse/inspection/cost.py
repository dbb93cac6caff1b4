"""Memory and time that a training would take."""

from __future__ import annotations

import time
from copy import copy
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.utils import index_to_mask

from gatsparse.train import TrainConfig, build_model, build_optimizer, fit
from gatsparse.train.memory import estimate
from gatsparse.train.objectives.build import build_objective
from gatsparse.train.sampled import SampledNodes
from gatsparse.train.task import checked_task
from gatsparse.train.threads import torch_threads

_MOST_EDGES = 4_000_000  # of the graph on which times are measured
_EPOCHS = 4
_BATCHES = 3


@dataclass(frozen=True)
class Cost:
    """Cost of a training of one seed.

    Args:
        memory (int): Bytes in addition to the data.
        epoch_seconds (float, optional): Seconds of an epoch, with its validation; None for link
            prediction, which is not timed.
    """

    memory: int
    epoch_seconds: float | None


def training_cost(config: TrainConfig, data: Data) -> Cost:
    """Returns the memory and the time of a training, from a few steps.

    Steps on batches are taken from :obj:`data`. Steps on the whole graph, and the validation, are
    timed on a random graph with the features and the mean degree of :obj:`data`; a large one has a
    few million edges, and its times are multiplied.

    Args:
        config (TrainConfig): The configuration.
        data (torch_geometric.data.Data): Data of :func:`gatsparse.train.task_of_seed`.
    """
    if config.task == "link_prediction":
        return Cost(estimate(config, data), None)
    memory = estimate(config, data)
    # Metrics and weights that are defined for the labels of any nodes.
    metric = "mae" if config.task == "regression" else None
    config = replace(config, metric=metric, class_weights=None)
    share = min(1.0, _MOST_EDGES / max(data.num_edges, 1))
    small = data if share == 1 else _random_graph(data, share)
    with torch_threads(config.threads), torch.random.fork_rng(devices=[]):
        if config.mode == "full":
            seconds = _epoch_seconds(config, small) / share
        else:
            batches = -(-int(data.train_mask.sum()) // config.sampling.batch_size)
            seconds = batches * _batch_seconds(config, data)
            seconds += _validation_seconds(config, small) / share
    return Cost(memory, seconds)


def _epoch_seconds(config: TrainConfig, data: Data) -> float:
    config = replace(config, epochs=_EPOCHS, patience=_EPOCHS)
    times = [time.perf_counter()]
    model = build_model(config.model, data, config.task)
    fit(model, data, config, on_epoch=lambda _: times.append(time.perf_counter()))
    return median(after - before for before, after in pairwise(times[1:]))


def _batch_seconds(config: TrainConfig, data: Data) -> float:
    some = copy(data)
    nodes = data.train_mask.nonzero().squeeze(1)[: _BATCHES * config.sampling.batch_size]
    some.train_mask = index_to_mask(nodes, len(data.train_mask))
    work = _sampled(config, some)
    work.epoch()  # the first allocates memory
    start = time.perf_counter()
    work.epoch()
    return (time.perf_counter() - start) / -(-len(nodes) // config.sampling.batch_size)


def _validation_seconds(config: TrainConfig, data: Data) -> float:
    work = _sampled(config, data)
    start = time.perf_counter()
    work.outputs()
    return time.perf_counter() - start


def _sampled(config: TrainConfig, data: Data) -> SampledNodes:
    data = checked_task(data, config.task, config.chosen_metric)
    model = build_model(config.model, data, config.task)
    optimizer = build_optimizer(config.optim, model)
    return SampledNodes(model, data, optimizer, build_objective(config, data), config.sampling)


def _random_graph(data: Data, share: float) -> Data:
    """A random graph with a share of the nodes and edges of :obj:`data`."""
    x, y = data["x"], data["y"]
    labelled = (data.train_mask | data.val_mask | data.test_mask).nonzero().squeeze(1)
    count, num_edges = max(int(share * len(x)), 3), int(share * data.num_edges)
    order = torch.arange(count)
    generator = torch.Generator().manual_seed(0)
    graph = Data(
        x=_first_rows(x, count),
        y=y[labelled[order % len(labelled)]],
        edge_index=torch.randint(count, (2, num_edges), generator=generator),
        train_mask=order < max(min(int(share * int(data.train_mask.sum())), count - 2), 1),
    )
    graph.val_mask = graph.test_mask = ~graph.train_mask
    if data.edge_attr is not None:
        graph.edge_attr = data.edge_attr[:num_edges]
    return graph


def _first_rows(x: Tensor, count: int) -> Tensor:
    if x.layout == torch.strided:
        return x[:count].clone()
    ptr = x.crow_indices()[: count + 1]
    col, values = x.col_indices()[: ptr[-1]], x.values()[: ptr[-1]]
    return torch.sparse_csr_tensor(ptr, col, values, (count, x.size(1)), check_invariants=True)
