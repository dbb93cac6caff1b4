"""The training of a model, epoch by epoch."""

from __future__ import annotations

import math
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gatsparse.checks import check_instance
from gatsparse.train.checkpoint import Checkpoint
from gatsparse.train.config import OptimConfig, TrainConfig
from gatsparse.train.criterion import Criterion, NodeCriterion
from gatsparse.train.device import (
    current,
    device_of,
    find_device,
    generator_state,
    moved,
    set_generator_state,
)
from gatsparse.train.errors import TrainingDivergedError
from gatsparse.train.full_batch import FullBatch
from gatsparse.train.graph_steps import GraphSteps
from gatsparse.train.link_criterion import LinkCriterion
from gatsparse.train.link_sampled import SampledLinks
from gatsparse.train.metrics import METRICS
from gatsparse.train.objectives.build import build_objective
from gatsparse.train.objectives.objective import TargetScale
from gatsparse.train.results import Epoch, FitResult, RuleResult
from gatsparse.train.sampled import Sampled, SampledNodes
from gatsparse.train.stopping import EarlyStopping
from gatsparse.train.task import checked_task

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch_geometric.data import Data


def build_optimizer(config: OptimConfig, model: torch.nn.Module) -> torch.optim.Adam:
    """Returns a fused Adam optimiser of all parameters of :obj:`model`; on a GPU one whose steps
    :func:`gatsparse.compile_step` can record.

    Args:
        config (OptimConfig): Learning rate and weight decay.
        model (torch.nn.Module): The model.

    Raises:
        TypeError: If an argument is of a wrong type.

    Example:
        >>> import torch
        >>> from gatsparse.train import OptimConfig, build_optimizer
        >>> build_optimizer(OptimConfig(lr=0.01), torch.nn.Linear(2, 2)).defaults["lr"]
        0.01
    """
    check_instance("config", config, OptimConfig, "an OptimConfig")
    check_instance("model", model, torch.nn.Module, "a torch.nn.Module")
    parameters = list(model.parameters())
    return torch.optim.Adam(
        parameters,
        lr=config.lr,
        weight_decay=config.weight_decay,
        fused=True,
        capturable=all(parameter.is_cuda for parameter in parameters),
    )


def fit(
    model: torch.nn.Module,
    data: Data,
    config: TrainConfig,
    *,
    on_epoch: Callable[[Epoch], None] | None = None,
    checkpoint: Checkpoint | None = None,
) -> FitResult:
    """Trains a model with Adam on the loss of the training nodes or links.

    The loss is the cross entropy for :obj:`task` classification, the binary cross entropy of all
    labels for multi_label, and for regression the mean squared error of targets that are
    standardised by their mean and standard deviation over the training nodes. For link_prediction
    it is the binary cross entropy of the inner products of embeddings, for the training links and
    as many pairs without a link, which are drawn for each epoch. For graph_classification it is the
    cross entropy of the training graphs.

    Args:
        model (torch.nn.Module): ``forward(x, edge_index)``, or ``forward(x, adj)`` for dense
            models, returns logits ``[N, classes]`` or ``[N, labels]``, standardised targets
            ``[N, targets]``, or embeddings ``[N, D]``. Edge features, edge weights and
            :obj:`batch` of :obj:`data` are passed by name. For graphs,
            ``forward(x, edge_index, batch)`` returns logits ``[G, classes]``.
            The model is moved to the device of the configuration, trained in place, and ends there
            in the state after the last epoch.
        data (torch_geometric.data.Data): With :obj:`x`, :obj:`edge_index`, labels :obj:`y`
            and three masks ``[N]``, whose nodes must be labelled, as returned by
            :func:`task_of_seed`. Labels are classes ``[N]`` or ``[N, 1]``, with task multi_label
            zeros and ones ``[N, labels]``, and with regression targets ``[N]`` or
            ``[N, targets]``. With link_prediction, data of :func:`split_links`; with
            graph_classification, data of :func:`split_graphs`.
        config (TrainConfig): Only :obj:`mode`, :obj:`model.kind`, :obj:`optim`, :obj:`sampling`,
            :obj:`task`, :obj:`metric`, :obj:`class_weights`, :obj:`epochs`, :obj:`patience`,
            :obj:`stopping`, :obj:`device` and :obj:`cuda_graph` are used. Training ends when every
            rule has stopped.
        on_epoch (callable, optional): Called with the :class:`Epoch` after each epoch, and first
            with the epochs in the checkpoint.
        checkpoint (Checkpoint, optional): File of the state to resume from and to save.

    The result depends only on the state of torch's generators of the CPU and of the device: call
    :func:`torch.manual_seed` before. A training that
    resumes from a checkpoint ends as if it had never been interrupted, bit for bit.

    Returns:
        FitResult: Results of every rule, the losses, and the weights of the first rule's model, in
        the memory of the host.

    Raises:
        TypeError, ValueError: If labels, masks, edges, edge features or weights cannot be used, the
            metric is not defined for these labels, the model does not return outputs of every
            node, or sampled training does not support the model.
        ConfigError: If torch does not find the device.
        TrainingDivergedError: If the training or validation loss is not finite.
        DamagedFileError: If the training cannot resume from the checkpoint.
        OSError: If the checkpoint cannot be written.

    Example:
        >>> import torch, gatsparse
        >>> from gatsparse.data import load
        >>> from gatsparse.train import TrainConfig, fit
        >>> data, _ = load("digits"), torch.manual_seed(0)
        >>> model = gatsparse.GAT(64, 64, num_layers=2, out_channels=10, heads=8)
        >>> result = fit(model, data, TrainConfig("digits", epochs=5))
        >>> len(result.losses), result.losses[-1] < result.losses[0]
        (5, True)
    """
    check_instance("config", config, TrainConfig, "a TrainConfig")
    check_instance("model", model, torch.nn.Module, "a torch.nn.Module")
    if on_epoch is not None and not callable(on_epoch):
        raise TypeError(f"on_epoch: expected a callable, got {type(on_epoch).__name__}")
    device = find_device(config.device)
    with current(device):
        return _fit(model.to(device), data, config, device, on_epoch, checkpoint or Checkpoint())


