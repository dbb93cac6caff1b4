"""Blocks of lines."""

from __future__ import annotations

import sys

from gatsparse.data.edge_files.lines import arrow_input


def test_threads_of_pyarrow_hold_no_object_of_python():
    text = b"1,2\n" * 1000
    before = sys.getrefcount(text)
    source = arrow_input(text)
    assert sys.getrefcount(text) == before
    assert source.read() == text
