"""Means over seeds and their confidence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from scipy import stats

from gatsparse.intervals import UNBOUNDED, student_interval

LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds, with Student's interval.

    Args:
        mean (float): The mean.
        std (float): Standard deviation of one seed.
        low, high (float): Confidence interval of the mean, at :data:`LEVEL`.
        p (float): p-value of the hypothesis that the mean is 0; for paired differences, the
            p-value of the paired t-test.
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
        """Sign of the mean; 0 if the interval contains 0."""
        return (self.low > 0) - (self.high < 0)

    @property
    def interval(self) -> str:
        """The interval as text."""
        return f"{self.low:.1f} to {self.high:.1f}"


def estimate(values: Sequence[float], bounds: tuple[float, float] = UNBOUNDED) -> Estimate:
    """Returns the mean of independent values.

    Args:
        values (list of float): One value per seed.
        bounds (tuple of float, optional): Smallest and largest possible value.

    Raises:
        ValueError: If there are fewer than two values.
    """
    count = len(values)
    if count < 2:
        raise ValueError(f"values: expected at least 2, got {count}")
    mean, std = fmean(values), stdev(values)
    error = std / math.sqrt(count)
    degenerate = math.inf if mean else 0.0  # all values are equal
    statistic = abs(mean) / error if error else degenerate
    p = 2 * float(stats.t.sf(statistic, count - 1))
    interval = student_interval(mean, error, count - 1, LEVEL, bounds)
    return Estimate(mean, std, *interval, p, count)
