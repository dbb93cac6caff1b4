"""Folder of the committed rows, and formats of numbers in the tables."""

from __future__ import annotations

from pathlib import Path

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "cpu-2-cores"

#: Names of data sets in the tables.
DATASETS = {"cora": "Cora", "citeseer": "CiteSeer"}

#: A cell without a value.
NOTHING = "-"


def time(seconds: float) -> str:
    """Formats a time with three digits, in ms or s."""
    if seconds < 1:
        return f"{digits(1e3 * seconds)} ms"
    return f"{digits(seconds)} s"


def digits(number: float) -> str:
    """Formats a number with three digits, without an exponent."""
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:#.3g}"


def ratio(value: float, first: float) -> str:
    """Formats a ratio with two digits or more."""
    return f"{value / first:,.0f}x" if value >= 9.95 * first else f"{value / first:.2g}x"


def relative(seconds: float, first: float) -> str:
    """Formats a time with its ratio to the first one, which is bold."""
    if seconds == first:
        return f"**{time(seconds)}**"
    return f"{time(seconds)} ({ratio(seconds, first)})"
