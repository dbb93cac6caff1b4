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
    config = TrainConfig("cora", stopping=["paper", "pyg"], seeds=3)
    three = {0: result(0.81), 1: result(0.82), 2: result(0.83)}
    lines = headline(summarize(config, three)).splitlines()
    assert lines[0] == (
        "cora, gatsparse, paper: test accuracy 82.00 +- 1.00 %, "
        "95 % interval of the mean 79.52 .. 84.48, range 81.0 .. 83.0"
    )
    assert lines[1].startswith("cora, gatsparse, pyg: test accuracy 41.00 +- 0.50 %")
    assert lines[2] == "3 seed(s), 6 epochs on average, 7.5 s of training"


def test_headline_lists_the_scores_of_few_seeds():
    config = TrainConfig("cora", stopping="paper", seeds=2)
    two = {0: result(0.81), 1: result(0.83)}
    start = "cora, gatsparse, paper: test accuracy"
    assert headline(summarize(config, {1: two[1]})).splitlines()[0] == f"{start} 83.00 %"
    assert headline(summarize(config, two)).splitlines()[0] == (
        f"{start} 82.00 %, seeds: 81.0, 83.0 %"
    )


@pytest.mark.parametrize(
    ("options", "scores", "low", "high"),
    [
        ({}, [0.9, 0.95, 1.0], 0.95 - 4.3027 * 0.05 / 3**0.5, 1.0),
        ({}, [0.0, 0.0, 0.2], 0.0, 1 / 15 + 4.3027 / 15),
        ({"task": "regression", "metric": "r2"}, [-5.0, 0.9, 0.9], -9.53, 1.0),
        ({"task": "regression", "metric": "mae"}, [1.0, 1.0, 9.0], 0.0, 15.14),
    ],
)
def test_intervals_contain_possible_scores_only(
    options: Any, scores: list[float], low: float, high: float
):
    config = TrainConfig("cora", stopping="paper", seeds=3, **options)
    figures = summarize(config, {k: result(score) for k, score in enumerate(scores)})
    paper = figures["rules"]["paper"]
    found = (paper["test_score_ci95_low"], paper["test_score_ci95_high"])
    assert found == pytest.approx((low, high), abs=1e-2)
