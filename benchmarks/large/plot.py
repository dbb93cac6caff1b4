"""Chart of times and memory on large graphs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter

from benchmarks import style
from benchmarks.plot import ratio, time

#: Title of a panel, and names of the measurements of gatsparse and of PyG.
_PANELS = (
    ("training step", "step", "step"),
    ("sampled epoch", "sampled epoch", "sampled epoch"),
    ("exact inference", "inference within", "inference"),
    ("peak memory of the training step [GB]", "step", "step"),
)
_WHO = ("gatsparse", "pyg")

Rows = Mapping[tuple[str, str, str], dict[str, Any]]


def plot(rows: Rows, path: Path) -> Path | None:
    """Draws a panel for each measurement, with a line for each graph.

    Times are dots on a logarithmic axis, memory is bars from zero.

    Args:
        rows (dict): Last row of each graph, measurement and contender.
        path (Path): Path of the chart.

    Returns:
        Path: Path of the chart; None if there is nothing to draw.
    """
    graphs = list(dict.fromkeys(graph for graph, _, _ in rows))
    if not any(
        _found(rows, graphs[0], name, who)
        for _, *names in _PANELS
        for name, who in zip(names, _WHO, strict=True)
    ):
        return None
    figure = Figure(figsize=(11, 2.0 + 0.9 * len(graphs)), layout="constrained")
    axes = figure.subplots(2, 2, sharey=True).ravel()
    for axis, (title, *names) in zip(axes, _PANELS, strict=True):
        axis.set_title(title, fontsize=10)
        style.tidy(axis, "x")
        axis.tick_params(axis="y", length=0)
        _draw(axis, rows, graphs, dict(zip(_WHO, names, strict=True)), memory="memory" in title)
    axes[0].set_yticks(range(len(graphs)), graphs)
    axes[0].set_ylim(len(graphs) - 0.5, -0.5)
    looks = style.styles(_WHO)
    handles = [
        Line2D([], [], color=looks[n].color, marker=looks[n].marker, linestyle="", label=n)
        for n in _WHO
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=2, frameon=False)
    style.save(figure, path)
    return path


def _draw(axis: Axes, rows: Rows, graphs: list[str], names: dict[str, str], memory: bool) -> None:
    looks = style.styles(_WHO)
    key = "peak" if memory else "seconds"
    found = {
        (graph, who): row
        for graph in graphs
        for who, name in names.items()
        if (row := _found(rows, graph, name, who)) is not None
    }
    values = {
        at: row["numbers"][key] / (1e9 if memory else 1.0)
        for at, row in found.items()
        if row["status"] == "ok" and key in row["numbers"]
    }
    if not values:
        axis.set_axis_off()
        return
    low, high = min(values.values()), max(values.values())
    if memory:
        axis.set_xlim(0, 1.3 * high)
    else:
        axis.set_xscale("log")
        axis.set_xlim(low / 2, 20 * high)
        axis.xaxis.set_major_formatter(lambda seconds, _: time(seconds))
        axis.xaxis.set_minor_formatter(NullFormatter())
    for (graph, who), row in found.items():
        y = graphs.index(graph) + (0.2 if who == "pyg" else -0.2)
        value, first = values.get((graph, who)), values.get((graph, "gatsparse"))
        if value is None:
            start = 0.03 * high if memory else low / 1.7
            style.failure(axis, start, y, f"{who}: {row['status']}")
            continue
        if memory:
            axis.barh(y, value, 0.36, color=looks[who].color)
        else:
            axis.plot(value, y, looks[who].marker, color=looks[who].color)
        text = f"{value:.2f}" if memory else time(value)
        text += f" ({ratio(value / first)})" if first and who != "gatsparse" else ""
        style.label(axis, value, y, text, color=style.ACCENT if who == "gatsparse" else "black")


def _found(rows: Rows, graph: str, name: str, who: str) -> dict[str, Any] | None:
    """Returns the row of a measurement; of several budgets, the first and largest one."""
    exact = name != "inference within"
    matching = (
        row
        for (at, what, of), row in rows.items()
        if (at, of) == (graph, who) and (what == name if exact else what.startswith(name))
    )
    return next(matching, None)
