"""Rows of a feature file, written and read."""

import os

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gatsparse.data.features import RowFile, RowWriter


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_rows_are_written_and_gathered(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("rows") / "x.npy"
    count, width = data.draw(st.integers(1, 300)), data.draw(st.integers(1, 9))
    x = torch.randn(count, width)
    writer = RowWriter(path, tuple(x.shape), x.dtype)
    for first in range(0, count, 37):
        writer.write(first, x[first : first + 37])
    writer.close()
    assert np.array_equal(np.load(path), x.numpy())
    index = torch.tensor(data.draw(st.lists(st.integers(0, count - 1), max_size=400)), dtype=int)
    rows = RowFile(path)
    assert torch.equal(rows.gather(index), x[index])
    for wrong in (-1, count):
        with pytest.raises(IndexError, match="index"):
            rows.gather(torch.tensor([0, wrong]))


def test_ranges_of_rows_are_read(tmp_path):
    x = np.random.default_rng(0).random((50, 3))
    np.save(tmp_path / "x.npy", x)
    rows = RowFile(tmp_path / "x.npy")
    for first, last in ((0, 50), (7, 8), (20, 50), (50, 50)):
        assert np.array_equal(rows.read(first, last).numpy(), x[first:last])
    for first, last in ((-1, 3), (4, 3), (0, 51)):
        with pytest.raises(IndexError, match=rf"got {first} to {last}"):
            rows.read(first, last)


def test_truncated_file_raises(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((100, 8)))
    rows = RowFile(tmp_path / "x.npy")
    os.truncate(tmp_path / "x.npy", 1000)
    with pytest.raises(OSError, match=r"x\.npy"):
        rows.gather(torch.tensor([99]))
    with pytest.raises(OSError, match=r"x\.npy"):
        rows.read(0, 100)
