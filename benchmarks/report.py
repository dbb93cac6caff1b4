"""The result of a run as tables: on the terminal, and in Markdown."""

from __future__ import annotations

from pathlib import Path
from statistics import mean, stdev

from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmarks.results import Measurement, Row, Values
from benchmarks.summary import Summary

_HEADER = (
    "contender",
    "gate",
    "inference (ms)",
    "training step (ms)",
    "relative",
    "peak (GB)",
    "accuracy (%)",
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


def report(folder: Path, console: Console) -> Path:
    """Prints the tables of a run, and writes them to ``report.md`` in its folder.

    Args:
        folder (Path): Folder of a run.
        console (Console): Where to print.

    Returns:
        Path: The Markdown file.

    Raises:
        ValueError: If it is none.
    """
    summary = Summary.load(folder)
    markdown = ["# Benchmark", "", *_environment(summary), ""]
    for dataset in summary.datasets():
        lines = [_line(summary, dataset, name) for name in summary.config.contenders]
        notes = _notes(summary, dataset)
        _print(console, dataset, lines, notes)
        markdown += [f"## {dataset}", "", *_markdown_table(lines), ""]
        markdown += [f"- {note}" for note in notes] + ([""] if notes else [])
    absent = [describe(row) for row in summary.missing()]
    for text in absent:
        console.print(text, markup=False, highlight=False, soft_wrap=True)
    markdown += [*absent, "", _LEGEND.format(epochs=summary.config.accuracy.epochs)]
    path = folder / "report.md"
    path.write_text("\n".join(markdown))
    return path


def describe(row: Row) -> str:
    """A row in one line."""
    what = f"{row.dataset} {row.contender} {row.measurement}"
    if row.measurement in ("inference", "step", "accuracy"):
        what += f" {row.round}"
    if row.status != "ok":
        return f"{what}: {row.status}: {row.detail}"
    values = row.values
    match row.measurement:
        case "gate":
            return f"{what}: passed, {_gate(values)}"
        case "inference" | "step":
            return (
                f"{what}: {_time(values)} ms, {values.repetitions} runs, peak {_memory(values)} GB"
            )
        case "accuracy":
            return f"{what}: {100 * (values.accuracy or 0):.1f} % in {values.seconds:.0f} s"
        case "reference":
            return f"{what}: computed"


def _line(summary: Summary, dataset: str, contender: str) -> list[str]:
    inference = summary.times(dataset, contender, "inference")
    step = summary.times(dataset, contender, "step")
    first = summary.times(dataset, summary.config.contenders[0], "step")
    gates = summary.all(dataset, contender, "gate")
    accuracy = [row.values.accuracy for row in summary.all(dataset, contender, "accuracy")]

    def or_problem(measurement: Measurement, text: str | None) -> str:
        problem = summary.problem(dataset, contender, measurement)
        if problem is None:
            return text or "-"
        return problem.status if problem.measurement == measurement else "-"

    return [
        contender,
        or_problem("gate", _gate(gates[0].values) if gates else None),
        or_problem("inference", _timed(inference) if inference else None),
        or_problem("step", _timed(step) if step else None),
        f"{_median(step) / _median(first):.3g}x" if step and first else "-",
        _memory(step) if step else "-",
        or_problem("accuracy", _accuracy([value for value in accuracy if value is not None]))
        if contender in summary.config.accuracy.contenders
        else or_problem("accuracy", "by gate"),
    ]


def _notes(summary: Summary, dataset: str) -> list[str]:
    """Everything that did not go well, once each."""
    measurements: tuple[Measurement, ...] = ("gate", "inference", "step", "accuracy")
    problems = [
        problem
        for name in summary.config.contenders
        for measurement in measurements
        if (problem := summary.problem(dataset, name, measurement)) is not None
    ]
    return list(dict.fromkeys(describe(problem) for problem in problems))


def _print(console: Console, dataset: str, lines: list[list[str]], notes: list[str]) -> None:
    table = Table(title=dataset, caption=Text("\n".join(notes)), caption_justify="left")
    for k, name in enumerate(_HEADER):
        table.add_column(name, justify="left" if k == 0 else "right", no_wrap=k == 0)
    for line in lines:
        table.add_row(*line)
    console.print(table)


def _markdown_table(lines: list[list[str]]) -> list[str]:
    rule = ["---"] + ["---:"] * (len(_HEADER) - 1)
    return ["| " + " | ".join(cells) + " |" for cells in (_HEADER, rule, *lines)]


def _environment(summary: Summary) -> list[str]:
    environment = dict(summary.environment)
    gigabytes = int(environment.pop("memory")) / 1e9
    return [
        f"- {environment.pop('cpu')}, {environment.pop('instructions')}: "
        f"{environment.pop('cores')} cores, {environment.pop('processors')} processors, "
        f"{gigabytes:.0f} GB; {environment.pop('threads')} threads used",
        *(f"- {name}: {value}" for name, value in environment.items()),
    ]


def _median(values: Values) -> float:
    assert values.median is not None
    return values.median


def _gate(values: Values) -> str:
    assert values.output_error is not None
    assert values.output_budget is not None
    assert values.gradient_error is not None
    assert values.gradient_budget is not None
    output = values.output_error / values.output_budget
    gradient = values.gradient_error / values.gradient_budget
    return f"{max(output, gradient):.2f} of budget"


def _time(values: Values) -> str:
    assert values.p10 is not None
    assert values.p90 is not None
    median, p10, p90 = map(_milliseconds, (_median(values), values.p10, values.p90))
    return f"{median} ({p10} to {p90})"


def _milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:.0f}" if seconds >= 1 else f"{1e3 * seconds:.3g}"


def _timed(values: Values) -> str:
    return f"{_time(values)}, {values.repetitions}"


def _memory(values: Values) -> str:
    assert values.peak is not None
    assert values.baseline is not None
    return f"{values.peak / 1e9:.2f} (+{(values.peak - values.baseline) / 1e9:.2f})"


def _accuracy(accuracies: list[float]) -> str | None:
    if not accuracies:
        return None
    percent = [100 * accuracy for accuracy in accuracies]
    spread = f" ± {stdev(percent):.1f}" if len(percent) > 1 else ""
    return f"{mean(percent):.1f}{spread}, {len(percent)}"
