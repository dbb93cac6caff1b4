"""Real Triton kernels, compiled and emulated, against torch."""

import pytest
import torch

from gatsparse.ops.philox import philox
from tests.ptx import kernels
from tests.ptx.device import Device

ARCHITECTURES = ("sm_80", "sm_90")
FLOATS = (torch.float32, torch.bfloat16, torch.float16, torch.float64)
#: Warps of a program, and the schedule.
RUNS = [(1, "lockstep"), (4, "lockstep"), (4, "random"), (4, "serial")]


@pytest.mark.parametrize(("num_warps", "schedule"), RUNS)
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_add(arch, num_warps, schedule):
    device = Device(arch, schedule)
    for dtype in (*FLOATS, torch.int64):
        x, y = (torch.randn(2, 333) * 1000).to(dtype)
        out = torch.zeros(333, dtype=dtype)
        device.launch(kernels.add, 3, x, y, out, 333, num_warps=num_warps, BLOCK=128)
        assert torch.equal(out, x + y)


@pytest.mark.parametrize(("num_warps", "schedule"), RUNS)
@pytest.mark.parametrize("arch", [*ARCHITECTURES, "sm_100"])
def test_softmax(arch, num_warps, schedule):
    """The error is at most 2 of ex2, 2 of the division, and 8 roundings of a sum of 60."""
    device = Device(arch, schedule)
    x, out = 5 * torch.randn(7, 60), torch.zeros(7, 60)
    x[1, :30], x[2, :], x[3, 4] = -torch.inf, -torch.inf, torch.nan
    device.launch(kernels.softmax_row, 7, x, out, 60, num_warps=num_warps, BLOCK=64)
    expected = x.double().softmax(1)
    close = torch.isclose(out.double(), expected, rtol=32 * 2.0**-23, atol=0, equal_nan=True)
    assert close.all()


@pytest.mark.parametrize(("num_warps", "schedule"), RUNS)
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_sum_in_a_loop(arch, num_warps, schedule):
    """Integers, whose sums are exact; columns equal to 1 become a constant of the kernel."""
    device = Device(arch, schedule)
    for columns in (1, 16, 100):
        x, out = torch.randint(-9, 9, (5, columns)).float(), torch.zeros(5)
        device.launch(kernels.row_sums, 5, x, out, columns, num_warps=num_warps, BLOCK=32)
        assert torch.equal(out, x.sum(1))


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_philox(arch):
    edge = torch.tensor([0, 1, 2**32 - 1, 2**32, 2**40 + 3, 77])
    zero = torch.zeros_like(edge)
    for seed in (0, 2**62 + 12345, 2**63 - 1):
        seed, out = torch.tensor(seed), torch.zeros(6, 4, dtype=torch.int64)
        Device(arch).launch(kernels.words, 1, seed, edge, out, 6, BLOCK=32)
        words = philox(seed, (edge & 0xFFFFFFFF, edge >> 32, zero, zero))
        assert torch.equal(out, torch.stack(words, 1))


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_casts(arch):
    """As torch, NaN and inf included. Values of 64 bits fit float32, which torch rounds through."""
    device = Device(arch)
    special = torch.tensor([torch.nan, torch.inf, -torch.inf, -0.0, 1e30, 1e-30, 65519.0, 1e-7])
    for source in (*FLOATS, torch.int64):
        for result in (*FLOATS, torch.int64):
            x = torch.cat([special, 1000 * torch.randn(200)]).to(source)
            if torch.int64 in (source, result):
                x = x.float()[8:].to(source)
            if source == result:
                continue
            out = torch.zeros_like(x, dtype=result)
            device.launch(kernels.cast, 2, x, out, x.numel(), BLOCK=128)
            expected = x.to(result)
            if source == torch.float64 and result in (torch.bfloat16, torch.float16):
                near = torch.isclose(out.float(), expected.float(), rtol=2**-7, equal_nan=True)
                assert near.all()
            else:
                assert torch.equal(out.nan_to_num(7), expected.nan_to_num(7)), (source, result)
                assert torch.equal(out.isnan(), expected.isnan())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int8])
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_transpose_through_shared_memory(arch, dtype):
    x = torch.randint(-99, 99, (32, 64)).to(dtype)
    for num_warps, schedule in ((1, "lockstep"), (4, "random")):
        out = torch.zeros(64, 32, dtype=dtype)
        device = Device(arch, schedule)
        device.launch(kernels.transpose, 1, x, out, num_warps=num_warps, ROWS=32, COLUMNS=64)
        assert torch.equal(out, x.T)


@pytest.mark.parametrize("factor", [0.1, 3, 1, 16, True])
def test_numbers_as_arguments(factor):
    x, out = torch.randn(50), torch.zeros(50)
    Device().launch(kernels.scaled, 1, x, out, 50, factor, BLOCK=64)
    assert torch.equal(out, x * factor)
