"""Report of a run in Markdown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.large.plot import plot
from benchmarks.rows import parsed
from benchmarks.text import machine, markdown_table

_HEADER = ["graph", "measurement", "who", "time", "memory", "more"]


def report(folder: Path) -> Path:
    """Writes ``report.md`` and ``large.png`` from the last row of each measurement.

    Args:
        folder (Path): Folder with ``rows.jsonl``.

    Raises:
        ValueError: If there are no rows.
    """
    rows = read(folder / "rows.jsonl")
    if not rows:
        raise ValueError(f"{folder}: expected rows in rows.jsonl, got none")
    last = {(row["graph"], row["what"], row["who"]): row for row in rows}
    graphs = list(dict.fromkeys(row["graph"] for row in rows))
    ordered = sorted(last.values(), key=lambda row: graphs.index(row["graph"]))
    lines = ["# Large graphs", "", *machine(rows[-1]["machine"]), ""]
    lines += markdown_table(_HEADER, [_cells(row) for row in ordered])
    lines += [
        "",
        "Memory is the peak of the process, or, after +, what it grew by beside the data. Floor: "
        "the time of plain sums of the rows that are gathered, forward and backward, as a share of "
        "the step. PyG's sampled epochs take the batches of our sampler, cut by `trim_to_layer`: "
        "its own sampler needs pyg-lib or torch-sparse. Its inference is its forward pass on the "
        "whole graph.",
    ]
    if plot(last, folder / "large.png") is not None:
        lines += ["", "![Time and memory](large.png)"]
    path = folder / "report.md"
    path.write_text("\n".join(lines) + "\n")
    return path


def read(path: Path) -> list[dict[str, Any]]:
    """Reads the rows of a file; see :func:`benchmarks.rows.parsed`.

    Raises:
        ValueError: If a line is not a row.
    """
    return list(parsed(path, _row))


def _row(line: str) -> dict[str, Any]:
    row = json.loads(line)
    if (
        not isinstance(row, dict)
        or not {"graph", "what", "who", "status", "detail", "numbers", "machine"} <= row.keys()
    ):
        raise ValueError("not a row")
    return row


def _cells(row: dict[str, Any]) -> list[str]:
    cells = [row["graph"], row["what"], row["who"]]
    if row["status"] != "ok":
        return [*cells, row["status"], "", row["detail"]]
    numbers = row["numbers"]
    memory = f"{numbers['peak'] / 1e9:.2f} GB" if "peak" in numbers else ""
    if "added" in numbers:
        memory = f"+{numbers['added'] / 1e9:.2f} GB"
    return [*cells, _seconds(numbers["seconds"]), memory, _more(numbers)]


def _more(numbers: dict[str, float]) -> str:
    """Describes the numbers that only some measurements have."""
    seconds = numbers["seconds"]
    words = {
        "first": lambda value: f"the first {_seconds(value)}",
        "transpose": lambda value: f"transpose {_seconds(value)}",
        "argsort": lambda value: f"torch.argsort {_seconds(value)} ({value / seconds:.1f}x)",
        "argsort first": lambda value: f"the first {_seconds(value)}",
        "argsort added": lambda value: f"which takes +{value / 1e9:.2f} GB",
        "floor": lambda value: f"{value / seconds:.2f} of the floor",
        "rate": lambda value: f"{value / 1e6:.1f} M edges/s",
        "loop": lambda value: f"a loop in NumPy {value / 1e6:.2f} M edges/s",
        "edges": lambda value: f"{value / 1e6:.1f} M edges",
        "batches alone": lambda value: f"drawing batches alone {_seconds(value)}",
        "difference": lambda value: f"difference from the whole graph {value:.0e}",
    }
    return ", ".join(word(numbers[name]) for name, word in words.items() if name in numbers)


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value >= 10 else f"{value:.3g} s"
