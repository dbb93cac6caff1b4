"""The README is short, its figures are those of the committed rows, and its example runs."""

from pathlib import Path

import pytest

from docs.tables import TABLES
from tests.test_docs import python_blocks, run_blocks

README = Path(__file__).parent.parent / "README.md"


@pytest.fixture(autouse=True)
def _one_thread(threads):
    """Runs with one thread: these graphs are small."""
    threads(1)


def test_readme_is_short():
    text = README.read_text()
    assert len(text.splitlines()) <= 150
    assert len(text.split()) <= 1200


def test_figures_are_those_of_the_committed_rows():
    table = "\n".join(TABLES["headline"]())
    assert table in README.read_text(), f"python -m docs.tables headline prints:\n{table}"


def test_chart_exists():
    assert "(docs/images/speed.png)" in README.read_text()


def test_example(tmp_path, monkeypatch, capsys):
    blocks = python_blocks(README)
    assert len(blocks) == 2
    monkeypatch.chdir(tmp_path)
    run_blocks(blocks)
    printed = capsys.readouterr().out
    assert float(printed.split("test accuracy: ")[1].split("%")[0]) > 75
    assert "convs.0" in printed


@pytest.mark.parametrize("command", ["make bench", "make test"])
def test_names_both_commands(command):
    assert command in README.read_text()
