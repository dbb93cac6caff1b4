"""Means over seeds and their confidence."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmarks.experiments.claims.estimate import estimate


@given(st.lists(st.floats(-5, 5).map(lambda value: round(value, 2)), min_size=2, max_size=10))
def test_estimate_equals_the_t_test(values):
    found = estimate(values)
    if len(set(values)) == 1:
        assert found.std == pytest.approx(0)
        return
    expected = stats.ttest_1samp(values, 0)
    interval = expected.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.p == pytest.approx(expected.pvalue)
    assert found.sign == (expected.pvalue < 0.05) * np.sign(found.mean)


def test_estimate_of_equal_values():
    assert dataclasses.astuple(estimate([0.0, 0.0])) == (0, 0, 0, 0, 1, 2)
    assert dataclasses.astuple(estimate([2.0, 2.0])) == (2, 0, 2, 2, 0, 2)
    assert [estimate([sign, sign]).sign for sign in (-1.0, 0.0, 1.0)] == [-1, 0, 1]
    with pytest.raises(ValueError, match="values: expected at least 2, got 1"):
        estimate([1.0])
