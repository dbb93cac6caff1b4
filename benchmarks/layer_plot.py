"""The measurements of single layers as charts."""

from __future__ import annotations

from collections.abc import Callable

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from benchmarks import plan
from benchmarks.growth import Curve, curves
from benchmarks.plan import Case
from benchmarks.results import TimedLayer, Values
from benchmarks.summary import Summary
from benchmarks.text import median

_MEASUREMENTS: tuple[TimedLayer, ...] = ("forward", "forward+backward")


def layer_charts(summary: Summary) -> dict[str, Figure | None]:
    """Speed-up by shape, and growth where there are graphs of growing size.

    Args:
        summary (Summary): Of a run.

    Returns:
        dict: Figures by the names of their files, without the ending; None of a figure for which
        nothing was measured.
    """
    charts: dict[str, Figure | None] = {}
    for measurement in _MEASUREMENTS:
        name = measurement.replace("+", "-")
        if summary.config.layers:
            charts[f"{name}-speed-up"] = _speed_ups(summary, measurement)
        found = curves(summary, measurement)
        if found:
            charts[f"{name}-growth-time"] = _growth(summary, found, "median [ms]", _milliseconds)
            charts[f"{name}-growth-memory"] = _growth(summary, found, "added memory [GB]", _added)
    return charts


def _speed_ups(summary: Summary, measurement: TimedLayer) -> Figure | None:
    graphs = list(summary.graphs())
    layers = list(dict.fromkeys(name for sweep in summary.config.layers for name in sweep.layers))
    if not graphs:
        return None
    first, *others = plan.layer_contenders(summary.config)
    drawn = 0
    figure = Figure(figsize=(5.5 * len(layers), 4.0 * len(graphs)), layout="constrained")
    grid = figure.subplots(len(graphs), len(layers), squeeze=False)
    for graph, row in zip(graphs, grid, strict=True):
        tasks = plan.layer_tasks(summary.config, graph)
        tasks = [task for task in tasks if task.measurement == measurement]
        cases = [Case.of(task) for task in tasks]
        for layer, axis in zip(layers, row, strict=True):
            found = list(dict.fromkeys(case for case in cases if case.layer == layer))
            shapes = [case.shape for case in found]
            axis.set_title(f"{layer} on {graph}, {measurement}")
            axis.set_ylabel(f"time / time of {first}")
            axis.set_xticks(range(len(shapes)), shapes)
            axis.axhline(1.0, color="0.7", linewidth=1)
            for k, name in enumerate(others):
                ratios = [_ratio(summary, case, name, first, measurement) for case in found]
                width = 0.8 / len(others)
                places = [x + (k + 0.5) * width - 0.4 for x in range(len(shapes))]
                heights = [ratio or 0.0 for ratio in ratios]
                bars = axis.bar(places, heights, width, label=name, color=f"C{k + 1}")
                axis.bar_label(bars, [f"{r:.3g}" if r else "" for r in ratios], fontsize=7)
                drawn += sum(ratio is not None for ratio in ratios)
                for place, case, ratio in zip(places, found, ratios, strict=True):
                    if ratio is None and (str(case), name) in {task[:2] for task in tasks}:
                        reason = _reason(summary, case, name, first, measurement)
                        axis.text(place, 1.0, f" {reason}", rotation=90, fontsize=7, ha="center")
            axis.spines[["top", "right"]].set_visible(False)
    if drawn == 0:
        return None
    grid[0][0].legend()
    return figure


def _ratio(
    summary: Summary, case: Case, contender: str, first: str, measurement: TimedLayer
) -> float | None:
    """How many times faster the first contender is; None where one was not measured."""
    values = summary.times(str(case), contender, measurement)
    base = summary.times(str(case), first, measurement)
    return median(values) / median(base) if values and base else None


def _reason(
    summary: Summary, case: Case, contender: str, first: str, measurement: TimedLayer
) -> str:
    """Why there is no ratio."""
    for name in (contender, first):
        problem = summary.problem(str(case), name, measurement)
        if problem is not None:
            return problem.status if name == contender else f"{first}: {problem.status}"
    return "not measured"


def _growth(
    summary: Summary, found: list[Curve], label: str, quantity: Callable[[Values], float]
) -> Figure | None:
    if not any(curve.points for curve in found):
        return None
    panels = list(dict.fromkeys((curve.layer, curve.shape) for curve in found))
    names = plan.layer_contenders(summary.config)
    figure = Figure(figsize=(5.5 * len(panels), 4.5), layout="constrained")
    for panel, axis in zip(panels, figure.subplots(1, len(panels), squeeze=False)[0], strict=True):
        for curve in found:
            if (curve.layer, curve.shape) == panel:
                _line(axis, curve, names.index(curve.contender), quantity)
        axis.set(title=" ".join(panel), xlabel="edges", ylabel=label, xscale="log", yscale="log")
        axis.yaxis.set_minor_formatter(NullFormatter())
        axis.grid(alpha=0.3)
        axis.legend()
    return figure


def _line(axis: Axes, curve: Curve, color: int, quantity: Callable[[Values], float]) -> None:
    exponent = curve.exponent() if quantity is _milliseconds else None
    label = curve.contender + ("" if exponent is None else f", exponent {exponent:.2f}")
    label += f"; without {', '.join(curve.missing)}" if curve.missing else ""
    edges = [count for count, _ in curve.points]
    values = [quantity(value) for _, value in curve.points]
    axis.plot(edges, values, "o-", color=f"C{color}", label=label)


def _milliseconds(values: Values) -> float:
    return 1e3 * median(values)


def _added(values: Values) -> float:
    assert values.peak is not None
    assert values.baseline is not None
    return (values.peak - values.baseline) / 1e9
