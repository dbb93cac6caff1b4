"""Results of a training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from gatsparse.train.objectives.objective import TargetScale


@dataclass(frozen=True)
class Epoch:
    """The result of one epoch, counted from 1.

    :obj:`train_loss` is the loss of the step, with dropout; the other numbers are of the model
    after the step, without dropout.

    Example:
        >>> from gatsparse.train import Epoch
        >>> Epoch(epoch=1, train_loss=2.3, val_loss=2.2, val_score=0.3, test_score=0.3).val_score
        0.3
    """

    epoch: int
    train_loss: float
    val_loss: float
    val_score: float
    test_score: float


@dataclass(frozen=True)
class RuleResult:
    """The result of a training under one rule of early stopping.

    Attributes:
        best_epoch (int): The epoch whose model the rule keeps, counted from 1.
        epochs (int): Number of epochs after which it stops.
        val_score, val_loss, test_score (float): Scores and loss of the model that it keeps.

    Example:
        >>> from gatsparse.data import load
        >>> from gatsparse.train import ModelConfig, TrainConfig, build_model, fit
        >>> data, config = load("digits"), TrainConfig("digits", epochs=3, stopping="val_loss")
        >>> result = fit(build_model(config.model, data), data, config)
        >>> result.rules["val_loss"].epochs
        3
    """

    best_epoch: int
    epochs: int
    val_score: float
    val_loss: float
    test_score: float


@dataclass(frozen=True)
class FitResult:
    """A finished training.

    Attributes:
        rules (dict): The :class:`RuleResult` of each rule, by its name.
        losses (list of float): Training loss of each epoch.
        seconds (float): Wall-clock time of all epochs, evaluation included.
        state_dict (dict): The model that the first rule keeps.
        target_scale (TargetScale, optional): Scale of the targets of a regression.

    Example:
        >>> from gatsparse.data import load
        >>> from gatsparse.train import ModelConfig, TrainConfig, build_model, fit
        >>> data, config = load("digits"), TrainConfig("digits", epochs=3)
        >>> model = build_model(config.model, data)
        >>> result = fit(model, data, config)
        >>> result.epochs, sorted(result.rules)
        (3, ['val_score'])
        >>> model.load_state_dict(result.state_dict)
        <All keys matched successfully>
    """

    rules: dict[str, RuleResult]
    losses: list[float]
    seconds: float
    state_dict: dict[str, Tensor]
    target_scale: TargetScale | None = None

    @property
    def epochs(self) -> int:
        """Number of epochs run."""
        return len(self.losses)

    @property
    def best_epoch(self) -> int:
        """Best epoch under the first rule."""
        return self._first.best_epoch

    @property
    def val_score(self) -> float:
        """Validation score under the first rule."""
        return self._first.val_score

    @property
    def val_loss(self) -> float:
        """Validation loss under the first rule."""
        return self._first.val_loss

    @property
    def test_score(self) -> float:
        """Test score under the first rule."""
        return self._first.test_score

    @property
    def _first(self) -> RuleResult:
        return next(iter(self.rules.values()))
