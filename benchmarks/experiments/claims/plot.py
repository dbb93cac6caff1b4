"""Chart of the accuracy with noise edges, and of the attention on them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks import style
from benchmarks.experiments.claims.estimate import Estimate
from benchmarks.experiments.claims.findings import Findings
from benchmarks.experiments.claims.models import ATTENTIVE, MODELS


def plot(findings: Findings, path: Path) -> None:
    """Draws a row for every data set: test accuracy, and share of the noise edges, by noise.

    Args:
        findings (Findings): Findings to draw; bands are confidence intervals.
        path (Path): Path of the chart.
    """
    datasets = findings.datasets
    figure = Figure(figsize=(10, 0.8 + 3.2 * len(datasets)), layout="constrained")
    grid = figure.subplots(len(datasets), 2, sharex=True, sharey="col", squeeze=False)
    labels = "test accuracy [%]", "noise edges' share of the attention [%]"
    for dataset, row in zip(datasets, grid, strict=True):
        for axis, label in zip(row, labels, strict=True):
            axis.set_title(dataset, fontsize=11)
            axis.set_ylabel(label)
            axis.set_xticks(findings.noise)
            style.tidy(axis, "y")
        _accuracy(row[0], findings, dataset)
        _share(row[1], findings, dataset)
    for axis in grid[0]:
        axis.legend(frameon=False, fontsize=9)
    figure.supxlabel(
        "noise edges, as a percentage of the edges; bands: 95 % of the mean", fontsize=10
    )
    style.save(figure, path)


def _accuracy(axis: Axes, findings: Findings, dataset: str) -> None:
    for k, model in enumerate(MODELS):
        estimates = [findings.accuracy(dataset, model, noise) for noise in findings.noise]
        look = {"color": style.PALETTE[k], "marker": style.MARKERS[k]}
        _line(axis, findings.noise, estimates, model, **look)


def _share(axis: Axes, findings: Findings, dataset: str) -> None:
    noise = findings.noise[1:]
    for k, model in enumerate(ATTENTIVE):
        for layer in findings.layers:
            shares = [
                findings.share(dataset, model, level, layer, lambda share: share.attention)
                for level in noise
            ]
            look = {"color": style.PALETTE[k], "marker": style.MARKERS[k]}
            look["markerfacecolor"] = "white" if layer else style.PALETTE[k]
            _line(axis, noise, shares, f"{model}, layer {layer + 1}", **look)
    equal = [findings.share(dataset, ATTENTIVE[0], n, 0, lambda share: share.equal) for n in noise]
    _line(axis, noise, equal, "equal weights", color="black", linestyle="--")


def _line(
    axis: Axes, noise: Sequence[int], estimates: Sequence[Estimate], label: str, **style: Any
) -> None:
    axis.plot(noise, [e.mean for e in estimates], label=label, **style)
    low, high = [e.low for e in estimates], [e.high for e in estimates]
    axis.fill_between(noise, low, high, alpha=0.15, color=style["color"], linewidth=0)
