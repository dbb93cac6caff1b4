"""Tables of a run, on the terminal and in Markdown."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from statistics import mean, stdev

from rich.console import Console

from benchmarks.layer_report import layer_sections, write_csv
from benchmarks.plot import plot
from benchmarks.rows import Measurement
from benchmarks.summary import Summary
from benchmarks.text import (
    describe,
    gate,
    machine,
    markdown_table,
    median,
    memory,
    print_table,
    timed,
    trained,
)

_LEGEND = """\
- gate: same weights, same output and gradients as PyG in float64; the error as a share of
  its budget, for the output twice the float32 error of PyG, for gradients twenty times.
- inference, training step (forward, loss, backward, Adam; dropout on): median (10th to 90th
  percentile), number of runs; on the same graph each time, so what a contender keeps of
  its structure is kept.
- relative: the training step as a multiple of that of the first contender.
- peak: most memory of the process of the training step, 1e9 bytes (what it added to the
  process after the data were loaded); of pyg-compile, compiling included.
- accuracy: mean and standard deviation of the test accuracy at the best validation
  accuracy within {epochs} epochs, number of seeds; "by gate": not trained, the gate stands
  in for it.
"""

_RECIPE_LEGEND = """\
- {epochs} epochs: wall seconds of one whole training, each epoch with its step and its
  validation, while nothing else runs (as a multiple of those of the first contender), and the
  test accuracy at the best validation accuracy; of pyg-compile, compiling included. "~": not
  run to its end but for one epoch and about {seconds:g} s more, because it would take more than
  {limit:g} s; the time is that of the first epoch, and of the others in proportion to their number.
"""


def report(folder: Path, console: Console) -> Path:
    """Prints the tables of a run, and writes ``report.md`` with the charts into its folder.

    Measurements of single layers are also written to ``layers.csv``. :func:`benchmarks.plot.plot`
    draws the charts.

    Args:
        folder (Path): Folder of a run.
        console (Console): Console to print on.

    Returns:
        Path: Path of ``report.md``.

    Raises:
        ValueError: If the folder is not that of a run.
    """
    summary = Summary.load(folder)
    markdown = ["# Benchmark", "", *machine(summary.environment), ""]
    failed, unfinished = len(summary.failed()), len(summary.unfinished())
    if failed or unfinished:
        markdown += [
            f"**Incomplete. Failed measurements: {failed}, see the notes; not made yet: "
            f"{unfinished}.**",
            "",
        ]
    header = _header(summary)
    for dataset in summary.datasets():
        lines = [_line(summary, dataset, name) for name in summary.config.contenders]
        notes = _notes(summary, dataset)
        print_table(console, dataset, header, lines, notes)
        markdown += [f"## {dataset}", "", *markdown_table(header, lines), ""]
        markdown += [f"- {note}" for note in notes] + ([""] if notes else [])
    if summary.datasets():
        legend = _LEGEND.format(epochs=summary.config.accuracy.epochs)
        if summary.config.recipe.contenders:
            legend += _RECIPE_LEGEND.format(**asdict(summary.config.recipe))
        markdown += [legend]
    if summary.config.layers:
        markdown += layer_sections(summary, console)
        write_csv(summary, folder / "layers.csv")
    absent = [describe(row) for row in summary.without_section()]
    for text in absent:
        console.print(text, markup=False, highlight=False, soft_wrap=True)
    markdown += [*(f"- {text}" for text in absent), ""] if absent else []
    charts = [f"![{chart.stem.replace('-', ' ')}]({chart.name})" for chart in plot(folder)]
    markdown += ["## Charts", "", *(line for chart in charts for line in (chart, ""))] * bool(
        charts
    )
    path = folder / "report.md"
    path.write_text("\n".join(markdown))
    return path


def _header(summary: Summary) -> list[str]:
    recipe = summary.config.recipe
    return [
        "contender",
        "gate",
        "inference (ms)",
        "training step (ms)",
        "relative",
        "peak (GB)",
        *([f"{recipe.epochs} epochs (s)"] if recipe.contenders else []),
        "accuracy (%)",
    ]


def _line(summary: Summary, dataset: str, contender: str) -> list[str]:
    inference = summary.times(dataset, contender, "inference")
    step = summary.times(dataset, contender, "step")
    first = summary.times(dataset, summary.config.contenders[0], "step")
    training = summary.training(dataset, contender)
    gates = summary.all(dataset, contender, "gate")
    accuracy = [row.values.accuracy for row in summary.all(dataset, contender, "accuracy")]

    def whole() -> str:
        if training is None:
            return or_problem("recipe", None)
        return trained(training, summary.training(dataset, summary.config.contenders[0]))

    def or_problem(measurement: Measurement, text: str | None) -> str:
        problem = summary.problem(dataset, contender, measurement)
        if problem is None:
            return text or "-"
        if problem.measurement == measurement:
            return problem.status
        return f"{problem.measurement} {problem.status}" if measurement == "gate" else "-"

    return [
        contender,
        or_problem("gate", gate(gates[0].values) if gates else None),
        or_problem("inference", timed(inference) if inference else None),
        or_problem("step", timed(step) if step else None),
        f"{median(step) / median(first):.3g}x" if step and first else "-",
        memory(step) if step else "-",
        *([whole()] if summary.config.recipe.contenders else []),
        or_problem("accuracy", _accuracy([value for value in accuracy if value is not None]))
        if contender in summary.config.accuracy.contenders
        else or_problem("accuracy", "by gate"),
    ]


def _notes(summary: Summary, dataset: str) -> list[str]:
    """Describes each problem once."""
    measurements: tuple[Measurement, ...] = ("gate", "inference", "step", "recipe", "accuracy")
    problems = [
        problem
        for name in summary.config.contenders
        for measurement in measurements
        if (problem := summary.problem(dataset, name, measurement)) is not None
    ]
    return list(dict.fromkeys(describe(problem) for problem in problems))


def _accuracy(accuracies: list[float]) -> str | None:
    if not accuracies:
        return None
    percent = [100 * accuracy for accuracy in accuracies]
    spread = f" ± {stdev(percent):.1f}" if len(percent) > 1 else ""
    return f"{mean(percent):.1f}{spread}, {len(percent)}"
