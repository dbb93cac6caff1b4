"""Interleaved timing of functions, so that a drift of the machine affects all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np


def interleaved(
    functions: Sequence[Callable[[], object]], seconds: float, repetitions: int, calls: int = 1
) -> np.ndarray:
    """Returns seconds per call of interleaved functions, ``[repetitions or more, functions]``.

    Args:
        functions (list): Functions, all of which run in every repetition.
        seconds (float): Minimum seconds of all repetitions together.
        repetitions (int): Minimum number of repetitions.
        calls (int, optional): Consecutive calls of each function, for functions that are too
            short to be timed alone.
    """
    times: list[list[float]] = []
    end = time.perf_counter() + seconds
    while len(times) < repetitions or time.perf_counter() < end:
        times.append([_seconds(function, calls) for function in functions])
    return np.array(times)


def alternate(
    functions: Mapping[str, Callable[[], object]], rounds: int, calls: int = 1
) -> dict[str, float]:
    """Returns the median seconds per call of each function, interleaved over rounds.

    Args:
        functions (dict): Functions by name.
        rounds (int): Number of timed rounds, after one to warm up.
        calls (int, optional): See :func:`interleaved`.
    """
    times = interleaved(list(functions.values()), 0.0, rounds + 1, calls)
    return dict(zip(functions, np.median(times[1:], axis=0).tolist(), strict=True))


def _seconds(function: Callable[[], object], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        function()
    return (time.perf_counter() - start) / calls
