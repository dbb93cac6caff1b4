"""The time of a whole training, measured to its end or scaled up from its first epochs."""

from __future__ import annotations

import time
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING

from torch._inductor.utils import fresh_cache
from torch_geometric import seed_everything

from benchmarks.rows import Values
from gatsparse.train import fit

if TYPE_CHECKING:
    from torch_geometric.data import Data

    from benchmarks.config import Recipe
    from benchmarks.contenders import Contender
    from gatsparse.train import TrainConfig


class _CutOffError(Exception):
    """Ends a training that would take too long."""


def train(contender: Contender, data: Data, training: TrainConfig, recipe: Recipe) -> Values:
    """Times a training, with step and validation in every epoch.

    The time includes compilation, which starts without cached code.

    Args:
        contender (Contender): Contender whose model is trained.
        data (torch_geometric.data.Data): Result of :func:`gatsparse.train.load_task`.
        training (TrainConfig): Configuration of the training.
        recipe (Recipe): Seed and time limit.

    Returns:
        Values: Times, and the accuracy if the training was not stopped early.
    """
    seed_everything(recipe.seed)
    model = contender.build(data, training.model.dropout)
    ends: list[float] = []  # end of each epoch, in seconds from the start

    def on_epoch(_: object) -> None:
        ends.append(time.perf_counter() - start)
        projected = whole(ends[0], ends[-1], len(ends), training.epochs)
        unfinished = 2 <= len(ends) < training.epochs
        if unfinished and ends[-1] - ends[0] >= recipe.seconds and projected > recipe.limit:
            raise _CutOffError

    accuracy = None
    with fresh_cache() if contender.compiled else nullcontext():
        start = time.perf_counter()
        with suppress(_CutOffError):
            accuracy = fit(model, data, training, on_epoch=on_epoch).test_score
    return Values(accuracy=accuracy, seconds=ends[-1], first_epoch=ends[0], epochs=len(ends))


def whole(first: float, seconds: float, done: int, epochs: int) -> float:
    """Extrapolates the seconds of all epochs from the first ones.

    Additional time of the first epoch, such as for compilation, counts once.

    Args:
        first (float): Seconds of the first epoch.
        seconds (float): Seconds of all epochs that were run.
        done (int): Number of epochs that were run.
        epochs (int): Number of all epochs.
    """
    if done == 1:
        return seconds * epochs
    return seconds + (epochs - done) * (seconds - first) / (done - 1)
