"""Tables and CSV of single layers."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import get_args

from rich.console import Console

from benchmarks import plan
from benchmarks.growth import BEYOND_CACHE, LEAST_EDGES, curves
from benchmarks.plan import Case
from benchmarks.rows import Measurement, TimedLayer, Values
from benchmarks.summary import Summary
from benchmarks.text import (
    describe,
    fraction,
    gate,
    markdown_table,
    median,
    memory,
    print_table,
    timed,
)

_LAYERS = (
    "layer",
    "contender",
    "gate",
    "forward (ms)",
    "of floor",
    "forward + backward (ms)",
    "of floor",
    "relative",
    "peak (GB)",
)
_OPERATORS = ("operator", "forward (ms)", "of floor", "backward (ms)", "of floor")
_FITS = (LEAST_EDGES, BEYOND_CACHE)
_GROWTH = (
    "layer",
    "contender",
    *(
        f"{measured}, from {least:.0e} edges"
        for measured in ("forward", "forward + backward")
        for least in _FITS
    ),
)
_CSV = (
    "graph",
    "nodes",
    "edges",
    "layer",
    "heads",
    "channels",
    "contender",
    "measurement",
    "status",
    "median_s",
    "p10_s",
    "p90_s",
    "runs",
    "floor_s",
    "floor_fraction",
    "baseline_bytes",
    "peak_bytes",
)

_LEGEND = """\
- layer, gate: heads x channels of each head; on a small graph, same weights, same output and
  gradients as PyG's layer in float64; the error as a share of its budget, for the output
  twice the float32 error of PyG, for gradients twenty times.
- forward (no gradients), forward + backward (to the gradients of the weights, for a fixed
  gradient of the output): of one layer on {in_channels} features per node that need no
  gradient, as a first layer's do not; no dropout, self-loops added. Median (10th to 90th
  percentile), number of runs; on the same graph each time, so what a contender keeps of its
  structure is kept.
- of floor: the time of the gather floor as a share of the time. The floor only sums the rows
  x[col] of heads x channels floats, over the in-edges for a forward pass, over the out-edges
  for a backward pass; same edges, same threads, in turn with what is timed.
- relative: forward + backward as a multiple of that of the first contender, {first}.
- peak: most memory of the process of forward + backward, 1e9 bytes (what it added to the
  process after graph and features were loaded), before the floor came; of pyg-compile,
  compiling included.
- operator: the fused kernels of gatsparse without the products x W; backward to the gradients
  of all inputs.
"""


def layer_sections(summary: Summary, console: Console) -> list[str]:
    """Prints the tables of all graphs.

    Args:
        summary (Summary): Summary of a run.
        console (Console): Console to print on.

    Returns:
        list: Lines of Markdown; empty if the run has no layers.
    """
    markdown: list[str] = []
    for graph, size in summary.graphs().items():
        title = f"{graph}: {size.num_nodes:,} nodes, {size.num_edges:,} edges"
        pairs = _pairs(summary, graph)
        notes = _notes(summary, pairs)
        operators = [case for case, name in pairs if name == "gatsparse"]
        markdown += [f"## {title}", ""]
        for header, lines in (
            (_LAYERS, [_layer(summary, case, name) for case, name in pairs]),
            (_OPERATORS, [_operator(summary, case) for case in operators]),
        ):
            print_table(console, title, header, lines, notes if header is _LAYERS else [])
            markdown += [*markdown_table(header, lines), ""]
        markdown += [f"- {note}" for note in notes] + ([""] if notes else [])
    growth = _growth(summary)
    if growth:
        title = "time ~ edges ** exponent"
        print_table(console, title, _GROWTH, growth, [])
        markdown += [f"## Growth: {title}", "", *markdown_table(_GROWTH, growth), ""]
    if markdown:
        first = plan.layer_contenders(summary.config)[0]
        markdown += [_LEGEND.format(in_channels=summary.config.in_channels, first=first)]
    return markdown


def write_csv(summary: Summary, path: Path) -> None:
    """Writes every measurement of a layer or an operator as a line, times in seconds."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_CSV)
        for graph, size in summary.graphs().items():
            for case, name in _pairs(summary, graph):
                for measurement in get_args(TimedLayer):
                    if not summary.all(str(case), name, measurement):
                        continue
                    problem = summary.problem(str(case), name, measurement)
                    values = summary.times(str(case), name, measurement) or Values()
                    line = [graph, size.num_nodes, size.num_edges, case.layer, *case.size, name]
                    line += [measurement, "ok" if problem is None else problem.status]
                    line += [values.median, values.p10, values.p90, values.repetitions]
                    line += [values.floor, fraction(values) if values.floor else None]
                    line += [values.baseline, values.peak]
                    writer.writerow(line)


