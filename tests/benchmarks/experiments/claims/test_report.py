"""Verdicts of the report."""

import dataclasses

import pytest

from benchmarks.experiments.claims.models import ATTENTIVE, MODELS
from benchmarks.experiments.claims.report import outcome, resistance, symmetry
from benchmarks.experiments.claims.training import Task
from tests.benchmarks.experiments.claims.made_up import made_up


@pytest.mark.parametrize(
    ("noisy", "verdict", "difference"),
    [
        (0.75, "resists noise better**", "loses 15.0 points less"),
        (0.60, "that it resists noise better is not shown", "loses 0.0 points"),
        (0.50, "resists noise worse**", "loses 10.0 points more"),
    ],
)
def test_report_states_the_verdict_on_noise(noisy, verdict, difference):
    accuracies = dict.fromkeys(MODELS, (0.8, 0.6)) | {"GAT": (0.8, noisy)}
    text = resistance(made_up(accuracies), "digits", "GAT")
    assert text.count(verdict) == 2  # against mean and GCN
    assert difference in text


def test_interval_has_the_sign_of_its_difference():
    findings = made_up(dict.fromkeys(MODELS, (0.8, 0.6)) | {"GAT": (0.8, 0.5)})
    for seed, step in enumerate((0.0, 0.01, -0.01)):
        task = Task("digits", "GAT", 100, seed, 1)
        findings.rows[task] = dataclasses.replace(findings.rows[task], test_score=0.5 + step)
    found = findings.advantage("digits", "GAT", "mean")
    assert found.low < found.mean < found.high < 0
    assert f"more ({-found.high:.1f} to {-found.low:.1f})" in resistance(findings, "digits", "GAT")


@pytest.mark.parametrize(
    ("shares", "verdict"),
    [((0.4, 0.5), ": less (10.0"), ((0.5, 0.5), "not shown to differ"), ((0.6, 0.5), ": more (10")],
)
def test_report_states_the_share_of_noise(shares, verdict):
    findings = made_up(dict.fromkeys(MODELS, (0.8, 0.6)), shares)
    assert "\n".join(outcome(findings)).count(verdict) == len(ATTENTIVE)


@pytest.mark.parametrize(("score", "verdict"), [(0.01, "by less than that"), (0.3, "by more")])
def test_report_compares_scores_with_degrees(score, verdict):
    findings = made_up(dict.fromkeys(MODELS, (0.8, 0.6)), score=score)
    text = symmetry(findings, "digits", "GAT")
    assert f"the scores differ {verdict} (exp(score): {score:.3f})" in text
