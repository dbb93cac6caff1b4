"""Times of whole recipes with our layers and with PyG's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import fsum
from statistics import fmean

from benchmarks.experiments.paper.protocols import TIMED
from benchmarks.experiments.paper.runs import PaperRuns, Run, find

HEADER = (
    "data set",
    "recipe",
    "seeds",
    "gatsparse (min)",
    "epochs",
    "ms per epoch",
    "PyG's seeds",
    "PyG, scaled up (min)",
    "epochs",
    "ms per epoch",
    "ratio",
    "ratio per epoch",
)

LEGEND = """\
- Minutes of training: the sum over the seeds of gatsparse, of their wall seconds in one thread
  each; side by side they take less. Those of PyG are measured of few seeds and scaled up to as
  many; epochs are means.
- In "original code" the model of gatsparse is exactly that of the authors' code, that of PyG is
  PyG's own layers in the same recipe.
- The ratio depends on when each training stops, the ratio per epoch does not.
"""


def lines(
    paper_runs: PaperRuns, datasets: Sequence[str], count: int | None = None
) -> Iterator[list[str]]:
    """Yields the lines of the table, for all recipes that both were trained with.

    Arguments as of :func:`benchmarks.experiments.paper.accuracies.lines`; :obj:`count` limits the
    seeds of gatsparse.
    """
    for dataset in datasets:
        for suffix, name in TIMED.items():
            ours = find(paper_runs.protocol(dataset, suffix))
            theirs = find(paper_runs.protocol_by_pyg(dataset, suffix))
            if ours is None or theirs is None or not theirs.seeds:
                continue
            if (ours := ours.first(count)).seeds:
                yield [dataset, name, *_figures(ours, theirs)]


def _figures(ours: Run, theirs: Run) -> list[str]:
    count, few = len(ours.seeds), len(theirs.seeds)
    seconds = _seconds(ours)
    scaled = _seconds(theirs) * count / few
    each, other = _per_epoch(ours), _per_epoch(theirs)
    return [
        str(count),
        f"{seconds / 60:.3g}",
        f"{_epochs(ours):.0f}",
        f"{1e3 * each:.3g}",
        str(few),
        f"{scaled / 60:.3g}",
        f"{_epochs(theirs):.0f}",
        f"{1e3 * other:.3g}",
        f"{scaled / seconds:.2f}x",
        f"{other / each:.2f}x",
    ]


def _seconds(run: Run) -> float:
    return fsum(seed.seconds for seed in run.seeds.values())


def _epochs(run: Run) -> float:
    return fmean(seed.epochs for seed in run.seeds.values())


def _per_epoch(run: Run) -> float:
    return _seconds(run) / sum(seed.epochs for seed in run.seeds.values())
