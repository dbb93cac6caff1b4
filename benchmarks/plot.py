"""The result of a run as charts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from benchmarks.layer_plot import layer_charts
from benchmarks.results import Measurement, Values
from benchmarks.summary import Summary


class _Bar(NamedTuple):
    """A bar of a chart; :obj:`scaled` if it was not measured as a whole."""

    value: float
    scaled: bool = False


#: The bar of a contender on a data set, if it was measured.
_Bars = Callable[[str, str], _Bar | None]


def plot(folder: Path) -> list[Path]:
    """Draws charts in a run's folder: of models ``inference-time.png``, ``step-time.png``,
    ``peak-memory.png`` and ``recipe-time.png``, of single layers those of
    :func:`benchmarks.layer_plot.layer_charts`.

    Args:
        folder (Path): Folder of a run.

    Returns:
        list: The files.

    Raises:
        ValueError: If it is none.
    """
    summary = Summary.load(folder)
    recipe = summary.config.recipe
    inference, step = (partial(_timed, summary, name) for name in ("inference", "step"))
    charts: list[tuple[str, Measurement, str, _Bars]] = [
        ("inference-time", "inference", "inference, median [ms]", inference(_milliseconds)),
        ("step-time", "step", "training step, median [ms]", step(_milliseconds)),
        ("peak-memory", "step", "peak memory of the training step [GB]", step(_gigabytes)),
    ]
    if recipe.contenders:
        label = f"{recipe.epochs} epochs [s]; hatched: scaled up"
        charts.append(("recipe-time", "recipe", label, partial(_trained, summary)))
    figures = layer_charts(summary)
    if summary.datasets():
        for name, measurement, label, bars in charts:
            figures[name] = _chart(summary, measurement, label, bars)
    paths = []
    for name, figure in figures.items():
        paths.append(folder / f"{name}.png")
        figure.savefig(paths[-1], dpi=150)
    return paths


def _timed(
    summary: Summary, measurement: Measurement, quantity: Callable[[Values], float]
) -> _Bars:
    def bar(dataset: str, contender: str) -> _Bar | None:
        values = summary.times(dataset, contender, measurement)
        return None if values is None else _Bar(quantity(values))

    return bar


def _trained(summary: Summary, dataset: str, contender: str) -> _Bar | None:
    training = summary.training(dataset, contender)
    return training and _Bar(training.seconds, training.scaled_from is not None)


def _chart(summary: Summary, measurement: Measurement, label: str, bars: _Bars) -> Figure:
    datasets = summary.datasets()
    height = 1.2 + 0.4 * len(summary.config.contenders)
    figure = Figure(figsize=(5.5 * len(datasets), height), layout="constrained")
    axes = figure.subplots(1, len(datasets), sharex=True, squeeze=False)[0]
    for dataset, axis in zip(datasets, axes, strict=True):
        _draw(axis, summary, dataset, measurement, bars)
        axis.set_title(dataset)
        axis.set_xlabel(label)
    return figure


def _draw(
    axis: Axes, summary: Summary, dataset: str, measurement: Measurement, bars: _Bars
) -> None:
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter("{x:g}")
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.margins(x=0.25)
    axis.spines[["top", "right"]].set_visible(False)
    names = summary.config.contenders
    for position, name in enumerate(names):
        bar = bars(dataset, name)
        if bar is not None:
            hatch = "//" if bar.scaled else None
            drawn = axis.barh(position, bar.value, color=f"C{position}", hatch=hatch)
            number = f"~ {_number(bar.value)}" if bar.scaled else _number(bar.value)
            axis.bar_label(drawn, [number], padding=3)
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
