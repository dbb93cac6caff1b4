"""Tables of the reproduction, on the terminal and in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console

from benchmarks import samples
from benchmarks.experiments.paper import accuracies, comparison, times
from benchmarks.experiments.paper.plot import plot
from benchmarks.experiments.paper.runs import PaperRuns
from benchmarks.measure import environment
from benchmarks.text import machine, markdown_table, print_table


def report(
    paper_runs: PaperRuns,
    datasets: Sequence[str],
    console: Console,
    count: int | None = None,
    failures: Sequence[str] = (),
) -> list[Path]:
    """Prints the tables of all existing runs, and writes ``report.md`` and ``accuracies.png``.

    Args:
        paper_runs (PaperRuns): Folder and configurations of the runs.
        datasets (list of str): Names of data sets.
        console (Console): Console to print on.
        count (int, optional): Number of seeds; by default, all.
        failures (list of str): Failed trainings, with the reason.

    Returns:
        list of Path: Paths of the files.

    Raises:
        ValueError: If there are no runs, or a run folder is damaged.
    """
    notes, tests = _comparison(paper_runs, datasets, count)
    sections = (
        (
            "Accuracy",
            accuracies.HEADER,
            list(accuracies.lines(paper_runs, datasets, count)),
            accuracies.LEGEND,
            [],
        ),
        ("gatsparse and PyG", comparison.HEADER, tests, comparison.LEGEND, notes),
        (
            "Time",
            times.HEADER,
            list(times.lines(paper_runs, datasets, count)),
            times.LEGEND,
            [],
        ),
    )
    markdown = ["# The GAT paper, reproduced", "", *machine(environment(None)), ""]
    if failures:
        markdown += ["**Incomplete: some trainings failed.**", ""]
        markdown += [*(f"- {failure}" for failure in failures), ""]
    for title, header, lines, legend, notes in sections:
        if lines or notes:
            print_table(console, title, header, lines, notes, box.MARKDOWN)
            markdown += [f"## {title}", "", *markdown_table(header, lines), ""]
            markdown += [f"- {note}" for note in notes] + [legend]
    if not any(lines or notes for _, _, lines, _, notes in sections):
        raise ValueError(f"{paper_runs.out}: expected runs of {', '.join(datasets)}, got none")
    charts = plot(paper_runs, datasets, count)
    markdown += [line for chart in charts for line in (f"![{chart.stem}]({chart.name})", "")]
    markdown += _runs(paper_runs, datasets, count)
    path = paper_runs.out / "report.md"
    path.write_text("\n".join(markdown))
    return [path, *charts]


def _comparison(
    paper_runs: PaperRuns, datasets: Sequence[str], count: int | None
) -> tuple[list[str], list[list[str]]]:
    notes, lines = [], []
    for dataset, ours, theirs in comparison.compared(paper_runs, datasets, count):
        if len(set(ours)) == len(set(theirs)) == 1:
            notes.append(f"{dataset}: each of the two has one accuracy only; nothing to test.")
            continue
        result = samples.compare(ours, theirs)
        lines.append(comparison.line(dataset, ours, theirs, result))
        notes.append(comparison.verdict(dataset, result))
    return notes, lines


def _runs(paper_runs: PaperRuns, datasets: Sequence[str], count: int | None) -> list[str]:
    found = accuracies.found(paper_runs, datasets, count)
    runs = {f"{run.folder.parent.name}/{run.folder.name}": run for _, _, run in found}
    return [f"- {name}: {len(run.seeds)} seeds, code {run.code}" for name, run in runs.items()]
