"""The sentence about attention follows from its numbers."""

from dataclasses import replace

import pytest

from gatsparse.explain import Interval, explain
from gatsparse.explain.removal_test import MEAN
from gatsparse.explain.report.findings import _correlation, removal_sentence


@pytest.mark.parametrize(
    ("correlation", "advantage", "words"),
    [
        ((0.8, 0.7, 0.9), (0.2, 0.1, 0.3), "mostly tells"),
        ((0.4, 0.3, 0.5), (0.2, 0.1, 0.3), "partly tells"),
        ((0.2, 0.1, 0.3), (0.2, 0.1, 0.3), "hardly tells"),
        ((0.1, -0.1, 0.3), (0.2, 0.1, 0.3), "hardly tells"),
        ((0.1, -0.1, 0.3), (0.1, -0.1, 0.3), "does not measurably tell"),
        ((-0.2, -0.3, -0.1), (0.1, -0.1, 0.3), "misleads about"),
    ],
)
def test_sentence(model, data, correlation, advantage, words):
    test = explain(model, data, nodes=[], removals=3).removal
    correlations = [
        replace(c, within=Interval(*correlation, count=50)) if c.weight == MEAN else c
        for c in test.correlations
    ]
    test = replace(test, correlations=correlations, advantage=Interval(*advantage, count=50))
    text = removal_sentence(test)
    assert f"attention {words} which in-neighbours a prediction depends on" in text
    assert f"{abs(correlation[0]):.2f} (95 %" in text
    assert "(3 nodes)" in text
    assert "of the removals that have an effect raise the probability" in text


def test_correlation_of_a_single_node_has_no_interval():
    within = Interval(0.5, float("nan"), float("nan"), count=1)
    assert _correlation(within).endswith("within a node is 0.50, of a single node")
