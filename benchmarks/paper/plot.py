"""The accuracies of the reproduction as a chart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.paper.accuracies import found
from benchmarks.paper.protocols import Protocol
from benchmarks.paper.runs import Run, Workplace


def plot(workplace: Workplace, datasets: Sequence[str], count: int | None = None) -> list[Path]:
    """Draws ``accuracies.png``: every training a point, with a box of each protocol and the
    published means beside it; nothing if there is no run.

    Args:
        workplace (Workplace): Where the runs are.
        datasets (list of str): Of which data sets.
        count (int, optional): Of how many seeds.

    Returns:
        list of Path: The file.
    """
    runs: dict[str, list[tuple[Protocol, Run]]] = {}
    for dataset, protocol, run in found(workplace, datasets, count):
        runs.setdefault(dataset, []).append((protocol, run))
    if not runs:
        return []
    figure = Figure(figsize=(5.5 * len(runs), 4.5), layout="constrained")
    axes = figure.subplots(1, len(runs), squeeze=False)[0]
    for axis, (dataset, of_dataset) in zip(axes, runs.items(), strict=True):
        axis.set_title(dataset)
        _draw(axis, dataset, of_dataset)
    axes[0].set_ylabel("test accuracy [%]")
    path = workplace.out / "accuracies.png"
    figure.savefig(path, dpi=150)
    return [path]


def _draw(axis: Axes, dataset: str, runs: Sequence[tuple[Protocol, Run]]) -> None:
    generator = np.random.default_rng(0)
    label: str | None = "published, mean ± std"
    for position, (protocol, run) in enumerate(runs):
        values = run.accuracies(protocol.rule)
        axis.boxplot(values, positions=[position], widths=0.4, showfliers=False)
        shift = generator.uniform(-0.15, 0.15, len(values))
        axis.plot(position + shift, values, ".", color=f"C{position}", alpha=0.5, zorder=1)
        for k, published in enumerate(protocol.published.get(dataset, ())):
            axis.errorbar(
                position + 0.3 + 0.1 * k,
                published.mean,
                published.std,
                fmt="D",
                color="black",
                markersize=4,
                capsize=3,
                label=label,
            )
            label = None
    names = [fill(protocol.name, 20) for protocol, _ in runs]
    axis.set_xticks(range(len(runs)), names, fontsize="small")
    axis.set_xlim(-0.5, len(runs) - 0.4)
    axis.spines[["top", "right"]].set_visible(False)
    if label is None:
        axis.legend(frameon=False, fontsize="small")
