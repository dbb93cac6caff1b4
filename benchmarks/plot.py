"""The result of a run as charts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from benchmarks.layer_plot import layer_charts
from benchmarks.results import Measurement, Values
from benchmarks.summary import Summary


def plot(folder: Path) -> list[Path]:
    """Draws charts in a run's folder: of models ``inference-time.png``, ``step-time.png`` and
    ``peak-memory.png``, of single layers those of :func:`benchmarks.layer_plot.layer_charts`.

    Args:
        folder (Path): Folder of a run.

    Returns:
        list: The files.

    Raises:
        ValueError: If it is none.
    """
    summary = Summary.load(folder)
    charts: list[tuple[str, Measurement, str, Callable[[Values], float]]] = [
        ("inference-time", "inference", "inference, median [ms]", _milliseconds),
        ("step-time", "step", "training step, median [ms]", _milliseconds),
        ("peak-memory", "step", "peak memory of the training step [GB]", _gigabytes),
    ]
    figures = layer_charts(summary)
    if summary.datasets():
        for name, measurement, label, quantity in charts:
            figures[name] = _chart(summary, measurement, label, quantity)
    paths = []
    for name, figure in figures.items():
        paths.append(folder / f"{name}.png")
        figure.savefig(paths[-1], dpi=150)
    return paths


def _chart(
    summary: Summary, measurement: Measurement, label: str, quantity: Callable[[Values], float]
) -> Figure:
    datasets = summary.datasets()
    height = 1.2 + 0.4 * len(summary.config.contenders)
    figure = Figure(figsize=(5.5 * len(datasets), height), layout="constrained")
    axes = figure.subplots(1, len(datasets), sharex=True, squeeze=False)[0]
    for dataset, axis in zip(datasets, axes, strict=True):
        _bars(axis, summary, dataset, measurement, quantity)
        axis.set_title(dataset)
        axis.set_xlabel(label)
    return figure


def _bars(
    axis: Axes,
    summary: Summary,
    dataset: str,
    measurement: Measurement,
    quantity: Callable[[Values], float],
) -> None:
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter("{x:g}")
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.margins(x=0.25)
    axis.spines[["top", "right"]].set_visible(False)
    names = summary.config.contenders
    for position, name in enumerate(names):
        values = summary.times(dataset, name, measurement)
        if values is not None:
            bars = axis.barh(position, quantity(values), color=f"C{position}")
            axis.bar_label(bars, fmt=_number, padding=3)
            continue
        problem = summary.problem(dataset, name, measurement)
        text = "not measured" if problem is None else problem.status
        axis.annotate(text, (0.01, position), xycoords=axis.get_yaxis_transform(), va="center")
    axis.set_yticks(range(len(names)), names)
    axis.set_ylim(len(names) - 0.5, -0.5)


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}"


def _milliseconds(values: Values) -> float:
    assert values.median is not None
    return 1e3 * values.median


def _gigabytes(values: Values) -> float:
    assert values.peak is not None
    return values.peak / 1e9
