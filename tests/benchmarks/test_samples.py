from math import sqrt
from statistics import fmean, stdev

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from benchmarks import samples

VALUES = st.lists(st.integers(0, 1000).map(lambda n: n / 10), min_size=2, max_size=30)


def varied(*drawn):
    assume(all(len(set(sample)) > 1 for sample in drawn))


@given(VALUES)
def test_mean_equals_scipy(values):
    varied(values)
    found = samples.mean(values)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx(tuple(expected))
    assert found.value == pytest.approx(fmean(values))


def test_one_value_has_no_interval():
    assert samples.mean([82.0]) == (82.0, float("-inf"), float("inf"))


@given(VALUES, VALUES)
def test_compare_equals_scipy(first, second):
    varied(first, second)
    found = samples.compare(first, second)
    expected = stats.ttest_ind(first, second, equal_var=False)
    interval = expected.confidence_interval(0.95)
    assert found.welch == pytest.approx(expected.pvalue)
    assert (found.difference.low, found.difference.high) == pytest.approx(tuple(interval))
    # The interval and the test agree.
    assert (found.difference.low <= 0 <= found.difference.high) == (found.welch >= 0.05)


@given(VALUES, VALUES)
def test_difference_equals_compare(first, second):
    varied(first, second)
    found = samples.difference(first, fmean(second), stdev(second), len(second))
    assert found == pytest.approx(samples.compare(first, second).difference)


@given(VALUES, VALUES)
def test_exchanged_samples_change_the_sign(first, second):
    varied(first, second)
    one, other = samples.compare(first, second), samples.compare(second, first)
    assert one.difference.value == pytest.approx(-other.difference.value)
    assert one[1:] == pytest.approx(other[1:])


@given(VALUES, VALUES, st.sampled_from([0.1, 10.0]))
def test_detectable_difference_scales_with_the_samples(first, second, scale):
    varied(first, second)
    found = samples.compare([scale * value for value in first], [scale * v for v in second])
    assert found.detectable == pytest.approx(scale * samples.compare(first, second).detectable)


@pytest.mark.parametrize(("size", "expected"), [(10, 1.325), (30, 0.736), (64, 0.499)])
def test_detectable_difference_equals_the_textbook(size, expected):
    """In standard deviations, from Cohen's tables of power 0.8 at the two-sided level 0.05."""
    sample = [-1.0, 1.0] * (size // 2)
    found = samples.compare(sample, sample)
    assert found.detectable / stdev(sample) == pytest.approx(expected, abs=2e-3)


@given(st.floats(1, 200))
def test_detectable_difference_has_a_power_of_80_percent(freedom):
    critical, shift = stats.t.ppf(0.975, freedom), samples._detectable(freedom)
    found = stats.nct.sf(critical, freedom, shift) + stats.nct.sf(critical, freedom, -shift)
    assert found == pytest.approx(0.8)


def test_detectable_difference_is_detected_in_80_percent_of_experiments():
    """Welch's test finds the detectable difference in 80 of 100 experiments."""
    size = 20
    shift = sqrt(2 / size) * samples._detectable(2 * size - 2)
    noise = stats.norm.rvs(size=(2, 4000, size), random_state=0)
    found = stats.ttest_ind(noise[0] + shift, noise[1], axis=1, equal_var=False).pvalue < 0.05
    assert found.mean() == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ([1.0], [1.0, 2.0], "first: expected at least 2 values, got 1"),
        ([1.0, 2.0], [], "second: expected at least 2 values, got 0"),
        ([1.0, 1.0], [2.0, 2.0], "first, second: expected values that vary"),
    ],
)
def test_too_few_values_raise(first, second, message):
    with pytest.raises(ValueError, match=message):
        samples.compare(first, second)


def test_ratio_is_that_of_medians_of_pairs():
    pyg, ours = [2.0, 4.0, 60.0, 6.0, 5.0], [1.0, 2.0, 30.0, 3.0, 2.5]  # always twice as long
    assert samples.ratio(pyg, ours) == pytest.approx((2.0, 2.0, 2.0))
    value, low, high = samples.ratio(pyg, ours[::-1])
    assert value == 2.0
    assert low < 2 < high


def test_ratio_of_one_pair_has_no_interval():
    assert samples.ratio([3.0], [2.0]) == (1.5, float("-inf"), float("inf"))
