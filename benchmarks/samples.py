"""Statistics of one sample and of two samples."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from math import sqrt
from statistics import fmean, stdev
from typing import Any, NamedTuple

import numpy as np
from scipy import stats
from scipy.optimize import root_scalar

from gatsparse.intervals import UNBOUNDED, student_interval

#: Bounds of a percentage.
PERCENT = (0.0, 100.0)


class Estimate(NamedTuple):
    """A number and its 95 % confidence interval.

    Args:
        value (float): The number.
        low, high (float): Bounds of the interval; infinite for a single value.
    """

    value: float
    low: float
    high: float


class Comparison(NamedTuple):
    """Comparison of two samples.

    Args:
        difference (Estimate): Mean of the first minus mean of the second; Welch's interval.
        welch, mann_whitney, kolmogorov_smirnov (float): p-values of the two-sided tests.
        detectable (float): Difference of means that Welch's test detects with a power of 80 % at
            the level of 5 %.
    """

    difference: Estimate
    welch: float
    mann_whitney: float
    kolmogorov_smirnov: float
    detectable: float


def mean(sample: Sequence[float], bounds: tuple[float, float] = UNBOUNDED) -> Estimate:
    """Returns the mean, with Student's interval.

    Args:
        sample (list of float): The values.
        bounds (tuple of float, optional): Smallest and largest possible value.
    """
    middle, count = fmean(sample), len(sample)
    if count == 1:
        return Estimate(middle, *bounds)
    error = stdev(sample) / sqrt(count)
    return Estimate(middle, *student_interval(middle, error, count - 1, bounds=bounds))


def difference(sample: Sequence[float], middle: float, deviation: float, count: int) -> Estimate:
    """Returns the mean of a sample minus that of another, with Welch's interval.

    Args:
        sample (list of float): At least two values.
        middle, deviation (float): Mean and standard deviation of the other sample.
        count (int): Size of the other sample.
    """
    error, freedom = _welch(stdev(sample), len(sample), deviation, count)
    return _interval(fmean(sample) - middle, error, freedom)


def ratio(first: Sequence[float], second: Sequence[float]) -> Estimate:
    """Returns the ratio of the medians of paired samples, with a bootstrap interval.

    Args:
        first, second (list of float): Positive values; the pairs are drawn again 2000 times.
    """
    pairs = np.array([first, second])
    count = pairs.shape[1]
    value = _median_ratio(pairs)
    if count == 1:
        return Estimate(float(value), float("-inf"), float("inf"))
    drawn = np.random.default_rng(0).integers(count, size=(2000, count))
    low, high = np.quantile(_median_ratio(pairs[:, drawn]), [0.025, 0.975]).tolist()
    return Estimate(float(value), low, high)


def compare(first: Sequence[float], second: Sequence[float]) -> Comparison:
    """Compares two independent samples.

    Raises:
        ValueError: If a sample has fewer than two values, or both are constant.
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


def _median_ratio(pairs: np.ndarray) -> np.ndarray:
    first, second = np.median(pairs, axis=-1)
    return first / second


def _p(result: Any) -> float:
    return float(result.pvalue)


def _kolmogorov_smirnov(first: Sequence[float], second: Sequence[float]) -> float:
    with warnings.catch_warnings():
        # SciPy's exact formula can fail for small distances; it falls back to the asymptotic one.
        warnings.filterwarnings("ignore", "ks_2samp: Exact calculation unsuccessful")
        return _p(stats.ks_2samp(first, second))


def _welch(first: float, size: int, second: float, other: int) -> tuple[float, float]:
    """Returns the standard error of a difference of means, and its degrees of freedom."""
    a, b = first**2 / size, second**2 / other
    return sqrt(a + b), (a + b) ** 2 / (a**2 / (size - 1) + b**2 / (other - 1))


def _interval(value: float, error: float, freedom: float) -> Estimate:
    return Estimate(value, *student_interval(value, error, freedom))


def _detectable(freedom: float, level: float = 0.05, power: float = 0.8) -> float:
    """Difference, in standard errors, that a two-sided t-test detects with this power."""
    critical = float(stats.t.ppf(1 - level / 2, freedom))

    def missing(shift: float) -> float:
        # The other tail by symmetry, because SciPy's cdf can be NaN there.
        found = stats.nct.sf(critical, freedom, shift) + stats.nct.sf(critical, freedom, -shift)
        return float(found) - power

    return float(root_scalar(missing, bracket=(0.0, 10 * critical)).root)
