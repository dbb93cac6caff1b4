"""Charts of single layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import NullFormatter

from benchmarks import plan, style
from benchmarks.growth import Curve, curves
from benchmarks.plan import Case
from benchmarks.rows import TimedLayer, Values
from benchmarks.summary import Summary
from benchmarks.text import median

_MEASUREMENTS: tuple[TimedLayer, ...] = ("forward", "forward+backward")


def layer_charts(summary: Summary) -> dict[str, Figure | None]:
    """Draws the speed-up by shape, and the growth over graphs of growing size.

    Args:
        summary (Summary): Summary of a run.

    Returns:
        dict: Figures by file name without suffix; None for a figure without measured values.
    """
    charts: dict[str, Figure | None] = {}
    for measurement in _MEASUREMENTS:
        name = measurement.replace("+", "-")
        if summary.config.layers:
            charts[f"{name}-speed-up"] = _speed_ups(summary, measurement)
        found = curves(summary, measurement)
        if found:
            charts[f"{name}-growth-time"] = _growth(found, measurement, "time [ms]", _milliseconds)
            charts[f"{name}-growth-memory"] = _growth(
                found, measurement, "memory [GB]", _added, _whole
            )
    return charts


#: Cases, each with the contenders whose time is compared with that of the first one.
_Bars = list[tuple[Case, list[str]]]


def _speed_ups(summary: Summary, measurement: TimedLayer) -> Figure | None:
    """Draws bars from zero: a panel for each graph and layer, a group of bars for each shape."""
    first, *others = plan.layer_contenders(summary.config)
    layers = list(dict.fromkeys(name for sweep in summary.config.layers for name in sweep.layers))
    panels = {
        (graph, layer): bars
        for graph in summary.graphs()
        for layer in layers
        if (bars := _bars(summary, graph, layer, measurement, others))
    }
    ratios = [
        ratio
        for bars in panels.values()
        for case, names in bars
        for name in names
        if (ratio := _ratio(summary, case, name, first, measurement)) is not None
    ]
    if not ratios:
        return None
    graphs = list(dict.fromkeys(graph for graph, _ in panels))
    layers = [layer for layer in layers if any((graph, layer) in panels for graph in graphs)]
    sizes = [
        max(_height(panels[graph, layer]) for layer in layers if (graph, layer) in panels)
        for graph in graphs
    ]
    figure = Figure(
        figsize=(1.0 + 4.4 * len(layers), 1.2 + 0.5 * len(graphs) + 0.19 * sum(sizes)),
        layout="constrained",
    )
    grid = figure.subplots(
        len(graphs), len(layers), sharex=True, squeeze=False, height_ratios=sizes
    )
    for graph, row, size in zip(graphs, grid, sizes, strict=True):
        for layer, axis in zip(layers, row, strict=True):
            if (graph, layer) not in panels:
                axis.set_axis_off()
                continue
            axis.set_title(f"{layer} on {graph}", fontsize=10)
            axis.set_xlim(0, 1.12 * max(ratios))
            _draw_bars(axis, summary, panels[graph, layer], first, measurement)
            axis.set_ylim(size - 0.5, -0.5)
    figure.supxlabel(
        f"{measurement.replace('+', ' + ')}: time as a multiple of that of {first}", fontsize=10
    )
    looks = style.styles([first, *others])
    line = Line2D([], [], color=looks[first].color, linewidth=2, label=f"{first} (1x)")
    figure.legend(
        handles=[line, *(Patch(color=looks[name].color, label=name) for name in others)],
        loc="outside upper center",
        ncols=len(others) + 1,
        frameon=False,
    )
    return figure


def _bars(
    summary: Summary, graph: str, layer: str, measurement: TimedLayer, others: Sequence[str]
) -> _Bars:
    found: dict[Case, set[str]] = {}
    for task in plan.layer_tasks(summary.config, graph):
        if task.measurement == measurement and Case.of(task).layer == layer:
            found.setdefault(Case.of(task), set()).add(task.contender)
    bars = [(case, [name for name in others if name in names]) for case, names in found.items()]
    return [(case, names) for case, names in bars if names]


def _height(bars: _Bars) -> float:
    """Returns the lines of a panel: one for each bar, and half a line between shapes."""
    return sum(len(names) + 0.5 for _, names in bars) - 0.5


def _draw_bars(
    axis: Axes, summary: Summary, bars: _Bars, first: str, measurement: TimedLayer
) -> None:
    style.tidy(axis, "x")
    axis.axvline(1.0, color=style.ACCENT, linewidth=2)
    axis.tick_params(axis="y", length=0)
    looks = style.styles(plan.layer_contenders(summary.config))
    ticks, position = {}, 0.0
    for case, names in bars:
        ticks[case.shape] = position + (len(names) - 1) / 2
        for name in names:
            ratio = _ratio(summary, case, name, first, measurement)
            if ratio is None:
                reason = _reason(summary, case, name, first, measurement)
                mark = style.label if reason == "not measured" else style.failure
                start = 0.03 * axis.get_xlim()[1]
                mark(axis, start, position, f"{name}: {reason}", fontsize=8)
            else:
                axis.barh(position, ratio, 0.85, color=looks[name].color)
                style.label(axis, ratio, position, f"{ratio:.3g}x", fontsize=8)
            position += 1
        position += 0.5
    axis.set_yticks(list(ticks.values()), list(ticks))


def _ratio(
    summary: Summary, case: Case, contender: str, first: str, measurement: TimedLayer
) -> float | None:
    """Returns how many times faster the first contender is; None if one was not measured."""
    values = summary.times(str(case), contender, measurement)
    base = summary.times(str(case), first, measurement)
    return median(values) / median(base) if values and base else None


def _reason(
    summary: Summary, case: Case, contender: str, first: str, measurement: TimedLayer
) -> str:
    """Returns the reason why there is no ratio."""
    for name in (contender, first):
        problem = summary.problem(str(case), name, measurement)
        if problem is not None:
            return problem.status if name == contender else f"{first}: {problem.status}"
    return "not measured"


def _growth(
    found: list[Curve],
    measurement: TimedLayer,
    label: str,
    quantity: Callable[[Values], float],
    whole: Callable[[Values], float] | None = None,
) -> Figure | None:
    """Draws lines over the number of edges, a panel per layer and shape; ``whole`` is dotted."""
    if not any(curve.points for curve in found):
        return None
    panels = list(dict.fromkeys((curve.layer, curve.shape) for curve in found))
    names = list(dict.fromkeys(curve.contender for curve in found))
    looks = style.styles(names)
    figure = Figure(figsize=(1.0 + 3.6 * len(panels), 4.2), layout="constrained")
    axes = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
    for panel, axis in zip(panels, axes, strict=True):
        own = [curve for curve in found if (curve.layer, curve.shape) == panel]
        axis.set(xscale="log", yscale="log")
        axis.set_title(" ".join(panel), fontsize=11)
        axis.yaxis.set_major_formatter("{x:g}")
        for minor in (axis.xaxis, axis.yaxis):
            minor.set_minor_formatter(NullFormatter())
        style.tidy(axis, "both")
        for curve in own:
            _line(axis, curve, looks[curve.contender], quantity)
            if whole is not None:
                edges = [count for count, _ in curve.points]
                values = [whole(value) for _, value in curve.points]
                axis.plot(edges, values, ":", color=looks[curve.contender].color, linewidth=1.2)
        _print_ratio(axis, own, quantity)
        if quantity is _milliseconds:
            axis.legend(
                frameon=False, fontsize=8, loc="upper left", title="exponent", title_fontsize=8
            )
    low, high = axes[0].get_ylim()
    for panel, axis in zip(panels, axes, strict=True):  # after the limits are known
        own = [curve for curve in found if (curve.layer, curve.shape) == panel]
        failures = [(c.contender, *failure) for c in own for failure in c.failures]
        for k, (name, edges, status) in enumerate(failures):
            # At the top, because the value is not known.
            axis.plot(edges, high, "x", color=style.FAILED, markeredgewidth=2, clip_on=False)
            offset = {"xytext": (-7, -11 * k), "textcoords": "offset points", "ha": "right"}
            text = f"{name}: {status}"
            axis.annotate(
                text, (edges, high), fontsize=8, color=style.FAILED, va="center", **offset
            )
    axes[0].set_ylim(low, high * (4 if any(curve.failures for curve in found) else 1))
    axes[0].set_ylabel(label)
    figure.supxlabel(f"edges ({measurement.replace('+', ' + ')})", fontsize=10)
    handles = [Line2D([], [], color=looks[n].color, marker=looks[n].marker, label=n) for n in names]
    if whole is not None:
        handles += [
            Line2D([], [], color="black", label="added by the layer"),
            Line2D([], [], color="black", linestyle=":", label="the whole process"),
        ]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), frameon=False)
    return figure


def _line(axis: Axes, curve: Curve, look: style.Style, quantity: Callable[[Values], float]) -> None:
    exponent = curve.exponent() if quantity is _milliseconds else None
    label = None if exponent is None else f"{exponent:.2f} {curve.contender}"
    edges = [count for count, _ in curve.points]
    values = [quantity(value) for _, value in curve.points]
    axis.plot(edges, values, color=look.color, marker=look.marker, markersize=5, label=label)


def _print_ratio(axis: Axes, own: list[Curve], quantity: Callable[[Values], float]) -> None:
    """Prints the ratio to the first contender at the largest graph that both have."""
    first, *others = own
    base = {edges: quantity(values) for edges, values in first.points}
    for curve in others:
        shared = [(e, quantity(values)) for e, values in curve.points if base.get(e)]
        if shared:
            edges, value = shared[-1]
            style.label(axis, edges, value, f"{value / base[edges]:.3g}x", fontsize=9)


def _milliseconds(values: Values) -> float:
    return 1e3 * median(values)


def _added(values: Values) -> float:
    assert values.peak is not None
    assert values.baseline is not None
    return (values.peak - values.baseline) / 1e9


def _whole(values: Values) -> float:
    assert values.peak is not None
    return values.peak / 1e9
