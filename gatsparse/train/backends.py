"""Report of the backend that computes each layer of the model of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from gatsparse.data import NeighborLoader
from gatsparse.nn import BackendReport, LayerBackend, explain_backend
from gatsparse.train.device import find_device, moved
from gatsparse.train.edge_inputs import edge_inputs
from gatsparse.train.graph_model import model_of_run
from gatsparse.train.models import sizes_of_run

if TYPE_CHECKING:
    from torch_geometric.data import Data

    from gatsparse.train.config import TrainConfig


def backend_report(config: TrainConfig, data: Data) -> BackendReport:
    """Builds the model of a configuration, and reports the backend of each of its layers.

    Args:
        config (TrainConfig): The configuration.
        data (torch_geometric.data.Data): Data of :func:`~gatsparse.train.task_of_seed`; with mode
            sampled only the first batch is used, unless graphs are classified.
    """
    with torch.random.fork_rng(devices=[]):
        model = model_of_run(config, sizes_of_run(config, data), data["x"].dtype)
        if config.mode == "sampled" and config.task != "graph_classification":
            sampling = config.sampling
            nodes = None if config.task == "link_prediction" else data.train_mask
            loader = NeighborLoader(
                data, sampling.num_neighbors, nodes, batch_size=sampling.batch_size
            )
            data = next(iter(loader))
        device = find_device(config.device)
        return backends_of_model(config, model.to(device), moved(data, device))


def backends_of_model(config: TrainConfig, model: torch.nn.Module, data: Data) -> BackendReport:
    """Runs a model once, and reports the backend of each of its layers.

    Args:
        config (TrainConfig): The configuration that it was built from.
        model (torch.nn.Module): The model.
        data (torch_geometric.data.Data): Features and edges.
    """
    if config.model.kind == "dense":
        return BackendReport([LayerBackend("", "DenseGAT", "dense", ("model.kind is dense",))])
    return explain_backend(model, data.x, data.edge_index, **edge_inputs(model, data))
