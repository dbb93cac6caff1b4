"""Roles of columns that a configuration leaves open, chosen by their content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from gatsparse.data import GraphFiles
from gatsparse.data.graph_files.config import ID_COLUMNS, usual_role
from gatsparse.data.labels import MASKS, Task
from gatsparse.inspection.columns import ColumnSummary
from gatsparse.inspection.labels import FoundLabels, separator_of, suggested_task

_MOST_CATEGORIES = 100


@dataclass(frozen=True)
class Roles:
    """A configuration of the files, the task, and why.

    Args:
        files (GraphFiles): The files with the roles of their columns.
        task (str): The task that the labels suggest.
        normalize_features (bool): Whether to divide the features of each node by their sum.
        reasons (list of str): What was chosen, and why.
    """

    files: GraphFiles
    task: Task
    normalize_features: bool
    reasons: list[str]


def choose_roles(
    files: GraphFiles,
    columns: Mapping[str, ColumnSummary],
    labels: FoundLabels,
    task: Task | None = None,
) -> Roles:
    """Chooses the task, the columns to ignore, what becomes of missing values, and scaling.

    Args:
        files (GraphFiles): The files; what is set stays as it is.
        columns (dict): Summaries of the columns of the table of nodes.
        labels (FoundLabels): The labels.
        task (str, optional): The task. (default: the one that the labels suggest)
    """
    reasons: list[str] = []
    separator = files.label_separator
    if separator is None and task in (None, "multi_label"):
        separator = separator_of(labels)
    if separator != files.label_separator:
        reasons.append(f"cells of {labels.name} list labels: label_separator {separator!r}")
    if task is None:
        task = suggested_task(labels, separator)
        if labels.empty:
            reasons.append(
                "no labels are found: task link_prediction; to predict columns of the nodes "
                "instead, set dataset.label to their names"
            )
        elif task != "classification":
            reasons.append(f"the content of {labels.name} suggests task {task}")
    files = replace(files, label=labels.label, label_separator=separator)
    node_id = files.node_id or next((name for name in ID_COLUMNS if name in columns), None)
    taken = {node_id, files.split or "split", files.time, *files.ignore, *_names(files.label)}
    taken |= set(MASKS)
    free = [summary for name, summary in columns.items() if name not in taken]
    if files.features is None:
        named = {*files.categorical}
        why = {s.name: "" if s.name in named else _why_no_feature(s) for s in free}
        ignore = [summary for summary in free if why[summary.name]]
        reasons += [f"column {s.name!r} is ignored: {why[s.name]}" for s in ignore]
        files = replace(files, ignore=[*files.ignore, *(summary.name for summary in ignore)])
        free = [summary for summary in free if summary not in ignore]
    incomplete = [summary for summary in free if summary.missing > 0]
    if incomplete and files.missing == "error":
        reasons.append(_missing(incomplete, files.categorical))
        files = replace(files, missing="mean")
    numbers = [summary for summary in free if summary.kind == "number"]
    counts = _are_counts(numbers) and len(numbers) == len(free)
    if not counts and not files.standardize and _differ_in_scale(numbers):
        reasons.append("columns of numbers differ in scale: they are standardized")
        files = replace(files, standardize=True)
    return Roles(files, task, counts, reasons)


def _missing(columns: list[ColumnSummary], categorical: list[str]) -> str:
    """Returns how missing cells are handled."""
    names = [summary.name for summary in columns]
    categories = [s.name for s in columns if s.kind == "text" or s.name in categorical]
    cures = []
    if len(categories) < len(columns):
        cures.append("missing numbers become the mean of their column")
    if categories:
        cures.append("nodes with a missing category have 0 in all features of its column")
    return (
        f"{sum(summary.missing for summary in columns):,} missing cells in {', '.join(names[:5])}"
        f"{' ...' if len(names) > 5 else ''}: {', and '.join(cures)}"
    )


def _names(label: str | list[str] | None) -> list[str]:
    return [label] if isinstance(label, str) else label or []


def _why_no_feature(summary: ColumnSummary) -> str:
    """Why a column is no feature: its name, times, or texts that are different in most rows.

    A text among numbers is an error, which reading the features reports.
    """
    if (role := usual_role(summary.name)) is not None:
        return f"it has the usual name of {role}, which are in another column or file"
    if summary.kind == "time":
        return "times"
    distinct = summary.num_distinct
    many = distinct > _MOST_CATEGORIES or (distinct > 2 and 2 * distinct > summary.count)
    if summary.kind != "text" or not many or summary.mostly_numbers:
        return ""
    more = "more than " if summary.many else ""
    return f"{more}{min(distinct, 1000):,} different texts"


def _are_counts(numbers: list[ColumnSummary]) -> bool:
    """Whether the numbers look like a bag of words: not negative, and 9 of 10 are 0."""
    cells = sum(summary.count for summary in numbers)
    nonzero = sum(summary.nonzero for summary in numbers)
    return bool(numbers) and all(n.low >= 0 for n in numbers) and 10 * nonzero <= cells


def _differ_in_scale(numbers: list[ColumnSummary]) -> bool:
    return any(max(abs(summary.mean), summary.std) > 3 for summary in numbers)
