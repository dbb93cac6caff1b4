"""Rules that determine when training stops, and which epoch's model is kept."""

from __future__ import annotations

import math
from collections import deque
from typing import Any, Literal, get_args

import torch

from gatsparse.checks import check_choice, check_integer

#: The rules of :class:`EarlyStopping`.
StoppingRule = Literal["val_score", "val_loss", "paper", "pyg"]


class EarlyStopping:
    """Early stopping of a training, based on its validation nodes.

    ========== ================================ ==========================================
    rule       the model that is kept           stops
    ========== ================================ ==========================================
    val_score  the first of the highest score   after :obj:`patience` epochs in a row
                                                whose score is not above all earlier
    val_loss   the first of the lowest loss     after :obj:`patience` epochs in a row
                                                whose loss is not below all earlier
    paper      the last whose score is >=       after :obj:`patience` epochs in a row
               **and** whose loss is <= those   whose score is not >= **and** whose
               of all earlier epochs            loss is not <= those of all earlier
    pyg        the first of the lowest loss     in the second half of :obj:`epochs`, after
                                                the first whose loss is above the mean of
                                                the :obj:`patience` epochs before it
    ========== ================================ ==========================================

    Every rule also stops after :obj:`epochs`, and keeps the first epoch until a better one is
    found. ``"paper"`` is the rule of the authors' code (``execute_cora.py`` of
    `PetarV-/GAT <https://github.com/PetarV-/GAT>`_, with ``nb_epochs = 100000`` and
    ``patience = 100``), ``"pyg"`` the rule of PyG's benchmark
    (``benchmark/citation/train_eval.py``, whose ``--early_stopping`` is :obj:`patience`):
    there, the second half begins with epoch ``epochs // 2 + 1``, and near the beginning
    the mean is over fewer epochs.

    Larger scores are better: :func:`gatsparse.train.fit` passes errors such as ``mae`` with the
    opposite sign.

    Args:
        rule (str): One of the rules above.
        patience (int): Number of epochs in the rules above.
        epochs (int): Maximum number of epochs.

    Attributes:
        epoch (int): Number of epochs seen.
        best_epoch (int): The epoch whose model is kept, counted from 1; 0 before the first.
        exhausted (bool): Whether it has stopped; it accepts no epoch after that.

    Raises:
        TypeError: If a number is not an integer.
        ValueError: If :obj:`rule` is unknown, or a number is below 1.

    Example:
        >>> from gatsparse.train import EarlyStopping
        >>> rule = EarlyStopping("val_score", patience=2, epochs=100)
        >>> [rule.update(val_score, val_loss=1.0) for val_score in (0.5, 0.6, 0.6, 0.6)]
        [True, True, False, False]
        >>> rule.exhausted, rule.best_epoch
        (True, 2)
    """

    def __init__(self, rule: StoppingRule, patience: int, epochs: int) -> None:
        check_choice("rule", rule, get_args(StoppingRule))
        check_integer("patience", patience)
        check_integer("epochs", epochs)
        self.rule: StoppingRule = rule
        self.patience = patience
        self.epochs = epochs
        self.epoch = 0
        self.best_epoch = 0
        self.exhausted = False
        self._waited = 0
        self._max_score = -math.inf
        self._min_loss = math.inf
        self._losses: deque[float] = deque(maxlen=patience)

    def update(self, val_score: float, val_loss: float) -> bool:
        """Adds the result of an epoch; returns whether to keep its model.

        Raises:
            RuntimeError: If the rule is exhausted.
        """
        if self.exhausted:
            raise RuntimeError(f"{self.rule}: stopped after epoch {self.epoch}, got another epoch")
        self.epoch += 1
        better, fitting = val_score >= self._max_score, val_loss <= self._min_loss
        if self.rule == "val_score":
            improved = keep = val_score > self._max_score
        elif self.rule == "paper":
            improved, keep = better or fitting, better and fitting
        else:
            improved = keep = val_loss < self._min_loss
        self._waited = 0 if improved else self._waited + 1
        self._max_score = max(val_score, self._max_score)
        self._min_loss = min(val_loss, self._min_loss)
        if self.rule == "pyg":
            impatient = self.epoch > self.epochs // 2 and val_loss > self._mean_loss()
            self._losses.append(val_loss)
        else:
            impatient = self._waited >= self.patience
        if keep:
            self.best_epoch = self.epoch
        self.exhausted = impatient or self.epoch >= self.epochs
        return keep

    def state_dict(self) -> dict[str, Any]:
        """Returns the state, for :meth:`load_state_dict`."""
        return {**vars(self), "_losses": list(self._losses)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores the state of another rule."""
        vars(self).update(state, _losses=deque(state["_losses"], maxlen=self.patience))

    def _mean_loss(self) -> float:
        # In float32, as in PyG. Without losses it is NaN, which no loss exceeds.
        return torch.tensor(list(self._losses), dtype=torch.float32).mean().item()
