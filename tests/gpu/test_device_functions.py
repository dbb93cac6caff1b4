"""Functions that kernels share, compiled for a GPU, in the emulator."""

# Pyright does not know Triton's functions.
# pyright: reportGeneralTypeIssues=false

import pytest
import torch

pytest.importorskip("triton")

import triton
import triton.language as tl

from gatsparse.gpu import launch
from gatsparse.gpu.device_functions import load_four
from tests.ptx.device import emulated


@triton.jit(do_not_specialize=["at"])
def sum_of_four(table, at, out):
    lane = tl.arange(0, 32)
    first, second, third, fourth = load_four(table, lane * 0 + at)
    tl.store(out + lane, first + 10 * second + 100 * third + 1000 * fourth)


def test_entry_of_a_table_of_more_than_2_to_31_numbers(tmp_path):
    at = 2**29  # the row's first number is number 2**31
    sparse = str(tmp_path / "table")  # takes memory where it is written only
    table = torch.from_file(sparse, shared=True, size=4 * at + 4, dtype=torch.int32).view(-1, 4)
    table[at] = torch.tensor([1, 2, 3, 4])
    out = torch.zeros(32, dtype=torch.int32)
    with emulated(races=False, initialised=False):
        launch.launch(sum_of_four, 1, table, at, out)
    assert out.tolist() == [4321] * 32
