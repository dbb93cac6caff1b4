"""Functions that take turns, so that a drift of the machine meets all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np


def interleaved(
    functions: Sequence[Callable[[], object]], seconds: float, repetitions: int, calls: int = 1
) -> np.ndarray:
    """Seconds ``[repetitions or more, functions]`` of a call of functions that take turns.

    Args:
        functions (list): All of them run in every repetition.
        seconds (float): Repetitions start until so many seconds are over, ...
        repetitions (int): ... and the least number of them; both are met.
        calls (int, optional): Of each function in a row, for those that are over too soon to be
            timed alone.
    """
    times: list[list[float]] = []
    end = time.perf_counter() + seconds
    while len(times) < repetitions or time.perf_counter() < end:
        times.append([_seconds(function, calls) for function in functions])
    return np.array(times)


def alternate(
    functions: Mapping[str, Callable[[], object]], rounds: int, calls: int = 1
) -> dict[str, float]:
    """Median seconds of a call of each function; all of them run in every round, after one to
    warm up.

    Args:
        functions (dict): By their names.
        rounds (int): Rounds that are timed.
        calls (int, optional): As of :func:`interleaved`.
    """
    times = interleaved(list(functions.values()), 0.0, rounds + 1, calls)
    return dict(zip(functions, np.median(times[1:], axis=0).tolist(), strict=True))


def _seconds(function: Callable[[], object], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        function()
    return (time.perf_counter() - start) / calls
