from __future__ import annotations

import math
from typing import Any

import pytest

from gatsparse.train import EarlyStopping

INF = math.inf


def run(rule: Any, patience: int, accs: list[float], losses: list[float]) -> tuple[list[int], int]:
    """The epochs that were kept, and the number of epochs run."""
    stopping = EarlyStopping(rule, patience)
    kept: list[int] = []
    for acc, loss in zip(accs, losses, strict=True):
        if stopping.update(acc, loss):
            kept.append(stopping.epoch)
            assert stopping.best_epoch == stopping.epoch
        if stopping.exhausted:
            break
    return kept, stopping.epoch


@pytest.mark.parametrize(
    ("accs", "patience", "kept", "epochs"),
    [
        ([0.1, 0.2, 0.3, 0.4], 2, [1, 2, 3, 4], 4),
        ([0.5, 0.5, 0.5, 0.6], 2, [1], 3),  # a tie is no improvement
        ([0.5, 0.4, 0.6, 0.6, 0.1, 0.9], 3, [1, 3, 6], 6),
        ([0.5, 0.4, 0.6, 0.6, 0.1, 0.9], 2, [1, 3], 5),
        ([0.0, 0.0], 2, [1], 2),
        ([0.0, 0.0], 1, [1], 2),
    ],
)
def test_val_acc(accs: list[float], patience: int, kept: list[int], epochs: int):
    improving_losses = [1.0 / (i + 1) for i in range(len(accs))]  # which do not count
    assert run("val_acc", patience, accs, improving_losses) == (kept, epochs)


@pytest.mark.parametrize(
    ("losses", "patience", "kept", "epochs"),
    [
        ([4.0, 3.0, 2.0, 1.0], 2, [1, 2, 3, 4], 4),
        ([1.0, 1.0, 1.0, 0.5], 2, [1], 3),
        ([2.0, 3.0, 1.0, 1.0, 5.0, 0.5], 3, [1, 3, 6], 6),
        ([2.0, 3.0, 1.0, 1.0, 5.0, 0.5], 2, [1, 3], 5),
    ],
)
def test_val_loss(losses: list[float], patience: int, kept: list[int], epochs: int):
    improving_accs = [i / len(losses) for i in range(len(losses))]
    assert run("val_loss", patience, improving_accs, losses) == (kept, epochs)


@pytest.mark.parametrize(
    ("accs", "losses", "patience", "kept", "epochs"),
    [
        # Both improve, then one of them at a time: the counter resets, nothing is kept.
        ([0.5, 0.6, 0.7, 0.6], [1.0, 0.9, 1.0, 0.8], 1, [1, 2], 4),
        # Ties count, for the counter and for what is kept.
        ([0.5, 0.5, 0.5], [1.0, 1.0, 1.0], 1, [1, 2, 3], 3),
        ([0.5, 0.5, 0.5, 0.4], [1.0, 1.1, 1.2, 1.3], 1, [1], 4),
        # Kept is measured by the best accuracy and the best loss of all earlier epochs,
        # not by those of the model kept before.
        ([0.5, 0.9, 0.6, 0.9], [1.0, 1.5, 0.5, 0.7], 2, [1], 4),
        ([0.5, 0.9, 0.6, 0.9], [1.0, 1.5, 0.5, 0.5], 2, [1, 4], 4),
        # Neither improves.
        ([0.5, 0.4, 0.3, 0.9], [1.0, 1.1, 1.2, 0.1], 2, [1], 3),
        ([0.0, 0.0], [INF, 1.0], 1, [1, 2], 2),
    ],
)
def test_paper(accs: list[float], losses: list[float], patience: int, kept: list[int], epochs: int):
    assert run("paper", patience, accs, losses) == (kept, epochs)


def test_nothing_is_kept_before_the_first_epoch():
    stopping = EarlyStopping("val_acc", 1)
    assert (stopping.best_epoch, stopping.epoch, stopping.exhausted) == (0, 0, False)
