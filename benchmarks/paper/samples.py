"""Statistics of a sample, and of two."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from math import sqrt
from statistics import fmean, stdev
from typing import Any, NamedTuple

from scipy import stats
from scipy.optimize import root_scalar


class Estimate(NamedTuple):
    """A number, and the interval that holds the true one with 95 % confidence.

    Args:
        value (float): The number.
        low, high (float): The interval; infinite where there is too little to tell.
    """

    value: float
    low: float
    high: float


class Comparison(NamedTuple):
    """What tells two samples apart.

    Args:
        difference (Estimate): Of the means, the first less the second; Welch's interval.
        welch, mann_whitney, kolmogorov_smirnov (float): P-values of the two-sided tests.
        detectable (float): The difference of means that Welch's test would have found in 80 %
            of such experiments, at the level of 5 %.
    """

    difference: Estimate
    welch: float
    mann_whitney: float
    kolmogorov_smirnov: float
    detectable: float


def mean(sample: Sequence[float]) -> Estimate:
    """The mean, with the interval of Student's t."""
    middle, count = fmean(sample), len(sample)
    if count == 1:
        return Estimate(middle, float("-inf"), float("inf"))
    return _interval(middle, stdev(sample) / sqrt(count), count - 1)


def difference(sample: Sequence[float], middle: float, deviation: float, count: int) -> Estimate:
    """The mean of a sample less that of another, of which only mean, standard deviation and
    size are known, with Welch's interval.

    Args:
        sample (list of float): At least two values.
        middle, deviation (float): Mean and standard deviation of the other.
        count (int): Size of the other.
    """
    error, freedom = _welch(stdev(sample), len(sample), deviation, count)
    return _interval(fmean(sample) - middle, error, freedom)


def compare(first: Sequence[float], second: Sequence[float]) -> Comparison:
    """Compares two independent samples.

    Raises:
        ValueError: If a sample has fewer than two values, or neither has two different ones.
    """
    for name, sample in (("first", first), ("second", second)):
        if len(sample) < 2:
            raise ValueError(f"{name}: expected at least 2 values, got {len(sample)}")
    if len(set(first)) == len(set(second)) == 1:
        raise ValueError("first, second: expected values that vary, got one value in each")
    deviations = stdev(first), stdev(second)
    error, freedom = _welch(deviations[0], len(first), deviations[1], len(second))
    return Comparison(
        difference=_interval(fmean(first) - fmean(second), error, freedom),
        welch=2 * float(stats.t.sf(abs(fmean(first) - fmean(second)) / error, freedom)),
        mann_whitney=_p(stats.mannwhitneyu(first, second)),
        kolmogorov_smirnov=_kolmogorov_smirnov(first, second),
        detectable=error * _detectable(freedom),
    )


def _p(result: Any) -> float:
    return float(result.pvalue)


def _kolmogorov_smirnov(first: Sequence[float], second: Sequence[float]) -> float:
    with warnings.catch_warnings():
        # SciPy's exact formula can fail for small distances; it then takes the asymptotic one.
        warnings.filterwarnings("ignore", "ks_2samp: Exact calculation unsuccessful")
        return _p(stats.ks_2samp(first, second))


def _welch(first: float, size: int, second: float, other: int) -> tuple[float, float]:
    """Standard error of a difference of means, and its degrees of freedom."""
    a, b = first**2 / size, second**2 / other
    return sqrt(a + b), (a + b) ** 2 / (a**2 / (size - 1) + b**2 / (other - 1))


def _interval(value: float, error: float, freedom: float) -> Estimate:
    width = error * float(stats.t.ppf(0.975, freedom))
    return Estimate(value, value - width, value + width)


def _detectable(freedom: float, level: float = 0.05, power: float = 0.8) -> float:
    """The difference, in standard errors, that a two-sided t test finds with this power."""
    critical = float(stats.t.ppf(1 - level / 2, freedom))

    def missing(shift: float) -> float:
        # The other tail by symmetry: there, SciPy's cdf can be NaN.
        found = stats.nct.sf(critical, freedom, shift) + stats.nct.sf(critical, freedom, -shift)
        return float(found) - power

    return float(root_scalar(missing, bracket=(0.0, 10 * critical)).root)
