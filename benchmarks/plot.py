"""Charts of a run.

Times differ by orders of magnitude, so they are dots on a logarithmic axis, where the length of a
bar would have no meaning. Memory is bars from zero. The ratio to the first contender is printed
next to each.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import NullFormatter

from benchmarks import style
from benchmarks.layer_plot import layer_charts
from benchmarks.rows import Measurement, Values
from benchmarks.summary import Summary
from benchmarks.text import median


class _Dot(NamedTuple):
    """A value in a chart; :obj:`scaled` if it is extrapolated."""

    value: float
    scaled: bool = False


#: Returns the dot of a contender on a data set, or None if it was not measured.
_Dots = Callable[[str, str], _Dot | None]


def plot(folder: Path) -> list[Path]:
    """Draws the charts of a run into its folder.

    They are ``inference-time.png``, ``step-time.png``, ``peak-memory.png`` and ``recipe-time.png``
    for models, and those of :func:`benchmarks.layer_plot.layer_charts` for single layers. A chart
    without values is not drawn, and an earlier one is deleted.

    Args:
        folder (Path): Folder of a run.

    Returns:
        list: Paths of the charts.

    Raises:
        ValueError: If the folder is not that of a run.
    """
    summary = Summary.load(folder)
    recipe = summary.config.recipe
    figures = layer_charts(summary)
    figures["inference-time"] = _times(
        summary, "inference", "inference, median", partial(_timed, summary, "inference")
    )
    figures["step-time"] = _times(
        summary, "step", "training step, median", partial(_timed, summary, "step")
    )
    figures["peak-memory"] = _memory(summary)
    if recipe.contenders:
        title = f"training of {recipe.epochs} epochs; hollow: scaled up from the first epochs"
        figures["recipe-time"] = _times(summary, "recipe", title, partial(_trained, summary))
    paths = []
    for name, figure in figures.items():
        path = folder / f"{name}.png"
        if figure is None:
            path.unlink(missing_ok=True)
        else:
            style.save(figure, path)
            paths.append(path)
    return paths


def _timed(summary: Summary, measurement: Measurement, dataset: str, name: str) -> _Dot | None:
    values = summary.times(dataset, name, measurement)
    return None if values is None else _Dot(median(values))


def _trained(summary: Summary, dataset: str, contender: str) -> _Dot | None:
    training = summary.training(dataset, contender)
    return training and _Dot(training.seconds, training.scaled_from is not None)


def _panels(summary: Summary, title: str, names: Sequence[str]) -> tuple[Figure, list[Axes]]:
    """Returns a panel for each data set, with one line for each contender and shared axes."""
    datasets = summary.datasets()
    figure = Figure(
        figsize=(1.6 + 4.4 * len(datasets), 1.5 + 0.36 * len(names)), layout="constrained"
    )
    axes = figure.subplots(1, len(datasets), sharex=True, sharey=True, squeeze=False)[0]
    for axis, dataset in zip(axes, datasets, strict=True):
        axis.set_title(dataset, fontsize=11)
        style.tidy(axis, "x")
        axis.tick_params(axis="y", length=0)
    axes[0].set_yticks(range(len(names)), names)
    axes[0].set_ylim(len(names) - 0.5, -0.6)
    figure.supxlabel(title, fontsize=10)
    return figure, list(axes)


def _times(summary: Summary, measurement: Measurement, title: str, dots: _Dots) -> Figure | None:
    names = summary.config.contenders
    if measurement == "recipe":
        names = [name for name in names if name in summary.config.recipe.contenders]
    found = [dots(dataset, name) for dataset in summary.datasets() for name in names]
    values = [dot.value for dot in found if dot is not None]
    if not values:
        return None
    figure, axes = _panels(summary, f"{title} (in brackets: multiple of {names[0]})", names)
    limits = _limits(values)
    for dataset, axis in zip(summary.datasets(), axes, strict=True):
        axis.set_xscale("log")
        axis.set_xlim(*limits)
        axis.xaxis.set_major_formatter(lambda seconds, _: time(seconds))
        axis.xaxis.set_minor_formatter(NullFormatter())
        first = dots(dataset, names[0])
        for position, name in enumerate(names):
            dot = dots(dataset, name)
            if dot is None:
                _failure(axis, summary, dataset, name, measurement, limits[0] * 1.3, position)
                continue
            color, marker = style.styles(names)[name]
            fill = "white" if dot.scaled else color
            axis.plot(dot.value, position, marker, color=color, mfc=fill, clip_on=False)
            text = ("about " if dot.scaled else "") + time(dot.value)
            text += f" ({ratio(dot.value / first.value)})" if first else ""
            style.label(axis, dot.value, position, text, color=_ink(name))
    return figure


def _memory(summary: Summary) -> Figure | None:
    """Draws bars from zero: memory added by the step, then that of the process before it."""
    names = summary.config.contenders

    def values(dataset: str, name: str) -> Values | None:
        return summary.times(dataset, name, "step")

    found = [item for d in summary.datasets() for n in names if (item := values(d, n)) is not None]
    if not found:
        return None
    title = f"memory of the training step [GB] (in brackets: added, as a multiple of {names[0]})"
    figure, axes = _panels(summary, title, names)
    highest = max(item.peak or 0 for item in found) / 1e9
    for dataset, axis in zip(summary.datasets(), axes, strict=True):
        axis.set_xlim(0, 1.55 * highest)
        first = values(dataset, names[0])
        for position, name in enumerate(names):
            item = values(dataset, name)
            if item is None:
                _failure(axis, summary, dataset, name, "step", 0.02 * highest, position)
                continue
            whole, added = (item.peak or 0) / 1e9, _added(item) / 1e9
            color = style.styles(names)[name].color
            axis.barh(position, added, 0.6, color=color)
            axis.barh(
                position, whole - added, 0.6, left=added, color="#ececec", edgecolor="#cccccc"
            )
            text = f"+{added:.2f} of {whole:.2f}"
            text += f" ({ratio(_added(item) / _added(first))})" if first and _added(first) else ""
            style.label(axis, whole, position, text, color=_ink(name))
    figure.legend(
        handles=[
            Patch(color="#555555", label="solid: added by the step"),
            Patch(facecolor="#ececec", edgecolor="#cccccc", label="pale: in the process before it"),
        ],
        loc="outside upper center",
        ncols=2,
        frameon=False,
        fontsize=9,
    )
    return figure


def _failure(
    axis: Axes,
    summary: Summary,
    dataset: str,
    contender: str,
    measurement: Measurement,
    x: float,
    y: float,
) -> None:
    problem = summary.problem(dataset, contender, measurement)
    if problem is None:
        style.label(axis, x, y, "not measured", color="#777777")
    else:
        style.failure(axis, x, y, problem.status)


def _limits(values: Sequence[float]) -> tuple[float, float]:
    """Returns a power of ten below the values, and a limit that leaves room for a label."""
    return 10.0 ** math.floor(math.log10(min(values))), 20 * max(values)


def time(seconds: float) -> str:
    """Formats a time with three digits, in ms or s."""
    if seconds < 0.9995:
        return f"{1e3 * seconds:.3g} ms"
    return f"{seconds:,.0f} s" if seconds >= 100 else f"{seconds:.3g} s"


def ratio(value: float) -> str:
    """Formats a multiple with three digits."""
    return f"{value:,.0f}x" if value >= 100 else f"{value:.3g}x"


def _added(values: Values) -> int:
    assert values.peak is not None
    assert values.baseline is not None
    return values.peak - values.baseline


def _ink(name: str) -> str:
    return style.ACCENT if name == "gatsparse" else "black"
