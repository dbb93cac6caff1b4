"""Report of the backend that computes each layer of the model of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from gatsparse.data import NeighborLoader
from gatsparse.nn import explain_backend
from gatsparse.train.edge_inputs import edge_inputs
from gatsparse.train.models import build_model

if TYPE_CHECKING:
    from torch_geometric.data import Data

    from gatsparse.train.config import TrainConfig


def backend_report(config: TrainConfig, data: Data) -> str:
    """Runs the model of a configuration once, and returns a line about each of its layers.

    Args:
        config (TrainConfig): The configuration.
        data (torch_geometric.data.Data): Data of :func:`~gatsparse.train.task_of_seed`; with mode
            sampled only the first batch is used.
    """
    if config.model.kind == "dense":
        return "layers: dense, computed by torch"
    with torch.random.fork_rng(devices=[]):
        model = build_model(config.model, data, config.task, config.link.channels)
        if config.mode == "sampled":
            sampling = config.sampling
            nodes = None if config.task == "link_prediction" else data.train_mask
            loader = NeighborLoader(
                data, sampling.num_neighbors, nodes, batch_size=sampling.batch_size
            )
            data = next(iter(loader))
        inputs = edge_inputs(model, data)
        return f"layers: {explain_backend(model, data.x, data.edge_index, **inputs)}"
