"""Labels of a graph in files, and the task that their content suggests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from gatsparse.data import GraphFiles
from gatsparse.data.graph_files.config import LABEL_COLUMNS
from gatsparse.data.graph_files.files import open_table
from gatsparse.data.graph_files.label_hints import separator_in
from gatsparse.data.graph_files.nodes import label_file
from gatsparse.data.graph_files.table import Table
from gatsparse.data.labels import Task
from gatsparse.inspection.columns import ColumnSummary, summarize_columns

_MOST_CLASSES = 100


class FoundLabels(NamedTuple):
    """Columns or a file of labels.

    Args:
        label (str or list of str, optional): Names of the columns; None for a file with a usual
            name, or without labels.
        content (list of ColumnSummary): Summaries of the columns.
    """

    label: str | list[str] | None
    content: list[ColumnSummary]

    @property
    def empty(self) -> bool:
        """Whether no node has a label; columns that cannot be read are errors later."""
        if not self.content:
            return self.label is None
        return all(s.num_distinct == 0 and s.kind != "unsupported" for s in self.content)

    @property
    def name(self) -> str:
        """Names of the columns, for messages."""
        return ", ".join(summary.name for summary in self.content)


def find_labels(
    files: GraphFiles, table: Table | None, columns: Mapping[str, ColumnSummary]
) -> FoundLabels:
    """Returns the labels of a graph, or none.

    Args:
        files (GraphFiles): The configuration.
        table (Table, optional): Table of the nodes.
        columns (dict): Summaries of its columns.

    Raises:
        GraphFileError: If a file of labels is missing or damaged.
    """
    label = files.label
    if table is not None:
        if label is None:
            label = next((name for name in LABEL_COLUMNS if name in table.columns), None)
        names = [label] if isinstance(label, str) else label or []
        if found := [name for name in names if name in table.columns]:
            vectors = [name for name in found if table.columns[name] == "vector"]
            known = {**columns, **summarize_columns(table, vectors)}
            unknown = {name: ColumnSummary(name, table.columns[name]) for name in found}
            return FoundLabels(label, [{**unknown, **known}[name] for name in found])
    if (path := label_file(files)) is None:
        return FoundLabels(label, [])
    table = open_table(path)
    return FoundLabels(label, list(summarize_columns(table, list(table.columns)[:1]).values()))


def separator_of(labels: FoundLabels) -> str | None:
    """Returns the character that separates labels in the cells of a column of text."""
    if len(labels.content) != 1 or labels.content[0].kind != "text":
        return None
    return separator_in([text for text in labels.content[0].values if isinstance(text, str)])


def suggested_task(labels: FoundLabels, separator: str | None) -> Task:
    """Returns the task that the content of the labels suggests.

    Args:
        labels (FoundLabels): The labels.
        separator (str, optional): Separator of several labels in a cell.
    """
    if labels.empty:
        return "link_prediction"
    if separator is not None:
        return "multi_label"
    content = labels.content
    if sum(label.width for label in content) > 1:
        return "multi_label" if all(label.values <= {0, 1} for label in content) else "regression"
    numbers = all(label.kind in ("number", "vector") or _has_typos(label) for label in content)
    real = any(
        _has_typos(label) or not label.whole or label.num_distinct > _MOST_CLASSES
        for label in content
    )
    return "regression" if numbers and real else "classification"


def _has_typos(label: ColumnSummary) -> bool:
    """Whether it is a column of numbers with some cells of text, which is an error later."""
    return label.kind == "text" and label.mostly_numbers and 2 * label.num_distinct > label.count
