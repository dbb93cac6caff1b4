"""The result of a run as charts.

Times of contenders differ by orders of magnitude, so their axis is logarithmic. They are dots on
whole decades, because the length of a bar means nothing where there is no zero; the number and
its ratio to the first contender are printed next to each.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from benchmarks.layer_plot import layer_charts
from benchmarks.results import Measurement, Values
from benchmarks.summary import Summary


class _Dot(NamedTuple):
    """A number of a chart; :obj:`scaled` if it was not measured as a whole."""

    value: float
    scaled: bool = False


#: The dot of a contender on a data set, if it was measured.
_Dots = Callable[[str, str], _Dot | None]


def plot(folder: Path) -> list[Path]:
    """Draws charts in a run's folder: of models ``inference-time.png``, ``step-time.png``,
    ``peak-memory.png`` and ``recipe-time.png``, of single layers those of
    :func:`benchmarks.layer_plot.layer_charts`. A chart without a single value is not drawn; that
    of an earlier run is deleted.

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
    charts: list[tuple[str, Measurement, str, _Dots]] = [
        ("inference-time", "inference", "inference, median [ms]", inference(_milliseconds)),
        ("step-time", "step", "training step, median [ms]", step(_milliseconds)),
        ("peak-memory", "step", "peak memory of the training step [GB]", step(_gigabytes)),
    ]
    if recipe.contenders:
        label = f"{recipe.epochs} epochs [s]; hollow: scaled up"
        charts.append(("recipe-time", "recipe", label, partial(_trained, summary)))
    figures = layer_charts(summary)
    for name, measurement, label, dots in charts:
        figures[name] = _chart(summary, measurement, label, dots)
    paths = []
    for name, figure in figures.items():
        path = folder / f"{name}.png"
        if figure is None:
            path.unlink(missing_ok=True)
        else:
            figure.savefig(path, dpi=150)
            paths.append(path)
    return paths


def _timed(
    summary: Summary, measurement: Measurement, quantity: Callable[[Values], float]
) -> _Dots:
    def dot(dataset: str, contender: str) -> _Dot | None:
        values = summary.times(dataset, contender, measurement)
        return None if values is None else _Dot(quantity(values))

    return dot


def _trained(summary: Summary, dataset: str, contender: str) -> _Dot | None:
    training = summary.training(dataset, contender)
    return training and _Dot(training.seconds, training.scaled_from is not None)


def _chart(summary: Summary, measurement: Measurement, label: str, dots: _Dots) -> Figure | None:
    datasets, names = summary.datasets(), summary.config.contenders
    found = [dots(dataset, name) for dataset in datasets for name in names]
    values = [dot.value for dot in found if dot is not None]
    if not values:
        return None
    height = 1.4 + 0.4 * len(summary.config.contenders)
    figure = Figure(figsize=(5.5 * len(datasets), height), layout="constrained")
    axes = figure.subplots(1, len(datasets), sharex=True, squeeze=False)[0]
    for dataset, axis in zip(datasets, axes, strict=True):
        _draw(axis, summary, dataset, measurement, dots)
        axis.set_title(dataset)
        axis.set_xlabel(f"{label}\n(as a multiple of {names[0]})")
    axes[0].set_xlim(*_decades(values))
    return figure


def _decades(values: Sequence[float]) -> tuple[float, float]:
    """Powers of ten around the values, with room for a label after the largest one."""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(5 * max(values)))
    return 10.0**low, 10.0**high


def _draw(
    axis: Axes, summary: Summary, dataset: str, measurement: Measurement, dots: _Dots
) -> None:
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter("{x:g}")
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.grid(axis="x", alpha=0.3)
    axis.spines[["top", "right"]].set_visible(False)
    names = summary.config.contenders
    first = dots(dataset, names[0])
    for position, name in enumerate(names):
        dot = dots(dataset, name)
        if dot is not None:
            fill = "none" if dot.scaled else f"C{position}"
            axis.plot(dot.value, position, "o", color=f"C{position}", mfc=fill, clip_on=False)
            text = ("~ " if dot.scaled else "") + _number(dot.value)
            text += f" ({_number(dot.value / first.value)}x)" if first else ""
            axis.annotate(
                text, (dot.value, position), (7, 0), textcoords="offset points", va="center"
            )
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
