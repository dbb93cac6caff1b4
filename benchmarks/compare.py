"""Compares two runs: differences of configuration and environment, and ratios of the results."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, NamedTuple

from rich import box
from rich.console import Console

from benchmarks.rows import Measurement, Row, Values
from benchmarks.samples import difference
from benchmarks.summary import Summary
from benchmarks.text import median, milliseconds, print_table

_TIMED = ("inference", "step", "forward", "forward+backward", "operator", "operator backward")
_RATIOS = ("on", "contender", "measurement", "A", "B", "B / A", "interval", "peak, B / A")
_NOTES = (
    "B / A: above 1 if B takes longer or uses more memory. interval: with at least two rounds in "
    "both, the 95 % confidence interval of the ratio (Welch, on logarithms of the medians of "
    "rounds); with fewer, marked ~, from p10 of B / p90 of A to p90 of B / p10 of A.",
    "accuracy: means over seeds, and the difference in points with its 95 % interval (Welch).",
)


class What(NamedTuple):
    """A measurement that two runs can have in common; see :class:`benchmarks.rows.Key`."""

    dataset: str
    contender: str
    measurement: Measurement


def compare(first: Path, second: Path, console: Console) -> None:
    """Prints two runs side by side.

    Args:
        first, second (Path): Folders of runs.
        console (Console): Console to print on.

    Raises:
        ValueError: If one of them is not the folder of a run.
    """
    a, b = Summary.load(first), Summary.load(second)
    console.print(f"A: {first}\nB: {second}", markup=False, highlight=False, soft_wrap=True)
    for title, left, right in (
        ("configuration", flat(asdict(a.config)), flat(asdict(b.config))),
        ("environment", a.environment, b.environment),
    ):
        lines = differences(left, right)
        if lines:
            print_table(console, title, ("", "A", "B"), lines, [], box.SIMPLE_HEAD)
        else:
            console.print(f"{title}: equal")
    asked = [list(_asked(summary)) for summary in (a, b)]
    shared = [what for what in asked[0] if what in set(asked[1])]
    ratios = [line for what in shared if (line := _line(a, b, what)) is not None]
    notes = [*_NOTES]
    for name, own, other in (("A", *asked), ("B", *reversed(asked))):
        alone = len(set(own) - set(other))
        notes += [f"asked for in {name} alone: {alone} measurements"] if alone else []
    if not ratios:
        notes = ["The runs have no measurement in common.", *notes[len(_NOTES) :]]
    print_table(console, "ratios", _RATIOS, ratios, notes, box.SIMPLE_HEAD)


def flat(value: Any, key: str = "") -> dict[str, str]:
    """Returns the leaves of a configuration by key, such as ``step.seconds``."""
    if isinstance(value, Mapping) and value:
        parts = {f"{key}.{name}" if key else str(name): part for name, part in value.items()}
    elif isinstance(value, list | tuple) and any(isinstance(part, Mapping) for part in value):
        parts = {f"{key}[{k}]": part for k, part in enumerate(value)}
    else:
        text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        return {key: text}
    return {name: text for k, part in parts.items() for name, text in flat(part, k).items()}


def differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[list[str]]:
    """Returns a line for each key whose values differ."""
    names = dict.fromkeys([*a, *b])
    pairs = {name: (str(a.get(name, "-")), str(b.get(name, "-"))) for name in names}
    return [[name, left, right] for name, (left, right) in pairs.items() if left != right]


def _asked(summary: Summary) -> Iterator[What]:
    tasks = (What(*task[:3]) for task in summary.tasks())
    kept = (*_TIMED, "recipe", "accuracy")
    return iter(dict.fromkeys(what for what in tasks if what.measurement in kept))


def _line(a: Summary, b: Summary, what: What) -> list[str] | None:
    """Returns a line of the table, or None if neither run has the measurement."""
    rows = a.all(*what), b.all(*what)
    problems = [summary.problem(*what) for summary in (a, b)]
    if not any(rows) and not any(problems):
        return None
    line = [what.dataset, what.contender, what.measurement]
    if any(problems) or not all(rows):
        cells = [
            "not measured" if problem is None and not found else _status(problem)
            for problem, found in zip(problems, rows, strict=True)
        ]
        return [*line, *cells, "-", "-", "-"]
    if what.measurement == "accuracy":
        return [*line, *_accuracies(*rows)]
    if what.measurement == "recipe":
        seconds = [found.seconds for s in (a, b) if (found := s.training(*what[:2]))]
        return [*line, *(f"{s:.3g} s" for s in seconds), f"{seconds[1] / seconds[0]:.3g}", "-", "-"]
    return [*line, *_times(a, b, what, *rows)]


def _status(problem: Row | None) -> str:
    return "ok" if problem is None else problem.status


def _times(
    a: Summary, b: Summary, what: What, first: Sequence[Row], second: Sequence[Row]
) -> list[str]:
    left, right = a.times(*what), b.times(*what)
    assert left is not None
    assert right is not None
    ratio = median(right) / median(left)
    low, high, mark = _interval(first, second, left, right)
    peak = "-" if not left.peak or not right.peak else f"{right.peak / left.peak:.3g}"
    times = [f"{milliseconds(median(values))} ms" for values in (left, right)]
    return [*times, f"{ratio:.3g}", f"{mark}{low:.3g} to {high:.3g}", peak]


def _interval(
    first: Sequence[Row], second: Sequence[Row], left: Values, right: Values
) -> tuple[float, float, str]:
    """Returns the bounds of the ratio, and ``"~ "`` if they are computed from percentiles."""
    logs = [[math.log(median(row.values)) for row in rows] for rows in (second, first)]
    if min(map(len, logs)) > 1 and any(len(set(values)) > 1 for values in logs):
        low, high = welch_interval(*logs)
        return math.exp(low), math.exp(high), ""
    assert left.p10 is not None and left.p90 is not None  # noqa: PT018
    assert right.p10 is not None and right.p90 is not None  # noqa: PT018
    return right.p10 / left.p90, right.p90 / left.p10, "~ "


def _accuracies(first: Sequence[Row], second: Sequence[Row]) -> list[str]:
    found = [[100 * (row.values.accuracy or 0.0) for row in rows] for rows in (first, second)]
    means = [fmean(values) for values in found]
    interval = "-"
    if min(map(len, found)) > 1 and any(len(set(values)) > 1 for values in found):
        low, high = welch_interval(found[1], found[0])
        interval = f"{low:+.1f} to {high:+.1f}"
    cells = [f"{mean:.1f} %, {len(found[k])}" for k, mean in enumerate(means)]
    return [*cells, f"{means[1] - means[0]:+.1f} points", interval, "-"]


def welch_interval(values: Sequence[float], others: Sequence[float]) -> tuple[float, float]:
    """Returns the 95 % confidence interval of the mean of values minus the mean of others."""
    found = difference(values, fmean(others), stdev(others), len(others))
    return found.low, found.high
