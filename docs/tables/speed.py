"""Time and memory of models and of single layers."""

from __future__ import annotations

import json
from dataclasses import fields
from functools import cache

from benchmarks import drop_in_rows, plan
from benchmarks.growth import BEYOND_CACHE, LEAST_EDGES, curves
from benchmarks.plan import Case
from benchmarks.rows import Measurement, TimedLayer, Values
from benchmarks.summary import Summary
from benchmarks.text import fraction, machine, markdown_table, median, memory
from docs.tables.numbers import DATASETS, NOTHING, RESULTS, relative, time

#: Names of contenders in the tables.
NAMES = {
    "gatsparse": "gatsparse",
    "pyg": "PyG",
    "pyg-compile": "PyG, compiled",
    "scatter": "torch-scatter",
    "dense-broadcast": 'dense, `form="broadcast"`',
    "dense-concat": 'dense, `form="concat"`',
}


@cache
def summary(name: str) -> Summary:
    """Returns the rows of a run of :mod:`benchmarks`."""
    return Summary.load(RESULTS / name)


def environment(name: str) -> list[str]:
    """Machine and versions of a run."""
    return machine(summary(name).environment)


def runs() -> list[str]:
    """Commands, dates and code of the runs."""
    lines = []
    for name in ("bench", "kernels", "kernels-scaling"):
        found = summary(name)
        days = sorted(row.finished[:10] for row in found.rows.values())
        dates = days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}"
        command = f"`python -m benchmarks run configs/{name}.yaml`"
        lines.append([command, dates, f"`{found.environment['code']}`"])
    return markdown_table(["command", "measured", "digest of the code"], lines)


def models(dataset: str) -> list[str]:
    """Two-layer models on a data set."""
    rows = summary("bench")
    first_step = values_of(rows, dataset, "gatsparse", "step")
    first_inference = values_of(rows, dataset, "gatsparse", "inference")
    first_training = rows.training(dataset, "gatsparse")
    lines = []
    for name in rows.config.contenders:
        inference = rows.times(dataset, name, "inference")
        step = rows.times(dataset, name, "step")
        training = rows.training(dataset, name)
        whole = NOTHING
        if training and first_training:
            about = "about " if training.scaled_from is not None else ""
            whole = about + relative(training.seconds, first_training.seconds)
        lines.append(
            [
                NAMES[name],
                relative(median(inference), median(first_inference)) if inference else NOTHING,
                relative(median(step), median(first_step)) if step else NOTHING,
                whole,
                f"{memory(step)} GB" if step else NOTHING,
            ]
        )
    epochs = rows.config.recipe.epochs
    header = [DATASETS[dataset], "inference", "training step", f"{epochs} epochs", "peak memory"]
    return markdown_table(header, lines)


def layers(measurement: TimedLayer) -> list[str]:
    """Single layers on the graphs of ``configs/kernels.yaml``."""
    rows = summary("kernels")
    names = ["gatsparse", "pyg-compile", "pyg", "scatter"]
    both = measurement == "forward+backward"
    lines = []
    for case in _cases(rows):
        values = {name: rows.times(str(case), name, measurement) for name in names}
        first = values["gatsparse"]
        assert first is not None
        line = [f"{case.layer} {case.shape}, {case.graph}"]
        for name, value in values.items():
            problem = rows.problem(str(case), name, measurement)
            missing = NOTHING if problem is None else problem.status
            line.append(relative(median(value), median(first)) if value else missing)
        if both:
            line += [f"{memory(v)} GB" if v else NOTHING for v in (first, values["pyg"])]
        lines.append(line)
    header = [measurement.replace("+", " + "), *(NAMES[name] for name in names)]
    return markdown_table(header + ["peak, gatsparse", "peak, PyG"] * both, lines)


def graphs() -> list[str]:
    """Sizes of the graphs of single layers."""
    sizes = summary("kernels").graphs().items()
    lines = [[name, f"{size.num_nodes:,}", f"{size.num_edges:,}"] for name, size in sizes]
    return markdown_table(["graph", "nodes", "edges"], lines)


def operators() -> list[str]:
    """Fused operators, and the gather floor as a share of their time."""
    rows = summary("kernels")
    lines = []
    for case in _cases(rows):
        line = [f"{case.layer} {case.shape}, {case.graph}"]
        for measurement in ("operator", "operator backward"):
            values = rows.times(str(case), "gatsparse", measurement)
            line += [time(median(values)), fraction(values)] if values else [NOTHING] * 2
        lines.append(line)
    return markdown_table(["operator", "forward", "floor", "backward", "floor"], lines)


def growth() -> list[str]:
    """Exponents of time against edges, and the largest graph."""
    rows = summary("kernels-scaling")
    measured: dict[tuple[str, ...], list[str]] = {}
    for measurement in ("forward", "forward+backward"):
        for curve in curves(rows, measurement):
            edges, values = curve.points[-1]
            exponents = [curve.exponent(least) for least in (LEAST_EDGES, BEYOND_CACHE)]
            measured.setdefault(
                (f"{curve.layer} {curve.shape}", NAMES[curve.contender]), []
            ).extend(
                [
                    *(NOTHING if e is None else f"{e:.2f}" for e in exponents),
                    f"{time(median(values))} at {edges:.0e} edges",
                ]
            )
    header = ["layer", "contender"]
    for name in ("forward", "forward + backward"):
        header += [f"{name}: from {LEAST_EDGES:.0e}", f"from {BEYOND_CACHE:.0e}", "largest graph"]
    return markdown_table(header, [[*key, *cells] for key, cells in measured.items()])


def drop_in(part: str) -> list[str]:
    """Small graphs, accelerated models of PyG, or compiled models."""
    row_class = {
        "layers": drop_in_rows.LayerRow,
        "models": drop_in_rows.ModelRow,
        "compiled": drop_in_rows.CompiledRow,
    }[part]
    header = {
        "layers": ["layer", "graph", "`edge_index`", "work", "PyG (µs)", "gatsparse (µs)"],
        "models": ["model", "graph", "layers", "PyG (ms)", "gatsparse (ms)"],
        "compiled": ["model", "dynamic", "fullgraph", "batches", "graphs", "recompilations"],
    }[part]
    header += ["graph breaks", "seconds", "error"] if part == "compiled" else ["ratio", "error"]
    names = {field.name for field in fields(row_class)}
    rows = json.loads((RESULTS / "drop-in" / "drop_in.json").read_text())[part]
    rows = [row_class(**{k: v for k, v in row.items() if k in names}) for row in rows]
    return markdown_table(header, [row.cells() for row in rows])


def values_of(rows: Summary, case: str, contender: str, measurement: Measurement) -> Values:
    """Returns time and memory of a contender.

    Raises:
        ValueError: If they were not measured.
    """
    values = rows.times(case, contender, measurement)
    if values is None:
        raise ValueError(f"expected {measurement} of {contender} on {case} under {RESULTS}")
    return values


def _cases(rows: Summary) -> list[Case]:
    tasks = [task for name in rows.graphs() for task in plan.layer_tasks(rows.config, name)]
    timed = [task for task in tasks if task.measurement == "forward+backward"]
    return list(dict.fromkeys(Case.of(task) for task in timed))
