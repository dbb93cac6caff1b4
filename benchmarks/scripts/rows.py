"""Lines of the tables of :mod:`benchmarks.scripts`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean

from benchmarks.samples import Estimate, compare
from benchmarks.sections import Row, times


@dataclass(frozen=True)
class ScriptRow(Row):
    """A function of a script; median seconds of an epoch by contender."""

    script: str
    graph: str
    load: str
    function: str
    rounds: int
    seconds: dict[str, float]
    gain: Estimate
    error: float

    def cells(self) -> list[str]:
        """Cells of the line, with times in milliseconds."""
        interval = f"{self.gain.low:.2f} to {self.gain.high:.2f}"
        return [
            self.script,
            self.graph,
            self.load,
            self.function,
            str(self.rounds),
            *times(self.seconds, 1e3),
            interval if math.isfinite(self.gain.high) else "-",
            f"{self.error:.0e}",
        ]


@dataclass(frozen=True)
class AccuracyRow(Row):
    """Test accuracies of whole trainings, by contender."""

    script: str
    epochs: int
    accuracies: dict[str, list[float]]

    def _difference(self) -> Estimate:
        return compare(self.accuracies["gatsparse"], self.accuracies["PyG"]).difference

    def cells(self) -> list[str]:
        """Cells of the line, in percent."""
        means = [f"{100 * fmean(self.accuracies[name]):.2f}" for name in ("PyG", "gatsparse")]
        value, low, high = (100 * bound for bound in self._difference())
        seeds = str(len(self.accuracies["PyG"]))
        return [
            self.script,
            seeds,
            str(self.epochs),
            *means,
            f"{value:+.2f}",
            f"{low:+.2f} to {high:+.2f}",
        ]

    def failure(self) -> str:
        """The interval of the difference, if 0 is outside it."""
        _, low, high = self._difference()
        if low <= 0 <= high:
            return ""
        return f"{self.script}: the accuracies differ by {100 * low:+.2f} to {100 * high:+.2f} %"
