"""Full-batch training of a node classifier."""

from __future__ import annotations

import math
import time
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.transforms import LargestConnectedComponents, NormalizeFeatures

from gatsparse.data import load, random_split
from gatsparse.nn import build_gat, dense_adjacency
from gatsparse.train.config import ConfigError
from gatsparse.train.stopping import EarlyStopping

if TYPE_CHECKING:
    from collections.abc import Callable

    from gatsparse.nn.paper_gat import Kind
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
        if :obj:`split` is ``"random"``, without masks: see :func:`task_of_seed`.

    Raises:
        ConfigError: If the data set has no such split.
        DatasetNotFoundError, DatasetCorruptError: As :func:`gatsparse.data.load`.
    """
    data = load(config.dataset, config.root)
    if config.largest_component:
        data = LargestConnectedComponents()(data)
    data.x = _features(data).to(getattr(torch, config.dtype))
    if config.normalize_features:
        data = NormalizeFeatures()(data)
    if config.model.kind == "gatsparse":
        data.x = _sparse_if_it_pays(_features(data))
    if isinstance(config.split, str):
        for key in _MASKS:
            del data[key]
        return data
    num_splits = 1 if data.train_mask.dim() == 1 else data.train_mask.size(1)
    if config.split >= num_splits:
        raise ConfigError(
            f"split: expected 0 <= split < {num_splits} of {config.dataset}, got {config.split}"
        )
    for key in _MASKS:
        data[key] = data[key].view(-1, num_splits)[:, config.split].contiguous()
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
        config (TrainConfig): If its :obj:`split` is ``"random"``, the split is drawn here.
        seed (int): The seed.

    Raises:
        ConfigError: If a class has too few nodes for a random split.
    """
    if config.split != "random":
        return data
    try:
        return random_split(data, seed)
    except ValueError as error:
        raise ConfigError(f"split: {config.dataset} has no random split: {error}") from error


def build_model(config: ModelConfig, data: Data) -> torch.nn.Module:
    """The two-layer GAT for the features and classes of :obj:`data`, of its dtype.

    Initial weights come from torch's generator: seed it before.
    """
    x, y = _features(data), _labels(data)
    model = build_gat(
        config.kind,
        x.size(1),
        int(y.max()) + 1,
        hidden_channels=config.hidden_channels,
        heads=config.heads,
        out_heads=config.out_heads,
        dropout=config.dropout,
        negative_slope=config.negative_slope,
        paper_exact=config.paper_exact,
    )
    return model.to(x.dtype)


def build_optimizer(config: OptimConfig, model: torch.nn.Module) -> torch.optim.Adam:
    """Adam on all parameters of :obj:`model`, one pass over each per step."""
    return torch.optim.Adam(
        model.parameters(), lr=config.lr, weight_decay=config.weight_decay, fused=True
    )


def model_structure(kind: Kind, data: Data) -> Tensor:
    """What a model of this kind takes beside the features.

    Returns:
        Tensor: For ``"dense"`` the adjacency matrix ``[N, N]`` with self-loops, else
        :obj:`edge_index` ``[2, E]``.
    """
    x, edge_index = _features(data), data.edge_index
    assert edge_index is not None
    if kind == "dense":
        return dense_adjacency(edge_index, x.size(0), dtype=x.dtype)
    return edge_index


def fit(
    model: torch.nn.Module,
    data: Data,
    config: TrainConfig,
    *,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> FitResult:
    """Trains by Adam on the cross entropy of the training nodes.

    Args:
        model (torch.nn.Module): ``forward(x, structure)`` gives logits ``[N, classes]``;
            it is trained in place, and ends as of the last epoch.
        data (torch_geometric.data.Data): As of :func:`load_task`.
        config (TrainConfig): Of it :obj:`model.kind`, :obj:`optim`, :obj:`epochs`,
            :obj:`patience` and :obj:`stopping` count; it ends when every rule has stopped.
        on_epoch (callable, optional): Called with the :class:`Epoch` after each.

    The result depends on the state of torch's generator alone: seed it before.

    Raises:
        ValueError: If a mask is not of shape ``[N]``.
        TrainingDivergedError: If the training or validation loss is not finite.
    """
    x, y = _features(data), _labels(data)
    for key in _MASKS:
        if data[key].shape != y.shape:
            raise ValueError(
                f"data.{key}: expected shape {list(y.shape)}, got {list(data[key].shape)}"
            )
    structure = model_structure(config.model.kind, data)
    optimizer = build_optimizer(config.optim, model)
    train, val, test = (data[key].nonzero().squeeze(1) for key in _MASKS)
    y_train, y_val, y_test = y[train], y[val], y[test]

    def step() -> float:
        model.train()
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x, structure)[train], y_train)
        loss.backward()
        optimizer.step()
        return loss.item()

    @torch.no_grad()
    def evaluate(epoch: int, train_loss: float) -> Epoch:
        model.eval()
        logits = model(x, structure)
        of_val = logits[val]
        return Epoch(
            epoch=epoch,
            train_loss=train_loss,
            val_loss=F.cross_entropy(of_val, y_val).item(),
            val_acc=_accuracy(of_val, y_val),
            test_acc=_accuracy(logits[test], y_test),
        )

    rules = [EarlyStopping(rule, config.patience, config.epochs) for rule in config.rules]
    kept: dict[str, Epoch] = {}
    state_dict: dict[str, Tensor] = {}
    losses: list[float] = []
    start = time.perf_counter()
    while running := [rule for rule in rules if not rule.exhausted]:
        current = evaluate(len(losses) + 1, step())
        _check_finite(current)
        losses.append(current.train_loss)
        for rule in running:
            if rule.update(current.val_acc, current.val_loss):
                kept[rule.rule] = current
                if rule is rules[0]:
                    state_dict = {key: value.clone() for key, value in model.state_dict().items()}
        if on_epoch is not None:
            on_epoch(current)

    return FitResult(
        rules={rule.rule: _rule_result(rule, kept[rule.rule]) for rule in rules},
        losses=losses,
        seconds=time.perf_counter() - start,
        state_dict=state_dict,
    )


def _accuracy(logits: Tensor, y: Tensor) -> float:
    return (logits.argmax(dim=1) == y).double().mean().item()


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
