"""Every claim of docs/compatibility.md names a test that exists."""

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PAGE = (TESTS.parent / "docs" / "compatibility.md").read_text()
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(\w+)`", PAGE)))


def test_every_row_of_the_table_names_a_test():
    rows = [line for line in PAGE.splitlines() if line.startswith("|")][2:]
    assert len(rows) > 20
    assert all("::test_" in row for row in rows)


@pytest.mark.parametrize(("path", "name"), NAMED, ids=map("::".join, NAMED))
def test_a_named_test_exists(path, name):
    tree = ast.parse((TESTS / path).read_text())
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
