"""The training of a node classifier, epoch by epoch."""

from __future__ import annotations

import math
import time
import warnings
from copy import copy
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from sklearn.metrics import roc_auc_score
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.transforms import LargestConnectedComponents, NormalizeFeatures
from torch_geometric.utils import to_undirected

from gatsparse.data import OGB_NAMES, load, load_ogb, random_split, stochastic_block_model
from gatsparse.nn import build_deep_gat, build_gat
from gatsparse.train.checkpoint import Checkpoint
from gatsparse.train.config import ConfigError
from gatsparse.train.full_batch import FullBatch
from gatsparse.train.sampled import Sampled
from gatsparse.train.stopping import EarlyStopping

if TYPE_CHECKING:
    from collections.abc import Callable

    from gatsparse.train.config import ModelConfig, OptimConfig, TrainConfig

_MASKS = ("train_mask", "val_mask", "test_mask")


class TrainingDivergedError(ArithmeticError):
    """A loss that is not finite."""


@dataclass(frozen=True)
class Epoch:
    """The result of one epoch, counted from 1.

    :obj:`train_loss` is that of the step, with dropout; the others are of the model
    after the step, without dropout.
    """

    epoch: int
    train_loss: float
    val_loss: float
    val_acc: float
    test_acc: float


@dataclass(frozen=True)
class RuleResult:
    """What one rule of early stopping makes of a training.

    Attributes:
        best_epoch (int): The epoch whose model the rule keeps, counted from 1.
        epochs (int): Number of epochs after which it stops.
        val_acc, val_loss, test_acc (float): Of the model that it keeps.
    """

    best_epoch: int
    epochs: int
    val_acc: float
    val_loss: float
    test_acc: float


@dataclass(frozen=True)
class FitResult:
    """A finished training.

    Attributes:
        rules (dict): The :class:`RuleResult` of each rule, by its name.
        losses (list of float): Training loss of each epoch.
        seconds (float): Wall-clock time of all epochs, evaluation included.
        state_dict (dict): The model that the first rule keeps.
    """

    rules: dict[str, RuleResult]
    losses: list[float]
    seconds: float
    state_dict: dict[str, Tensor]

    @property
    def epochs(self) -> int:
        """Number of epochs run."""
        return len(self.losses)

    @property
    def best_epoch(self) -> int:
        """That of the first rule."""
        return self._first.best_epoch

    @property
    def val_acc(self) -> float:
        """That of the first rule."""
        return self._first.val_acc

    @property
    def val_loss(self) -> float:
        """That of the first rule."""
        return self._first.val_loss

    @property
    def test_acc(self) -> float:
        """That of the first rule."""
        return self._first.test_acc

    @property
    def _first(self) -> RuleResult:
        return next(iter(self.rules.values()))


def load_task(config: TrainConfig) -> Data:
    """Loads the data set, casts and normalises its features, and chooses its split.

    Returns:
        torch_geometric.data.Data: As of :func:`gatsparse.data.load`, with masks ``[N]``;
        features of which few are not zero are ``sparse_csr`` for models of kind ``"gatsparse"``;
        if :obj:`split` is ``"random"``, without masks, if it is ``"seed"``, with those of all
        splits: see :func:`task_of_seed`.

    Raises:
        ConfigError: If the data set has no such split.
        DatasetNotFoundError, DatasetCorruptError: As :func:`gatsparse.data.load`.
        ImportError: As :func:`gatsparse.data.load_ogb`.
    """
    if config.dataset == "sbm":
        data = stochastic_block_model(**asdict(config.synthetic))
    elif config.dataset in OGB_NAMES:
        data = load_ogb(config.dataset, config.root)
    else:
        data = load(config.dataset, config.root)
    if config.undirected:
        data.edge_index = to_undirected(data["edge_index"], num_nodes=data.num_nodes)
    if config.largest_component:
        data = LargestConnectedComponents()(data)
    data.x = _features(data).to(getattr(torch, config.dtype))
    if config.normalize_features:
        data = NormalizeFeatures()(data)
    if config.model.kind == "gatsparse" and config.mode == "full":
        data.x = _sparse_if_it_pays(_features(data))
    if config.split == "random":
        for key in _MASKS:
            del data[key]
        return data
    if config.split == "seed":  # chosen by task_of_seed
        return data
    num_splits = 1 if data.train_mask.dim() == 1 else data.train_mask.size(1)
    if config.split >= num_splits:
        raise ConfigError(
            f"split: expected 0 <= split < {num_splits} of {config.dataset}, got {config.split}"
        )
    return _choose_split(data, config.split, num_splits)


