"""A training script: its model, and what its loop calls."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch


class Script(NamedTuple):
    """A training script after its set-up.

    Args:
        model (torch.nn.Module): The model.
        optimizer (torch.optim.Optimizer): Optimiser of its parameters.
        train (callable): Trains an epoch, and returns the mean loss.
        test (callable): Returns the scores of the splits.
    """

    model: torch.nn.Module
    optimizer: torch.optim.Optimizer
    train: Callable[[], float]
    test: Callable[[], list[float]]


class Case(NamedTuple):
    """A script and its data.

    Args:
        data (callable): Returns the data: ``Data``, ``HeteroData``, or a list of ``Data``. Takes
            the folder of data sets (or None) and the scale, a factor of the size.
        script (callable): Sets the script up. Takes the data, and ``dropout`` by keyword.
        calls (int, optional): Epochs that are timed together.
        rounds (int, optional): Largest number of interleaved rounds, for scripts that take long.
        gate (float, optional): Scale of the data on which the results are compared, for scripts
            whose float64 would not fit.
        scored (bool, optional): Whether the accuracies of whole trainings can be compared.
    """

    data: Callable[[Path | None, float], Any]
    script: Callable[..., Script]
    calls: int = 1
    rounds: int = 1000
    gate: float = 1.0
    scored: bool = False
