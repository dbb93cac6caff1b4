"""Comparison of the accuracies of our layers and PyG's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.experiments.paper.accuracies import deviation
from benchmarks.experiments.paper.runs import PaperRuns, find
from benchmarks.samples import Comparison

HEADER = (
    "data set",
    "gatsparse (%), n",
    "PyG (%), n",
    "difference, 95 % CI",
    "Welch's t",
    "Mann-Whitney U",
    "Kolmogorov-Smirnov",
    "detectable",
)

LEGEND = """\
- One recipe (200 epochs, epoch of the best validation accuracy), layers of gatsparse and of PyG;
  test accuracy: mean ± standard deviation, number of trainings.
- P-values of the two-sided tests, not corrected for the number of tests. Accuracies tie, being
  multiples of one over the number of test nodes: that makes Kolmogorov-Smirnov conservative.
- detectable: the difference of means that Welch's test at the level of 5 % would have found in
  80 % of such experiments, with the deviations measured.
"""

_LEVEL = 0.05


def compared(
    paper_runs: PaperRuns, datasets: Sequence[str], count: int | None = None
) -> Iterator[tuple[str, list[float], list[float]]]:
    """Yields data set, accuracies of gatsparse and accuracies of PyG, with two seeds or more each.

    Arguments as of :func:`benchmarks.experiments.paper.accuracies.lines`.
    """
    for dataset in datasets:
        configs = paper_runs.short(dataset, "gatsparse"), paper_runs.short(dataset, "pyg")
        runs = [run.first(count) for config in configs if (run := find(config)) is not None]
        if len(runs) == 2 and min(len(run.seeds) for run in runs) > 1:
            ours, theirs = (run.accuracies(configs[0].rules[0]) for run in runs)
            yield dataset, ours, theirs


def line(
    dataset: str, ours: Sequence[float], theirs: Sequence[float], result: Comparison
) -> list[str]:
    """Returns a line of the table."""
    apart = result.difference
    return [
        dataset,
        f"{deviation(ours)}, {len(ours)}",
        f"{deviation(theirs)}, {len(theirs)}",
        f"{apart.value:+.2f} ({apart.low:+.2f} to {apart.high:+.2f})",
        *(f"{p:.3f}" if p >= 0.001 else "< 0.001" for p in _tests(result).values()),
        f"{result.detectable:.2f}",
    ]


def verdict(dataset: str, result: Comparison) -> str:
    """Describes the result of a comparison and its limits."""
    tests = _tests(result)
    telling = [name for name, p in tests.items() if p < _LEVEL]
    apart = result.difference
    interval = f"between {apart.low:+.2f} and {apart.high:+.2f} points (95 % confidence)"
    if not telling:
        return (
            f"{dataset}: no test tells gatsparse and PyG apart at the level of 5 %. That does not "
            f"show that they are equal: the difference of the means lies {interval}, and one below "
            f"{result.detectable:.2f} points would often have been missed."
        )
    silent = [name for name in tests if name not in telling]
    rest = f"; {' and '.join(silent)} not" if silent else ""
    higher = "gatsparse" if apart.value > 0 else "PyG"
    return (
        f"{dataset}: gatsparse and PyG are told apart at the level of 5 % by "
        f"{' and '.join(telling)}{rest}. The mean of {higher} is higher; the difference lies "
        f"{interval}."
    )


def _tests(result: Comparison) -> dict[str, float]:
    return {
        "Welch's t": result.welch,
        "Mann-Whitney U": result.mann_whitney,
        "Kolmogorov-Smirnov": result.kolmogorov_smirnov,
    }
