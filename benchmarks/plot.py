"""The result of a run as charts.

Times of contenders differ by orders of magnitude, so they are dots on a logarithmic axis: the
length of a bar means nothing where there is no zero. Memory is bars from zero. The ratio to the
first contender is printed next to each.
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
    """A panel of each data set, with one line for each contender and shared axes."""
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
    """Bars from zero: what the step added to the process, before what was there."""
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
    """A power of ten below the values, and room for a label after the largest one."""
    return 10.0 ** math.floor(math.log10(min(values))), 20 * max(values)


def time(seconds: float) -> str:
    """A time with three digits, in ms or s."""
    if seconds < 0.9995:
        return f"{1e3 * seconds:.3g} ms"
    return f"{seconds:,.0f} s" if seconds >= 100 else f"{seconds:.3g} s"


def ratio(value: float) -> str:
    """A multiple with three digits."""
    return f"{value:,.0f}x" if value >= 100 else f"{value:.3g}x"


def _added(values: Values) -> int:
    assert values.peak is not None
    assert values.baseline is not None
    return values.peak - values.baseline


def _ink(name: str) -> str:
    return style.ACCENT if name == "gatsparse" else "black"