def _choose_split(data: Data, split: int, num_splits: int) -> Data:
    for key in _MASKS:
        data[key] = data[key].view(-1, num_splits)[:, split].contiguous()
    return data


def _sparse_if_it_pays(x: Tensor) -> Tensor:
    """The features as ``sparse_csr`` where at most a tenth of them are not zero."""
    if 10 * int(x.count_nonzero()) > x.numel():
        return x
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta state")
        return x.to_sparse_csr()


def task_of_seed(data: Data, config: TrainConfig, seed: int) -> Data:
    """What one seed is trained on.

    Args:
        data (torch_geometric.data.Data): As of :func:`load_task`.
        config (TrainConfig): If its :obj:`split` is ``"random"``, the split is drawn here; if
            it is ``"seed"``, it is that of the seed's number.
        seed (int): The seed.

    Raises:
        ConfigError: If a class has too few nodes for a random split, or there is no split of the
            seed's number.
    """
    if config.split == "seed":
        num_splits = data.train_mask.view(data.num_nodes, -1).size(1)
        if seed >= num_splits:
            raise ConfigError(
                f"split: expected seeds below {num_splits}, the number of splits of "
                f"{config.dataset}, got {seed}"
            )
        return _choose_split(copy(data), seed, num_splits)
    if config.split != "random":
        return data
    try:
        return random_split(data, seed)
    except ValueError as error:
        raise ConfigError(f"split: {config.dataset} has no random split: {error}") from error


def build_model(config: ModelConfig, data: Data) -> torch.nn.Module:
    """The GAT for the features and classes of :obj:`data`, of its dtype.

    Initial weights come from torch's generator: seed it before.
    """
    x, y = _features(data), _labels(data)
    sizes = x.size(1), int(y.max()) + 1
    options = {
        "hidden_channels": config.hidden_channels,
        "heads": config.heads,
        "dropout": config.dropout,
        "negative_slope": config.negative_slope,
        "num_layers": config.num_layers,
    }
    if config.architecture == "deep":
        return build_deep_gat(config.kind, *sizes, **options).to(x.dtype)
    paper = {"out_heads": config.out_heads, "paper_exact": config.paper_exact}
    return build_gat(config.kind, *sizes, **options, **paper).to(x.dtype)


def build_optimizer(config: OptimConfig, model: torch.nn.Module) -> torch.optim.Adam:
    """Adam on all parameters of :obj:`model`, one pass over each per step."""
    return torch.optim.Adam(
        model.parameters(), lr=config.lr, weight_decay=config.weight_decay, fused=True
    )


