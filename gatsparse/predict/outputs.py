"""Outputs of the model of a run for all nodes, within a memory budget."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import NoneType

import psutil
import torch
from torch import Tensor
from torch_geometric.data import Data

from gatsparse.checks import check_instance, check_integer
from gatsparse.config_types import ConfigError
from gatsparse.inference import infer, parse_bytes
from gatsparse.predict.data import check_fits
from gatsparse.predict.model import FinishedRun
from gatsparse.predict.predictions import Predictions
from gatsparse.train.edge_inputs import edge_inputs
from gatsparse.train.full_batch import model_graph
from gatsparse.train.graph_steps import outputs_of_graphs
from gatsparse.train.memory import estimate_of_sizes, format_bytes
from gatsparse.train.threads import torch_threads


def predict(
    run: FinishedRun,
    data: Data,
    *,
    max_memory: int | str | None = None,
    folder: str | Path | None = None,
    threads: int | None = None,
) -> Predictions:
    """Applies the model of a run to all nodes or graphs. For link prediction the outputs are
    embeddings, see :func:`predict_links`.

    The model is applied to the whole graph at once, as in its training, if that fits into
    :obj:`max_memory`, and else layer by layer by :func:`gatsparse.infer`. Models that were trained
    on sampled batches are always applied by :func:`gatsparse.infer`. So predictions on the data of
    the training have exactly the scores that the training has reported. Models of graphs are
    applied to batches of :obj:`sampling.batch_size` graphs in these cases. The model of a training
    on a GPU is applied on the CPU, so its scores may differ.

    Args:
        run (FinishedRun): The run.
        data (torch_geometric.data.Data): Data of :func:`load_data`.
        max_memory (int or str, optional): Memory for temporary tensors, see
            :func:`gatsparse.infer`. (default: half of the available memory)
        folder (str or Path, optional): Folder for features between layers, from which an
            interrupted call of :func:`gatsparse.infer` resumes.
        threads (int, optional): Number of threads. (default: as in the training)

    Raises:
        ConfigError: If the model does not support :func:`gatsparse.infer` and does not fit into
            :obj:`max_memory`.
        OSError: If a file of :obj:`folder` cannot be written.
        TypeError, ValueError: If an argument is invalid.

    Example:
        >>> from pathlib import Path
        >>> from gatsparse.predict import load_data, load_run, predict
        >>> from gatsparse.train import TrainConfig, train
        >>> config = TrainConfig("digits", epochs=5, run_dir=Path("some_runs"), progress=False)
        >>> (result,) = train(config)  # doctest: +ELLIPSIS
        memory: ...
        >>> run = load_run(next(Path("some_runs").iterdir()))
        >>> predictions = predict(run, load_data(run))
        >>> predictions.scores()["test"] == result.test_score
        True
    """
    check_instance("run", run, FinishedRun, "a FinishedRun")
    check_instance("data", data, Data, "torch_geometric.data.Data")
    check_instance("folder", folder, (str, Path, NoneType), "a path or None")
    if threads is not None:
        check_integer("threads", threads)
    check_fits(run, data)
    if max_memory is None:
        max_memory = max(psutil.virtual_memory().available // 2, 1)
    budget = parse_bytes(max_memory)
    x = data["x"]
    needed = estimate_of_sizes(replace(run.config, mode="full"), data, run.sizes)
    layerwise = run.config.mode == "sampled" or needed > budget
    with torch.no_grad(), torch_threads(run.config.threads if threads is None else threads):
        if run.config.task == "graph_classification":
            batch_size = run.config.sampling.batch_size if layerwise else None
            outputs = outputs_of_graphs(run.model, data, batch_size)
        elif layerwise:
            outputs = _layer_by_layer(run, data, budget, needed, folder)
        else:
            outputs = run.model(
                x, model_graph(run.config.model.kind, data), **edge_inputs(run.model, data)
            )
    return Predictions(run, data, outputs)


def _layer_by_layer(
    run: FinishedRun, data: Data, budget: int, needed: int, folder: str | Path | None
) -> Tensor:
    x = data["x"]
    try:
        return infer(
            run.model,
            x if x.layout == torch.strided else x.to_dense(),
            data.edge_index,
            data.edge_attr,
            max_memory=budget,
            folder=folder,
        )
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"max_memory: expected {format_bytes(needed)} to apply the model to the whole graph, "
            f"got {format_bytes(budget)}; layer by layer is not possible: {error}"
        ) from error
