"""Noise as a chart: the accuracy, and the attention that it gets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.claims.estimate import Estimate
from benchmarks.claims.findings import Findings
from benchmarks.claims.models import ATTENTIVE, MODELS


def plot(findings: Findings, path: Path) -> None:
    """Draws a row for every data set: test accuracy, and share of the noise edges, by noise.

    Args:
        findings (Findings): What is drawn; bands are confidence intervals.
        path (Path): The file.
    """
    datasets = findings.datasets
    figure = Figure(figsize=(11, 4 * len(datasets)), layout="constrained")
    grid = figure.subplots(len(datasets), 2, squeeze=False)
    for dataset, (left, right) in zip(datasets, grid, strict=True):
        for axis, label in ((left, "test accuracy [%]"), (right, "share of the noise edges [%]")):
            axis.set_title(dataset)
            axis.set_xlabel("noise edges / edges [%]")
            axis.set_ylabel(label)
            axis.spines[["top", "right"]].set_visible(False)
        _accuracy(left, findings, dataset)
        _share(right, findings, dataset)
    figure.savefig(path, dpi=150)


def _accuracy(axis: Axes, findings: Findings, dataset: str) -> None:
    for k, model in enumerate(MODELS):
        estimates = [findings.accuracy(dataset, model, noise) for noise in findings.noise]
        _line(axis, findings.noise, estimates, model, color=f"C{k}", marker="o")
    axis.legend()


def _share(axis: Axes, findings: Findings, dataset: str) -> None:
    noise = findings.noise[1:]
    for k, model in enumerate(ATTENTIVE):
        for layer in findings.layers:
            shares = [
                findings.share(dataset, model, level, layer, lambda share: share.attention)
                for level in noise
            ]
            marker = "os"[layer % 2]
            _line(axis, noise, shares, f"{model}, layer {layer + 1}", color=f"C{k}", marker=marker)
    equal = [findings.share(dataset, ATTENTIVE[0], n, 0, lambda share: share.equal) for n in noise]
    _line(axis, noise, equal, "equal weights", color="black", linestyle="--")
    axis.legend()


def _line(
    axis: Axes, noise: Sequence[int], estimates: Sequence[Estimate], label: str, **style: Any
) -> None:
    axis.plot(noise, [e.mean for e in estimates], label=label, **style)
    low, high = [e.low for e in estimates], [e.high for e in estimates]
    axis.fill_between(noise, low, high, alpha=0.2, color=style["color"], linewidth=0)
