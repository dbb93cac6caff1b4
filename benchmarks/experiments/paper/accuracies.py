"""Table of the accuracies next to the published ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import stdev

from benchmarks import samples
from benchmarks.experiments.paper.protocols import PROTOCOLS, Protocol
from benchmarks.experiments.paper.published import Published
from benchmarks.experiments.paper.runs import PaperRuns, Run, find
from benchmarks.samples import PERCENT, Estimate

HEADER = (
    "data set",
    "protocol",
    "n",
    "accuracy (%)",
    "95 % CI of the mean",
    "published (%)",
    "source",
    "published mean lies",
    "difference, 95 % CI",
)

LEGEND = """\
- accuracy: mean ± standard deviation of the test accuracy over n trainings, each with a seed of
  its own; the interval of the mean is Student's.
- published mean lies: inside that interval, below or above it. That interval says nothing of how
  well the published mean is known; the last column does.
- difference: our mean less the published one, with Welch's interval from the published standard
  deviation and number of trainings.
- "original code": both rules judge the same trainings.
- random splits: 20 training and 30 validation nodes of each class in the largest connected
  component, the others are test nodes (as Shchur et al.); Fey & Lenssen draw 500 validation and
  1000 test nodes from the whole graph.
"""


def lines(
    paper_runs: PaperRuns, datasets: Sequence[str], count: int | None = None
) -> Iterator[list[str]]:
    """Yields the lines of the table, for all existing runs.

    Args:
        paper_runs (PaperRuns): Folder and configurations of the runs.
        datasets (list of str): Names of data sets.
        count (int, optional): Number of seeds; by default, all.
    """
    for dataset, protocol, run in found(paper_runs, datasets, count):
        values = run.accuracies(protocol.rule)
        published = protocol.published.get(dataset, ())
        for k, other in enumerate(published or (None,)):
            what = [dataset, protocol.name, *_ours(values)] if k == 0 else ["", "", "", "", ""]
            yield [*what, *_beside(values, other)]


def found(
    paper_runs: PaperRuns, datasets: Sequence[str], count: int | None = None
) -> Iterator[tuple[str, Protocol, Run]]:
    """Yields data set, protocol and run of all existing runs; arguments as of :func:`lines`."""
    for dataset in datasets:
        for protocol in PROTOCOLS:
            run = find(paper_runs.protocol(dataset, protocol.suffix))
            if run is not None and (run := run.first(count)).seeds:
                yield dataset, protocol, run


def position(published: float, interval: Estimate) -> str:
    """Returns whether a published mean is ``"inside"``, ``"below"`` or ``"above"`` our interval."""
    if published < interval.low:
        return "below"
    return "above" if published > interval.high else "inside"


def deviation(values: Sequence[float]) -> str:
    """Returns mean and standard deviation as text."""
    middle = samples.mean(values).value
    return f"{middle:.2f} ± {stdev(values):.2f}" if len(values) > 1 else f"{middle:.2f}"


def _ours(values: Sequence[float]) -> list[str]:
    if len(values) == 1:
        return ["1", deviation(values), "-"]
    interval = samples.mean(values, PERCENT)
    return [str(len(values)), deviation(values), f"{interval.low:.2f} to {interval.high:.2f}"]


def _beside(values: Sequence[float], published: Published | None) -> list[str]:
    if published is None:
        return ["-"] * 4
    figure = [f"{published.mean} ± {published.std}, {published.runs}", published.source]
    if len(values) == 1:
        return [*figure, "-", "-"]
    apart = samples.difference(values, published.mean, published.std, published.runs)
    return [
        *figure,
        position(published.mean, samples.mean(values, PERCENT)),
        f"{apart.value:+.2f} ({apart.low:+.2f} to {apart.high:+.2f})",
    ]