def fit(
    model: torch.nn.Module,
    data: Data,
    config: TrainConfig,
    *,
    on_epoch: Callable[[Epoch], None] | None = None,
    checkpoint: Checkpoint | None = None,
) -> FitResult:
    """Trains by Adam on the cross entropy of the training nodes.

    Args:
        model (torch.nn.Module): ``forward(x, structure)`` gives logits ``[N, classes]``;
            it is trained in place, and ends as of the last epoch.
        data (torch_geometric.data.Data): As of :func:`task_of_seed`.
        config (TrainConfig): Of it :obj:`mode`, :obj:`model.kind`, :obj:`optim`,
            :obj:`sampling`, :obj:`metric`, :obj:`epochs`, :obj:`patience` and :obj:`stopping`
            count; it ends when every rule has stopped.
        on_epoch (callable, optional): Called with the :class:`Epoch` after each, and for those
            that a checkpoint has.
        checkpoint (Checkpoint, optional): Where it goes on from, and saves how far it is.

    The result depends on the state of torch's generator alone: seed it before. What went on
    from a checkpoint ends as what was never interrupted, bit for bit.

    Raises:
        ValueError: If a mask is not of shape ``[N]``, or the metric is not of these classes.
        TrainingDivergedError: If the training or validation loss is not finite.
    """
    y = _labels(data)
    for key in _MASKS:
        if data[key].shape != y.shape:
            raise ValueError(
                f"data.{key}: expected shape {list(y.shape)}, got {list(data[key].shape)}"
            )
    score = _METRICS[config.metric]
    optimizer = build_optimizer(config.optim, model)
    if config.mode == "sampled":
        work = Sampled(model, data, optimizer, config.sampling)
    else:
        work = FullBatch(model, data, optimizer, config.model.kind)
    val, test = (data[key].nonzero().squeeze(1) for key in _MASKS[1:])
    y_val, y_test = y[val], y[test]

    def evaluate(epoch: int, train_loss: float) -> Epoch:
        logits = work.logits()
        of_val = logits[val]
        return Epoch(
            epoch=epoch,
            train_loss=train_loss,
            val_loss=F.cross_entropy(of_val, y_val).item(),
            val_acc=score(of_val, y_val),
            test_acc=score(logits[test], y_test),
        )

    rules = [EarlyStopping(rule, config.patience, config.epochs) for rule in config.rules]
    kept: dict[str, Epoch] = {}
    state_dict: dict[str, Tensor] = {}
    epochs: list[Epoch] = []
    before = 0.0
    checkpoint = Checkpoint() if checkpoint is None else checkpoint
    if state := checkpoint.load():
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        for rule, of_rule in zip(rules, state["rules"], strict=True):
            rule.load_state_dict(of_rule)
        kept = {rule: Epoch(**values) for rule, values in state["kept"].items()}
        state_dict, before = state["state_dict"], state["seconds"]
        for values in state["epochs"]:
            epochs.append(Epoch(**values))
            if on_epoch is not None:
                on_epoch(epochs[-1])
    start = time.perf_counter()
    while running := [rule for rule in rules if not rule.exhausted]:
        current = evaluate(len(epochs) + 1, work.epoch())
        _check_finite(current)
        epochs.append(current)
        for rule in running:
            if rule.update(current.val_acc, current.val_loss):
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
        state_dict=state_dict,
    )


def _accuracy(logits: Tensor, y: Tensor) -> float:
    return (logits.argmax(dim=1) == y).double().mean().item()


def _roc_auc(logits: Tensor, y: Tensor) -> float:
    if logits.size(1) != 2:
        raise ValueError(f"metric: expected 2 classes for roc_auc, got {logits.size(1)}")
    return float(roc_auc_score(y.numpy(), (logits[:, 1] - logits[:, 0]).detach().numpy()))


_METRICS = {"accuracy": _accuracy, "roc_auc": _roc_auc}


def _rule_result(rule: EarlyStopping, kept: Epoch) -> RuleResult:
    return RuleResult(
        best_epoch=kept.epoch,
        epochs=rule.epoch,
        val_acc=kept.val_acc,
        val_loss=kept.val_loss,
        test_acc=kept.test_acc,
    )


def _check_finite(epoch: Epoch) -> None:
    for name, loss in (("training", epoch.train_loss), ("validation", epoch.val_loss)):
        if not math.isfinite(loss):
            raise TrainingDivergedError(
                f"epoch {epoch.epoch}: the {name} loss is {loss}; "
                "try a smaller optim.lr, and check the features"
            )


def _features(data: Data) -> Tensor:
    assert data.x is not None
    return data.x


def _labels(data: Data) -> Tensor:
    assert isinstance(data.y, Tensor)
    return data.y
