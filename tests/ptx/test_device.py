"""Launches of the package in the emulator: faults, initialisation and counts."""

import pytest
import torch

from gatsparse.gpu import launch
from tests.ptx import kernels
from tests.ptx.allocations import Allocations
from tests.ptx.device import Device, emulated
from tests.ptx.emulator.warps import Fault


def add(x, y, out, size=64):
    launch.launch(kernels.add, 2, x, y, out, size, BLOCK=32)


def test_emulated_replaces_the_launch():
    before = launch.launch
    x = torch.randn(64)
    with emulated("sm_90") as device:
        out = torch.empty(64)
        add(x, x, out)
        launch.launch(kernels.add, 0, x, x, out, 64, BLOCK=32)
    assert launch.launch is before
    assert torch.equal(out, 2 * x)
    counts = device.counts["add"]
    assert counts.requests["ld.global", "x"] == 2
    assert counts.sectors["st.global", "out"] == 8
    assert counts.bytes["ld.global", "y"] == 256
    assert sum(counts.instructions.values()) > 0
    assert device.compiled[0].arch == "sm_90"


def test_launches_are_summed():
    x, out = torch.randn(64), torch.zeros(64)
    with emulated() as device:
        add(x, x, out)
        add(x, x, out)
    assert device.counts["add"].requests["ld.global", "x"] == 4
    assert device.compiled[0] is device.compiled[1]


def test_read_of_memory_that_no_kernel_wrote():
    with emulated(), pytest.raises(Fault, match=r"x: reads .* that were never written"):
        add(torch.empty(64), torch.zeros(64), torch.empty(64))
    with emulated(initialised=False):
        add(torch.empty(64), torch.zeros(64), torch.empty(64))


def test_one_missing_element():
    with emulated():
        part, out = torch.empty(64), torch.empty(64)
        part[:63] = 1
        with pytest.raises(Fault, match="x, y: reads 4 bytes at 252"):
            add(part, part, out)
        part[63] = 2
        add(part, part, out)
        assert out.tolist() == [2.0] * 63 + [4.0]


def test_torch_reads_only_what_was_written():
    x = torch.ones(64)
    with emulated() as device:
        out = torch.empty(64)
        add(x, x, out, size=60)
        assert device.allocations is not None
        assert not device.allocations.written(out)
        assert device.allocations.written(out[:60])
        assert out[:60].sum() == 120
        with pytest.raises(Fault, match="reads memory that was never written"):
            out.sum()


@pytest.mark.parametrize(
    "allocate",
    [
        lambda _: torch.empty(3, 4),
        lambda x: torch.empty_like(x),
        lambda x: x.new_empty(3, 4),
        lambda _: torch.empty_strided((3, 4), (1, 3)),
        lambda x: x.new_empty_strided((3, 4), (1, 3)),
    ],
)
def test_allocations(allocate):
    with Allocations() as allocations:
        out = allocate(torch.zeros(3, 4))
        assert not allocations.written(out)
        view = out.view(-1) if out.is_contiguous() else out
        assert not allocations.written(view)
        out[1:].fill_(1)
        assert allocations.written(out[1:])
        assert not allocations.written(out)
        out[0, :] = torch.arange(4)
        assert allocations.written(out)
        assert out.sum() == 14
        zeros = torch.zeros_like(torch.empty(3))
        assert allocations.written(zeros)
        assert allocations.known(zeros) is None


def test_allocations_are_nan():
    with Allocations():
        x = torch.empty(8)
        numbers = torch.empty(3, dtype=torch.int64)
    assert x.isnan().all()
    assert numbers.tolist() == [-1] * 3


def test_memory_of_a_freed_tensor_is_forgotten():
    with Allocations() as allocations:
        for _ in range(50):
            torch.empty(1000)
        assert len(allocations._known) <= 2


def test_out_of_bounds():
    x, out = torch.randn(64), torch.zeros(64)
    with pytest.raises(Fault, match="out of bounds: access of 4 bytes at 256 of x"):
        Device().launch(kernels.off_by_one, 2, x, out, 64, BLOCK=32)
    Device().launch(kernels.off_by_one, 2, x, out, 63, BLOCK=32)


def test_views_are_bounded_by_their_own_elements():
    """The element behind a view is in memory, but not in the tensor."""
    whole = torch.arange(128.0)
    out = torch.zeros(64)
    with pytest.raises(Fault, match="out of bounds: access of 4 bytes at 256 of x"):
        Device().launch(kernels.off_by_one, 2, whole[:64], out, 64, BLOCK=32)
    Device().launch(kernels.off_by_one, 2, whole[1:65], out, 63, BLOCK=32)
    assert out[:63].tolist() == list(range(2, 65))
    assert whole.tolist() == list(range(128))


def test_arguments_that_share_memory():
    x = torch.arange(64.0)
    Device().launch(kernels.add, 2, x, x, x, 64, BLOCK=32)
    assert x.tolist() == [2.0 * k for k in range(64)]
    # Every program reads what the next one writes.
    y = torch.ones(128)
    with pytest.raises(Fault, match="race"):
        Device().launch(kernels.add, 3, y[:96], y[:96], y[32:], 96, BLOCK=32)


@pytest.mark.parametrize("schedule", ["lockstep", "random", "serial"])
def test_missing_barrier_is_found(schedule):
    x, out = torch.arange(128.0), torch.zeros(128)
    Device(schedule=schedule).launch(kernels.exchange, 1, x, out, num_warps=4, BLOCK=128)
    assert torch.equal(out, x.flip(0))
    device = Device(schedule=schedule)
    with pytest.raises(Fault, match="race"):
        device.launch(kernels.exchange_unordered, 1, x, out, num_warps=4, BLOCK=128)


def test_tensors_of_another_device_raise():
    x = torch.zeros(64, device="meta")
    with pytest.raises(ValueError, match="x: expected a tensor of the CPU"):
        Device().launch(kernels.add, 1, x, x, x, 64, BLOCK=32)


def test_strided_tensors_and_empty_ones():
    x = torch.arange(64.0).view(8, 8).T
    out = torch.zeros(64)
    Device().launch(kernels.add, 2, x, x, out, 64, BLOCK=32)
    assert out.tolist() == [2.0 * k for k in range(64)]
    empty = torch.zeros(0)
    Device().launch(kernels.add, 1, empty, empty, empty, 0, BLOCK=32)