def _pairs(summary: Summary, graph: str) -> list[tuple[Case, str]]:
    """Returns the cases on a graph with their contenders, grouped by case."""
    tasks = plan.layer_tasks(summary.config, graph)
    timed_tasks = [task for task in tasks if task.measurement in get_args(TimedLayer)]
    pairs = dict.fromkeys((Case.of(task), task.contender) for task in timed_tasks)
    cases = list(dict.fromkeys(case for case, _ in pairs))
    return sorted(pairs, key=lambda pair: cases.index(pair[0]))


def _layer(summary: Summary, case: Case, contender: str) -> list[str]:
    both = summary.times(str(case), contender, "forward+backward")
    leader = plan.layer_contenders(summary.config)[0]
    first = summary.times(str(case), leader, "forward+backward")
    gates = summary.all(case.layer, contender, "layer gate")
    problem = summary.problem(case.layer, contender, "layer gate")
    passed = gate(gates[0].values) if gates and problem is None else "-"
    return [
        f"{case.layer} {case.shape}",
        contender,
        passed if problem is None else problem.status,
        *_cells(summary, case, contender, "forward"),
        *_cells(summary, case, contender, "forward+backward"),
        f"{median(both) / median(first):.3g}x" if both and first else "-",
        memory(both) if both else "-",
    ]


def _operator(summary: Summary, case: Case) -> list[str]:
    return [
        f"{case.layer} {case.shape}",
        *_cells(summary, case, "gatsparse", "operator"),
        *_cells(summary, case, "gatsparse", "operator backward"),
    ]


def _cells(summary: Summary, case: Case, contender: str, measurement: TimedLayer) -> list[str]:
    """Returns time and fraction of the floor, or the reason why there are none."""
    values = summary.times(str(case), contender, measurement)
    if values is not None:
        return [timed(values), fraction(values)]
    problem = summary.problem(str(case), contender, measurement)
    if problem is None or problem.measurement != measurement:
        return ["-", "-"]
    return [problem.status, "-"]


def _notes(summary: Summary, pairs: list[tuple[Case, str]]) -> list[str]:
    """Describes each problem once."""
    measurements: tuple[Measurement, ...] = get_args(TimedLayer)
    problems = [
        problem
        for case, name in pairs
        for measurement in measurements
        if (problem := summary.problem(str(case), name, measurement)) is not None
    ]
    return list(dict.fromkeys(describe(problem) for problem in problems))


def _growth(summary: Summary) -> list[list[str]]:
    exponents: dict[tuple[str, str, str], list[str]] = {}
    measurements: tuple[TimedLayer, ...] = ("forward", "forward+backward")
    for k, measurement in enumerate(measurements):
        for curve in curves(summary, measurement):
            key = (curve.layer, curve.shape, curve.contender)
            line = exponents.setdefault(key, ["-"] * len(measurements) * len(_FITS))
            for column, least in enumerate(_FITS, start=k * len(_FITS)):
                exponent = curve.exponent(least)
                line[column] = "-" if exponent is None else f"{exponent:.2f}"
    return [
        [f"{layer} {shape}", contender, *line]
        for (layer, shape, contender), line in exponents.items()
    ]
