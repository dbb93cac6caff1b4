"""Memory and time that a training would take."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

import torch
from torch import Tensor
from torch_geometric.data import Data

from gatsparse.train import TrainConfig, build_model, fit
from gatsparse.train.memory import estimate

_MOST_EDGES = 1_000_000  # of the graph that is trained to measure its time
_EPOCHS = 4


@dataclass(frozen=True)
class Cost:
    """Cost of a training of one seed.

    Args:
        memory (int): Bytes in addition to the data.
        epoch_seconds (float): Seconds of an epoch, with its validation.
    """

    memory: int
    epoch_seconds: float


def training_cost(config: TrainConfig, data: Data) -> Cost:
    """Returns the memory and the time of a training, from a few epochs on a random graph.

    The random graph has the features, the sizes and the mean degree of :obj:`data`; a large one has
    a million edges, and its times are multiplied.

    Args:
        config (TrainConfig): The configuration.
        data (torch_geometric.data.Data): Data of :func:`gatsparse.train.task_of_seed`.
    """
    share = min(1.0, _MOST_EDGES / max(data.num_edges, 1))
    if config.mode == "full":
        small = data if share == 1 else _random_graph(data, share)
        seconds = _epoch_seconds(config, small) / share
    else:
        size = config.sampling.batch_size
        one, three = (
            _epoch_seconds(config, _random_graph(data, share, count * size)) for count in (1, 3)
        )
        batch = max(three - one, 0.0) / 2
        num_batches = -(-int(data.train_mask.sum()) // size)
        seconds = num_batches * batch + max(one - batch, 0.0) / share
    return Cost(estimate(config, data), seconds)


def _epoch_seconds(config: TrainConfig, data: Data) -> float:
    config = replace(config, epochs=_EPOCHS, patience=_EPOCHS)
    times = [time.perf_counter()]
    threads = torch.get_num_threads()
    torch.set_num_threads(config.threads)
    try:
        with torch.random.fork_rng(devices=[]):
            model = build_model(config.model, data)
            fit(model, data, config, on_epoch=lambda _: times.append(time.perf_counter()))
    finally:
        torch.set_num_threads(threads)
    return median(after - before for before, after in pairwise(times[1:]))


def _random_graph(data: Data, share: float, num_train: int | None = None) -> Data:
    """A random graph with a share of the nodes and edges of :obj:`data`.

    Args:
        data (torch_geometric.data.Data): The data.
        share (float): Share of its nodes and edges.
        num_train (int, optional): Number of training nodes. (default: the share of :obj:`data`)
    """
    x, y = data["x"], data["y"]
    labelled = (data.train_mask | data.val_mask | data.test_mask).nonzero().squeeze(1)
    train = int(share * int(data.train_mask.sum())) if num_train is None else num_train
    count = min(max(int(share * len(x)), train + 2), len(x))
    train = max(min(train, count - 2), 1)
    order = torch.arange(count)
    num_edges = int(share * data.num_edges)
    generator = torch.Generator().manual_seed(0)
    graph = Data(
        x=_first_rows(x, count),
        y=y[labelled[order % len(labelled)]],
        edge_index=torch.randint(count, (2, num_edges), generator=generator),
        train_mask=order < train,
        val_mask=order == count - 2,
        test_mask=order == count - 1,
    )
    if data.edge_attr is not None:
        graph.edge_attr = data.edge_attr[:num_edges]
    return graph


def _first_rows(x: Tensor, count: int) -> Tensor:
    if x.layout == torch.strided:
        return x[:count].clone()
    ptr = x.crow_indices()[: count + 1]
    col, values = x.col_indices()[: ptr[-1]], x.values()[: ptr[-1]]
    return torch.sparse_csr_tensor(ptr, col, values, (count, x.size(1)))
