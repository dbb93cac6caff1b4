"""Confidence intervals."""

from __future__ import annotations

import math

#: Bounds of any number.
UNBOUNDED = (-math.inf, math.inf)


def student_interval(
    center: float,
    error: float,
    freedom: float,
    level: float = 0.95,
    bounds: tuple[float, float] = UNBOUNDED,
) -> tuple[float, float]:
    """Returns the bounds of Student's confidence interval.

    Args:
        center (float): Estimate, such as a mean.
        error (float): Its standard error.
        freedom (float): Degrees of freedom.
        level (float, optional): Confidence level. (default: 0.95)
        bounds (tuple of float, optional): Smallest and largest possible value of what is estimated,
            such as 0 and 1 for an accuracy. The interval is cut there, which does not change its
            confidence level. (default: none)
    """
    from scipy import stats

    half = error * float(stats.t.ppf((1 + level) / 2, freedom))
    low, high = bounds
    return max(center - half, low), min(center + half, high)
