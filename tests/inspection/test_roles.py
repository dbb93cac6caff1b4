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
