"""Text and tables of rows and numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from rich.box import HEAVY_HEAD, Box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmarks.rows import Row, Values
from benchmarks.summary import Training


def describe(row: Row) -> str:
    """Describes a row in one line."""
    what = f"{row.dataset} {row.contender} {row.measurement}"
    if row.measurement not in ("reference", "gate", "graph", "layer gate"):
        what += f" {row.round}"
    if row.status != "ok":
        return f"{what}: {row.status}: {row.detail}"
    values = row.values
    match row.measurement:
        case "gate" | "layer gate":
            return f"{what}: passed, {gate(values)}"
        case "accuracy":
            assert values.accuracy is not None
            return f"{what}: {100 * values.accuracy:.1f} % in {values.seconds:.0f} s"
        case "recipe":
            reached = "" if values.accuracy is None else f", {100 * values.accuracy:.1f} %"
            return f"{what}: {values.epochs} epochs in {values.seconds:.1f} s{reached}"
        case "reference":
            return f"{what}: computed"
        case "graph":
            return f"{what}: {values.num_nodes:,} nodes, {values.num_edges:,} edges"
        case _:
            floor = "" if values.floor is None else f", {fraction(values)} of the floor"
            return (
                f"{what}: {_time(values)} ms, {values.repetitions} runs{floor}, "
                f"peak {memory(values)} GB"
            )


def machine(environment: Mapping[str, str | int]) -> list[str]:
    """Returns the result of :func:`benchmarks.measure.environment` as a list in Markdown."""
    rest = dict(environment)
    gigabytes = int(rest.pop("memory")) / 1e9
    return [
        f"- {rest.pop('cpu')}, {rest.pop('instructions')}: "
        f"{rest.pop('cores')} cores, {rest.pop('processors')} processors, "
        f"{gigabytes:.0f} GB; {rest.pop('threads')} threads used",
        *(f"- {name}: {value}" for name, value in rest.items()),
    ]


def print_table(
    console: Console,
    title: str,
    header: Sequence[str],
    lines: Sequence[Sequence[str]],
    notes: Sequence[str],
    box: Box = HEAVY_HEAD,
) -> None:
    """Prints a table with notes below it."""
    table = Table(title=title, box=box, caption=Text("\n".join(notes)), caption_justify="left")
    for k, name in enumerate(header):
        table.add_column(name, justify="left" if k == 0 else "right", no_wrap=k == 0)
    for line in lines:
        table.add_row(*line)
    console.print(table)


def markdown_table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    """Returns the lines of a table in Markdown."""
    rule = ["---"] + ["---:"] * (len(header) - 1)
    return ["| " + " | ".join(cells) + " |" for cells in (header, rule, *lines)]


def median(values: Values) -> float:
    """Returns the median time, in seconds."""
    assert values.median is not None
    return values.median


def fraction(values: Values) -> str:
    """Returns the time of the gather floor as a share of the time."""
    assert values.floor is not None
    return f"{values.floor / median(values):.2f}"


def gate(values: Values) -> str:
    """Returns the larger error, of output or gradients, as a share of its budget.

    Returns ``"-"`` if the gate has no values.
    """
    shares = []
    for name in ("output", "gradient"):
        error, budget = getattr(values, f"{name}_error"), getattr(values, f"{name}_budget")
        if error is None or budget is None:
            return "-"
        shares.append(error / budget if budget else math.inf)
    return f"{max(shares):.2f} of budget"


def timed(values: Values) -> str:
    """Returns median and percentiles in milliseconds, and the number of runs."""
    return f"{_time(values)}, {values.repetitions}"


def trained(training: Training, first: Training | None) -> str:
    """Returns the seconds of a training, their ratio to the first contender, and the accuracy.

    If the time is extrapolated, the number of epochs takes the place of the accuracy.
    """
    relative = "" if first is None else f" ({training.seconds / first.seconds:.3g}x)"
    if training.scaled_from is not None:
        return (
            f"~ {_seconds(training.seconds)}{relative}, scaled from {training.scaled_from} epochs"
        )
    assert training.accuracy is not None
    return f"{_seconds(training.seconds)}{relative}, {100 * training.accuracy:.1f} %"


def memory(values: Values) -> str:
    """Returns the peak, and the memory added to the process, in GB."""
    assert values.peak is not None
    assert values.baseline is not None
    return f"{values.peak / 1e9:.2f} (+{(values.peak - values.baseline) / 1e9:.2f})"


def milliseconds(seconds: float) -> str:
    """Formats a time with three digits, in milliseconds, without the unit."""
    return f"{1e3 * seconds:.0f}" if seconds >= 1 else f"{1e3 * seconds:.3g}"


def _time(values: Values) -> str:
    assert values.p10 is not None
    assert values.p90 is not None
    middle, p10, p90 = map(milliseconds, (median(values), values.p10, values.p90))
    return f"{middle} ({p10} to {p90})"


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f}" if seconds >= 100 else f"{seconds:.3g}"
