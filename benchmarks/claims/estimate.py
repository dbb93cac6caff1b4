"""Means over seeds, and how sure they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from scipy import stats

LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds, by Student's t.

    Args:
        mean (float): The mean.
        std (float): Standard deviation of one seed.
        low, high (float): Confidence interval of the mean, of :data:`LEVEL`.
        p (float): p-value of the hypothesis that the mean is 0; of paired differences, that of
            the paired t-test.
        count (int): Number of seeds.
    """

    mean: float
    std: float
    low: float
    high: float
    p: float
    count: int

    @property
    def sign(self) -> int:
        """The sign of the mean; 0 if 0 lies in the interval."""
        return (self.low > 0) - (self.high < 0)

    @property
    def interval(self) -> str:
        """The interval in words."""
        return f"{self.low:.1f} to {self.high:.1f}"


def estimate(values: Sequence[float]) -> Estimate:
    """The mean of independent values.

    Args:
        values (list of float): One for every seed.

    Raises:
        ValueError: If there are fewer than two.
    """
    count = len(values)
    if count < 2:
        raise ValueError(f"values: expected at least 2, got {count}")
    mean, std = fmean(values), stdev(values)
    error = std / math.sqrt(count)
    half = float(stats.t.ppf((1 + LEVEL) / 2, count - 1)) * error
    degenerate = math.inf if mean else 0.0  # all values are equal
    statistic = abs(mean) / error if error else degenerate
    p = 2 * float(stats.t.sf(statistic, count - 1))
    return Estimate(mean, std, mean - half, mean + half, p, count)
