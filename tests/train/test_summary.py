from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from gatsparse.train import FitResult, RuleResult, TrainConfig
from gatsparse.train.summary import headline, spread, summarize


def result(test_score: float, **options: Any) -> FitResult:
    first = RuleResult(best_epoch=3, epochs=4, val_score=0.5, val_loss=1.5, test_score=test_score)
    second = replace(first, best_epoch=5, test_score=test_score / 2)
    rules = {"paper": first, "pyg": second}
    return FitResult(rules=rules, losses=[1.0] * 6, seconds=2.5, state_dict={}, **options)


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=20, unique=True))
def test_spread(correct: list[int]):
    values = [number / 1000 for number in correct]
    figures = spread(values)
    assert figures["mean"] == pytest.approx(np.mean(values))
    assert figures["std"] == pytest.approx(np.std(values, ddof=1))
    interval = stats.t.interval(0.95, len(values) - 1, loc=np.mean(values), scale=stats.sem(values))
    assert (figures["ci95_low"], figures["ci95_high"]) == pytest.approx(interval)
    assert (figures["min"], figures["max"]) == (min(values), max(values))


def test_interval_equals_a_published_table():
    """Student's t of 9 degrees of freedom is 2.262 at 97.5 %."""
    figures = spread([1.0, 2.0] * 5)
    half = 2.262 * (5 / 18) ** 0.5 / 10**0.5
    assert figures["ci95_high"] == pytest.approx(1.5 + half, abs=1e-4)


def test_one_value_has_no_deviation():
    assert spread([0.3]) == {
        "mean": 0.3,
        "std": None,
        "ci95_low": None,
        "ci95_high": None,
        "min": 0.3,
        "max": 0.3,
    }


def test_seeds_have_the_order_of_the_configuration():
    config = TrainConfig("cora", stopping=["paper", "pyg"], seeds=[7, 2, 5])
    summary = summarize(config, {5: result(0.5), 7: result(0.75)})
    assert summary["seeds"] == [7, 5]
    assert (summary["epochs"], summary["epochs_mean"]) == ([6, 6], 6)
    assert (summary["seconds"], summary["seconds_total"]) == ([2.5, 2.5], 5)
    assert list(summary["rules"]) == ["paper", "pyg"]
    paper, pyg = summary["rules"].values()
    assert (paper["test_score"], paper["best_epoch"], paper["epochs"]) == (
        [0.75, 0.5],
        [3, 3],
        [4, 4],
    )
    assert (pyg["test_score"], pyg["best_epoch"]) == ([0.375, 0.25], [5, 5])
    assert (paper["test_score_mean"], pyg["test_score_max"]) == (0.625, 0.375)


def test_headline():
    config = TrainConfig("cora", stopping=["paper", "pyg"], seeds=2)
    lines = headline(summarize(config, {0: result(0.81), 1: result(0.83)})).splitlines()
    assert lines[0] == (
        "cora, gatsparse, paper: test accuracy 82.00 +- 1.41 %, "
        "95 % interval of the mean 69.29 .. 94.71, range 81.0 .. 83.0"
    )
    assert lines[1].startswith("cora, gatsparse, pyg: test accuracy 41.00 +- 0.71 %")
    assert lines[2] == "2 seed(s), 6 epochs on average, 5.0 s of training"
    assert headline(summarize(config, {1: result(0.83)})).splitlines()[0] == (
        "cora, gatsparse, paper: test accuracy 83.00 %"
    )
