"""Report of the backend that computes each layer of the model of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from gatsparse.data import NeighborLoader
from gatsparse.nn import BackendReport, LayerBackend, explain_backend
from gatsparse.train.edge_inputs import edge_inputs
from gatsparse.train.models import build_model

if TYPE_CHECKING:
    from torch_geometric.data import Data

    from gatsparse.train.config import TrainConfig


def backend_report(config: TrainConfig, data: Data) -> BackendReport:
    """Runs the model of a configuration once, and reports the backend of each of its layers.

    Args:
        config (TrainConfig): The configuration.
        data (torch_geometric.data.Data): Data of :func:`~gatsparse.train.task_of_seed`; with mode
            sampled only the first batch is used.
    """
    if config.model.kind == "dense":
        return BackendReport([LayerBackend("", "DenseGAT", "dense", ("model.kind is dense",))])
    with torch.random.fork_rng(devices=[]):
        model = build_model(config.model, data, config.task)
        if config.mode == "sampled":
            sampling = config.sampling
            loader = NeighborLoader(
                data, sampling.num_neighbors, data.train_mask, batch_size=sampling.batch_size
            )
            data = next(iter(loader))
        inputs = edge_inputs(model, data)
        return explain_backend(model, data.x, data.edge_index, **inputs)
