"""Confidence intervals."""

from __future__ import annotations


def student_interval(
    center: float, error: float, freedom: float, level: float = 0.95
) -> tuple[float, float]:
    """Returns the bounds of Student's confidence interval.

    Args:
        center (float): Estimate, such as a mean.
        error (float): Its standard error.
        freedom (float): Degrees of freedom.
        level (float, optional): Confidence level. (default: 0.95)
    """
    from scipy import stats

    half = error * float(stats.t.ppf((1 + level) / 2, freedom))
    return center - half, center + half
