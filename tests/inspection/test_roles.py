"""Roles of columns, chosen from summaries."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from gatsparse.data import GraphFiles
from gatsparse.inspection.columns import ColumnSummary
from gatsparse.inspection.labels import FoundLabels
from gatsparse.inspection.roles import Roles, choose_roles


def roles_of(summary: ColumnSummary) -> Roles:
    columns = {summary.name: summary}
    return choose_roles(GraphFiles("shop"), columns, FoundLabels(None, []))


@pytest.mark.parametrize(
    ("low", "nonzero", "counts"), [(1, 10, True), (-1, 10, False), (1, 11, False)]
)
def test_few_positive_numbers_are_counts(low, nonzero, counts):
    values = np.zeros(100)
    values[:nonzero] = low
    summary = ColumnSummary("word", "number")
    summary.add_numbers(values)
    assert roles_of(summary).normalize_features is counts


@pytest.mark.parametrize(
    ("distinct", "count", "ignored"),
    [(5, 10, False), (6, 10, True), (2, 3, False), (100, 1000, False), (101, 1000, True)],
)
def test_texts_that_differ_in_most_rows_are_no_categories(distinct, count, ignored):
    summary = ColumnSummary("name", "text")
    summary.add_texts(pa.array([f"text {i % distinct}" for i in range(count)]))
    assert (roles_of(summary).files.ignore == ["name"]) is ignored


@pytest.mark.parametrize(
    ("kinds", "reason"),
    [
        (["number"], "1 missing cells in a: missing numbers become the mean of their column"),
        (
            ["text"],
            "1 missing cells in a: nodes with a missing category have 0 in all features of its "
            "column",
        ),
        (
            ["number", "text"],
            "2 missing cells in a, b: missing numbers become the mean of their column, and nodes "
            "with a missing category have 0 in all features of its column",
        ),
    ],
)
def test_what_becomes_of_missing_cells(kinds, reason):
    labels = FoundLabels("kind", [ColumnSummary("kind", "text", values={"u", "v"})])
    columns = {
        name: ColumnSummary(name, kind, count=9, missing=1, values={"x", "y"})
        for name, kind in zip("ab", kinds, strict=False)
    }
    assert choose_roles(GraphFiles("shop"), columns, labels).reasons == [reason]
    categorical = GraphFiles("shop", categorical=["a"])
    assert "mean" not in choose_roles(categorical, columns, labels).reasons[0]
