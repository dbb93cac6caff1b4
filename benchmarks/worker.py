"""Measurements of two-layer models, which run in separate processes."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path
from typing import get_args

import torch
import torch.nn.functional as F
from torch import Tensor
from torch_geometric import seed_everything
from torch_geometric.data import Data

from benchmarks import gate, layers, recipe
from benchmarks.config import BenchConfig, Timing
from benchmarks.contenders import Contender
from benchmarks.isolate import UnavailableError
from benchmarks.measure import peak, repeat, resident
from benchmarks.plan import Task
from benchmarks.rows import ModelMeasurement, Values
from gatsparse.data import DatasetNotFoundError
from gatsparse.data.import_path import import_data, is_import_path
from gatsparse.train import ModelConfig, TrainConfig, build_optimizer, fit, load_task
from gatsparse.train.task import checked_task


def measure(task: Task, contender: Contender, config: BenchConfig, reference: Path) -> Values:
    """Makes one measurement in this process.

    Args:
        task (Task): Measurement to make.
        contender (Contender): Contender to measure.
        config (BenchConfig): Configuration of the run.
        reference (Path): File of the gate's reference, or of a graph.

    Raises:
        UnavailableError: If the data set or a package is missing.
    """
    if task.measurement == "accuracy":
        torch.set_num_threads(1)  # several trainings run at a time, one per thread
    elif config.threads is not None:
        torch.set_num_threads(config.threads)
    _require(contender)
    if task.measurement not in get_args(ModelMeasurement):
        return layers.measure(task, contender, config, reference)
    epochs = (config.recipe if task.measurement == "recipe" else config.accuracy).epochs
    own = is_import_path(task.dataset)
    training = TrainConfig(
        dataset="digits" if own else task.dataset,  # the name of a custom data set is not used
        root=None if config.root is None else Path(config.root),
        model=ModelConfig(kind=contender.kind),
        epochs=epochs,
        patience=epochs,
    )
    try:
        data = checked_task(import_data("datasets", task.dataset)) if own else load_task(training)
    except DatasetNotFoundError as error:
        raise UnavailableError(str(error)) from error

    baseline = resident()
    match task.measurement:
        case "reference":
            gate.reference(data, config.seed).save(reference)
            values = Values()
        case "gate":
            values = gate.check(contender, data, gate.Reference.load(reference))
        case "inference":
            values = _inference(contender, data, config.inference)
        case "step":
            values = _step(contender, data, config.step, training)
        case "recipe":
            values = recipe.train(contender, data, training, config.recipe)
        case _:
            values = _accuracy(contender, data, training, seed=task.round)
    return replace(values, baseline=baseline, peak=peak())


def _require(contender: Contender) -> None:
    """Raises if a contender would silently fall back to another implementation."""
    if contender.requires is None:
        return
    try:
        importlib.import_module(contender.requires)
    except (ImportError, OSError) as error:
        raise UnavailableError(f"{contender.requires} cannot be imported: {error}") from error


def _inference(contender: Contender, data: Data, timing: Timing) -> Values:
    model = contender.build(data, dropout=0.0).eval()
    structure = contender.structure(data)
    with torch.no_grad():
        return repeat(lambda: model(data.x, structure), timing)


def _step(contender: Contender, data: Data, timing: Timing, training: TrainConfig) -> Values:
    assert isinstance(data.y, Tensor)
    x, train = data.x, data.train_mask.nonzero().squeeze(1)
    y = data.y[train]
    model = contender.build(data, training.model.dropout).train()
    structure = contender.structure(data)
    optimizer = build_optimizer(training.optim, model)

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(model(x, structure)[train], y).backward()
        optimizer.step()

    return repeat(step, timing)


def _accuracy(contender: Contender, data: Data, training: TrainConfig, seed: int) -> Values:
    seed_everything(seed)
    result = fit(contender.build(data, training.model.dropout), data, training)
    return Values(accuracy=result.test_score, seconds=result.seconds)