def _fit(
    model: torch.nn.Module,
    data: Data,
    config: TrainConfig,
    device: torch.device,
    on_epoch: Callable[[Epoch], None] | None,
    checkpoint: Checkpoint,
) -> FitResult:
    optimizer = build_optimizer(config.optim, model)
    work, criterion, target_scale = _training(model, data, config, optimizer)
    sign = -1 if METRICS[config.chosen_metric].is_error else 1

    def evaluate(epoch: int, train_loss: float) -> Epoch:
        outputs = work.outputs()
        val_loss = criterion.val_loss(outputs).item()
        _check_finite(epoch, train_loss, val_loss)
        val_score, test_score = criterion.scores(outputs)
        return Epoch(epoch, train_loss, val_loss, val_score, test_score)

    rules = [EarlyStopping(rule, config.patience, config.epochs) for rule in config.rules]
    kept: dict[str, Epoch] = {}
    state_dict: dict[str, Tensor] = {}
    epochs: list[Epoch] = []
    before = 0.0
    if state := checkpoint.load():
        with checkpoint.restoring():
            model.load_state_dict(state["model"])
            optimizer.load_state_dict(state["optimizer"])
            set_generator_state(device, state["device_generator"])
            for rule, of_rule in zip(rules, state["rules"], strict=True):
                rule.load_state_dict(of_rule)
            kept = {rule.rule: Epoch(**state["kept"][rule.rule]) for rule in rules}
            state_dict, before = dict(state["state_dict"]), float(state["seconds"])
            epochs = [Epoch(**values) for values in state["epochs"]]
        for epoch in epochs:
            if on_epoch is not None:
                on_epoch(epoch)
    start = time.perf_counter()
    while running := [rule for rule in rules if not rule.exhausted]:
        current = evaluate(len(epochs) + 1, work.epoch())
        epochs.append(current)
        for rule in running:
            if rule.update(sign * current.val_score, current.val_loss):
                kept[rule.rule] = current
                if rule is rules[0]:
                    state_dict = {key: value.clone() for key, value in model.state_dict().items()}
        if on_epoch is not None:
            on_epoch(current)
        if checkpoint.is_due():
            checkpoint.save(
                {
                    "model": model.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "device_generator": generator_state(device),
                    "rules": [rule.state_dict() for rule in rules],
                    "kept": {rule: asdict(epoch) for rule, epoch in kept.items()},
                    "state_dict": state_dict,
                    "epochs": [asdict(epoch) for epoch in epochs],
                    "seconds": before + time.perf_counter() - start,
                }
            )

    return FitResult(
        rules={rule.rule: _rule_result(rule, kept[rule.rule]) for rule in rules},
        losses=[epoch.train_loss for epoch in epochs],
        seconds=before + time.perf_counter() - start,
        state_dict={key: value.cpu() for key, value in state_dict.items()},
        target_scale=target_scale,
    )


def _training(
    model: torch.nn.Module, data: Data, config: TrainConfig, optimizer: torch.optim.Optimizer
) -> tuple[FullBatch | Sampled | GraphSteps, Criterion, TargetScale | None]:
    """Returns the steps, the loss and scores, and the scale of the targets of a training."""
    sampled, kind, record = config.mode == "sampled", config.model.kind, config.cuda_graph
    if not sampled and config.task != "graph_classification":
        data = moved(data, device_of(model))
    if config.task == "link_prediction":
        links = LinkCriterion(config.chosen_metric, data)
        if sampled:
            return SampledLinks(model, data, optimizer, links, config.sampling), links, None
        return FullBatch(model, data, optimizer, links, kind, record), links, None
    data = checked_task(data, config.task, config.chosen_metric)
    objective = build_objective(config, data)
    nodes, scale = NodeCriterion(objective, data), objective.target_scale
    if config.task == "graph_classification":
        batch_size = config.sampling.batch_size if sampled else None
        return GraphSteps(model, data, optimizer, objective, batch_size), nodes, scale
    if sampled:
        return SampledNodes(model, data, optimizer, objective, config.sampling), nodes, scale
    return FullBatch(model, data, optimizer, nodes, kind, record), nodes, scale


def _rule_result(rule: EarlyStopping, kept: Epoch) -> RuleResult:
    return RuleResult(
        best_epoch=kept.epoch,
        epochs=rule.epoch,
        val_score=kept.val_score,
        val_loss=kept.val_loss,
        test_score=kept.test_score,
    )


def _check_finite(epoch: int, train_loss: float, val_loss: float) -> None:
    for name, loss in (("training", train_loss), ("validation", val_loss)):
        if not math.isfinite(loss):
            raise TrainingDivergedError(
                f"epoch {epoch}: the {name} loss is {loss}; "
                "try a smaller optim.lr, and check the features"
            )
