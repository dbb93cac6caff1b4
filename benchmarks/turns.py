"""Functions that take turns, so that a drift of the machine meets all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import median


def alternate(
    functions: Mapping[str, Callable[[], object]], rounds: int, calls: int = 1
) -> dict[str, float]:
    """Median seconds of a call of each function; all of them run in every round, after one to
    warm up.

    Args:
        functions (dict): By their names.
        rounds (int): Rounds that are timed.
        calls (int, optional): Of each function in a row, for those that are over too soon to be
            timed alone.
    """
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds + 1):
        for name, function in functions.items():
            start = time.perf_counter()
            for _ in range(calls):
                function()
            times[name].append((time.perf_counter() - start) / calls)
    return {name: median(seconds[1:]) for name, seconds in times.items()}
