"""Reports of several tables, each measured after the other."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from rich import box
from rich.console import Console

from benchmarks.measure import environment
from benchmarks.text import machine, markdown_table, print_table


@dataclass(frozen=True)
class Row:
    """A line of a table, and the numbers behind it."""

    def cells(self) -> list[str]:
        """Cells of the line."""
        raise NotImplementedError

    def notes(self) -> list[str]:
        """Notes below the table."""
        return []

    def failure(self) -> str:
        """Reason of a failure; empty if the measurement succeeded."""
        return ""


class Job(NamedTuple):
    """A measurement that yields several rows.

    Args:
        name (str): Name of the measurement.
        rows (callable): Returns the rows.
    """

    name: str
    rows: Callable[[], Iterable[Row]]


class Section(NamedTuple):
    """A part of the report."""

    title: str
    measure: Callable[[argparse.Namespace], Iterator[Job]]
    header: tuple[str, ...]
    legend: str


def measured(section: Section, options: argparse.Namespace) -> tuple[list[Row], list[str]]:
    """Returns the rows and the failures of a section; a failure does not stop the others.

    Each row is printed to standard error as soon as it is measured.
    """
    rows: list[Row] = []
    failures: list[str] = []
    jobs = section.measure(options)
    while True:
        name = section.title
        try:
            job = next(jobs, None)
            if job is None:
                return rows, failures + [row.failure() for row in rows if row.failure()]
            name = job.name
            for row in job.rows():
                rows.append(row)
                print(" | ".join(row.cells()), file=sys.stderr, flush=True)
        except Exception as error:  # each one becomes a line of the report
            traceback.print_exc()
            failures.append(f"{name}: {type(error).__name__}: {error}".splitlines()[0])


def write(
    title: str, file: str, sections: Mapping[str, Section], options: argparse.Namespace
) -> int:
    """Measures all sections and returns the exit status, which is 1 if a measurement failed.

    The report is printed, and written after each section into the folder ``options.out``, if any.

    Args:
        title (str): Heading of the report.
        file (str): Name of the JSON file with the numbers of the report.
        sections (dict): Sections by their key in the JSON file.
        options (argparse.Namespace): Options of all sections, with ``rounds`` and ``out``.
    """
    console = Console(width=160)
    measured_on = environment(None)
    given = {k: v for k, v in vars(options).items() if k != "out" and not isinstance(v, Path)}
    result: dict[str, object] = {"environment": measured_on, "options": given}
    markdown = [f"# {title}", "", *machine(measured_on), f"- rounds: {options.rounds}", ""]
    failed = False
    for key, section in sections.items():
        rows, failures = measured(section, options)
        failed = failed or bool(failures)
        lines = [row.cells() for row in rows]
        notes = [section.legend, *(note for row in rows for note in row.notes())]
        notes += [f"failed: {failure}" for failure in failures]
        print_table(console, section.title, section.header, lines, notes, box.MARKDOWN)
        markdown += [f"## {section.title}", "", *markdown_table(section.header, lines), ""]
        markdown += [*(f"- {note}" for note in notes), ""]
        result[key] = [dataclasses.asdict(row) for row in rows]
        result[f"{key} failures"] = failures
        if options.out is not None:
            options.out.mkdir(parents=True, exist_ok=True)
            (options.out / "report.md").write_text("\n".join(markdown))
            (options.out / file).write_text(json.dumps(result, indent=2))
    return int(failed)


def times(seconds: dict[str, float], scale: float) -> list[str]:
    """Returns two cells for the times, and one for their ratio."""
    pyg, ours = (scale * seconds[name] for name in ("PyG", "gatsparse"))
    return [*(f"{t:,.0f}" if t >= 100 else f"{t:.3g}" for t in (pyg, ours)), f"{pyg / ours:.2f}x"]
