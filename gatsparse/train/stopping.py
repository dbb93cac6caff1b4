"""When training stops, and which epoch's model is kept."""

from __future__ import annotations

import math
from typing import Literal

#: The rules of :class:`EarlyStopping`.
StoppingRule = Literal["val_acc", "val_loss", "paper"]


class EarlyStopping:
    """Counts the epochs without improvement on the validation nodes.

    ========== ======================================== ====================================
    rule       an improvement, which resets the counter the model that is kept
    ========== ======================================== ====================================
    val_acc    an accuracy above all earlier ones       the last improvement, so the first
                                                        epoch of the highest accuracy
    val_loss   a loss below all earlier ones            the last improvement
    paper      an accuracy >= all earlier ones, **or**  the last epoch with such an accuracy
               a loss <= all earlier ones               **and** such a loss
    ========== ======================================== ====================================

    The first epoch is kept under every rule.

    Args:
        rule (str): One of the above; ``"paper"`` is that of the authors' code.
        patience (int): Stops after so many epochs in a row without improvement.

    Attributes:
        epoch (int): Number of epochs seen.
        best_epoch (int): The epoch whose model is kept, counted from 1; 0 before any.
    """

    def __init__(self, rule: StoppingRule, patience: int) -> None:
        self.rule: StoppingRule = rule
        self.patience = patience
        self.epoch = 0
        self.best_epoch = 0
        self._waited = 0
        self._max_acc = -math.inf
        self._min_loss = math.inf

    def update(self, val_acc: float, val_loss: float) -> bool:
        """Takes the result of one more epoch; returns whether to keep its model."""
        if self.rule == "val_acc":
            improved = keep = val_acc > self._max_acc
        elif self.rule == "val_loss":
            improved = keep = val_loss < self._min_loss
        else:
            accurate, fitting = val_acc >= self._max_acc, val_loss <= self._min_loss
            improved, keep = accurate or fitting, accurate and fitting
        self.epoch += 1
        self._waited = 0 if improved else self._waited + 1
        self._max_acc = max(val_acc, self._max_acc)
        self._min_loss = min(val_loss, self._min_loss)
        if keep:
            self.best_epoch = self.epoch
        return keep

    @property
    def exhausted(self) -> bool:
        """Whether the patience is used up."""
        return self._waited >= self.patience
