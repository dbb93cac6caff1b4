"""Graphs of up to 124 million edges."""

from __future__ import annotations

from functools import cache
from typing import Any

from benchmarks.large.report import read
from benchmarks.text import markdown_table
from docs.tables.numbers import NOTHING, RESULTS, time

_BUDGETS = ("8GB", "2GB, on disk", "1GB, on disk")


@cache
def large() -> dict[tuple[str, str, str], dict[str, Any]]:
    """Returns the last row of each graph, measurement and contender of :mod:`benchmarks.large`."""
    rows = read(RESULTS / "large" / "rows.jsonl")
    return {(row["graph"], row["what"], row["who"]): row for row in rows}


def large_graphs() -> list[str]:
    """Training, sampled epochs and exact inference on graphs of growing size."""
    lines = []
    for graph in dict.fromkeys(graph for graph, _, _ in large()):
        exact = [_cell(graph, f"inference within {b}") for b in _BUDGETS]
        lines.append(
            [
                graph,
                _cell(graph, "step"),
                _cell(graph, "step", "pyg"),
                _cell(graph, "sampled epoch", peak=False),
                _cell(graph, "sampled epoch", "pyg", peak=False),
                " / ".join(exact),
                _cell(graph, "inference", "pyg"),
            ]
        )
    header = ["edges", "training step", "PyG", "sampled epoch", "PyG"]
    return markdown_table([*header, "exact inference within 8 / 2 / 1 GB", "PyG"], lines)


def sampling() -> list[str]:
    """Building the CSR graph, and drawing neighbourhoods."""
    lines = []
    for graph in dict.fromkeys(graph for graph, _, _ in large()):
        built, drawn = large_numbers(graph, "structure"), large_numbers(graph, "sampling")
        lines.append(
            [
                graph,
                f"{time(built['seconds'])}, +{built['added'] / 1e9:.2f} GB",
                f"{time(built['argsort'])}, +{built['argsort added'] / 1e9:.2f} GB",
                f"{drawn['rate'] / 1e6:.0f} M edges/s",
                f"{drawn['loop'] / 1e6:.1f} M edges/s",
            ]
        )
    header = ["edges", "CSR graph", "`torch.argsort`", "sampler", "loop in NumPy"]
    return markdown_table(header, lines)


def large_numbers(graph: str, what: str, who: str = "gatsparse") -> dict[str, float]:
    """Returns the numbers of a measurement that succeeded."""
    return large()[graph, what, who]["numbers"]


def _cell(graph: str, what: str, who: str = "gatsparse", *, peak: bool = True) -> str:
    row = large().get((graph, what, who))
    if row is None:
        return NOTHING
    if row["status"] != "ok":
        return row["status"]
    numbers = row["numbers"]
    text = time(numbers["seconds"])
    if peak and "peak" in numbers:
        return f"{text}, {numbers['peak'] / 1e9:.1f} GB"
    return f"{text}, +{numbers['added'] / 1e9:.2f} GB" if "added" in numbers else text
