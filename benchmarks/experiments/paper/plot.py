"""Chart of the accuracies of the reproduction."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks import style
from benchmarks.experiments.paper.accuracies import found
from benchmarks.experiments.paper.protocols import Protocol
from benchmarks.experiments.paper.runs import PaperRuns

#: Test accuracies in percent, by data set and protocol.
Samples = dict[str, list[tuple[Protocol, list[float]]]]


def plot(paper_runs: PaperRuns, datasets: Sequence[str], count: int | None = None) -> list[Path]:
    """Draws ``accuracies.png``: a point per training, a box per protocol, and published means.

    Args:
        paper_runs (PaperRuns): Folder and configurations of the runs.
        datasets (list of str): Names of data sets.
        count (int, optional): Number of seeds; by default, all.

    Returns:
        list of Path: Path of the chart; empty if there are no runs.
    """
    samples: Samples = {}
    for dataset, protocol, run in found(paper_runs, datasets, count):
        samples.setdefault(dataset, []).append((protocol, run.accuracies(protocol.rule)))
    path = paper_runs.out / "accuracies.png"
    return [draw(samples, path)] if samples else []


def draw(samples: Samples, path: Path) -> Path:
    """Draws a panel for each data set.

    Args:
        samples (dict): Test accuracies in percent, by data set and protocol.
        path (Path): Path of the chart.
    """
    figure = Figure(figsize=(5.5 * len(samples), 4.5), layout="constrained")
    axes = figure.subplots(1, len(samples), squeeze=False)[0]
    for axis, (dataset, of_dataset) in zip(axes, samples.items(), strict=True):
        axis.set_title(dataset, fontsize=11)
        _draw(axis, dataset, of_dataset)
    axes[0].set_ylabel("test accuracy [%]")
    handles = {
        text: handle
        for axis in axes
        for handle, text in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        handles=list(handles.values()),
        loc="outside upper center",
        ncols=len(handles),
        frameon=False,
    )
    style.save(figure, path)
    return path


def _draw(axis: Axes, dataset: str, samples: Sequence[tuple[Protocol, Sequence[float]]]) -> None:
    generator = np.random.default_rng(0)
    label: str | None = "published, mean ± standard deviation"
    for position, (protocol, values) in enumerate(samples):
        axis.boxplot(
            values,
            positions=[position],
            widths=0.4,
            showfliers=False,
            medianprops={"color": "black"},
        )
        shift = generator.uniform(-0.15, 0.15, len(values))
        ours = "gatsparse, one training; box: quartiles" if position == 0 else None
        axis.plot(position + shift, values, ".", color=style.ACCENT, alpha=0.4, label=ours)
        for k, published in enumerate(protocol.published.get(dataset, ())):
            axis.errorbar(
                position + 0.3 + 0.1 * k,
                published.mean,
                published.std,
                fmt="D",
                color=style.FAILED,
                markersize=4,
                capsize=3,
                label=label,
            )
            label = None
    names = [fill(protocol.name, 20) for protocol, _ in samples]
    axis.set_xticks(range(len(samples)), names, fontsize="small")
    axis.set_xlim(-0.5, len(samples) - 0.4)
    style.tidy(axis, "y")
