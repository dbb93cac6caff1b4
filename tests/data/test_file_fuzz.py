"""Mutated files of edges and features, including files that once were read wrong."""

from pathlib import Path

import pytest

pytest.importorskip("pyarrow")

from tests.data.fuzz_files import run


@pytest.mark.parametrize("seed", range(4))
def test_mutated_files_are_read_right_or_refused(tmp_path: Path, seed: int):
    outcomes, failures = run(250, seed, tmp_path)
    assert not failures, failures[0]
    assert outcomes["edges: right"] > 0
    assert outcomes["features: right"] > 0
