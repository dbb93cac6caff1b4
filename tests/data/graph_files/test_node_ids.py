"""Ids of nodes, and the nodes that have them."""

import pyarrow as pa
import pytest

from gatsparse.data import NodeIds


@pytest.mark.parametrize("values", [None, pa.array(range(10)), pa.array(map(str, range(10)))])
def test_numbers_are_found_as_they_are_written(values):
    ids = NodeIds(values, 10)
    written = pa.array(["7", "07", "7.0", " 7", "+7", "-7", "10", "0"])
    assert ids.find(written).tolist() == [7, -1, -1, -1, -1, -1, -1, 0]
    assert ids.find(pa.array([7, -7, 10, 0])).tolist() == [7, -1, -1, 0]
