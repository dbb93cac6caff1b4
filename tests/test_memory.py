"""Memory that is kept for the next call."""

import copy
import gc
import multiprocessing
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

import gatsparse
from gatsparse.memory import LARGE, new_empty

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is kept on Linux only")
NUMBERS = LARGE // 4


def resident():
    """Bytes of memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def large(multiple=1):
    """A tensor with content, so that all of its pages exist."""
    return new_empty(torch.empty(0), (multiple, NUMBERS)).fill_(multiple)


@pytest.fixture(autouse=True)
def _nothing_kept():
    gc.collect()
    gatsparse.release_memory()


def test_memory_is_used_again_when_no_tensor_holds_it():
    first = large()
    address = first.data_ptr()
    view = first[0, 5:]
    del first
    assert large().data_ptr() != address, "a view holds it"
    del view
    assert large().data_ptr() == address


def test_tensors_do_not_share_memory():
    tensors = [large(k) for k in (1, 2, 1, 3, 2)]
    assert [int(t.min()) for t in tensors] == [int(t.max()) for t in tensors] == [1, 2, 1, 3, 2]


def test_memory_is_at_most_a_quarter_more_than_what_was_in_use_at_a_time():
    large(40)
    before = resident()
    for k in range(1, 40):
        large(k)
    assert resident() - before <= 11 * LARGE


def test_memory_of_an_earlier_time_is_returned():
    large(60)
    kept = resident()
    for _ in range(3 * 256):
        large(1)
    assert kept - resident() >= 50 * LARGE


def test_a_failed_request_does_not_raise_the_limit():
    def different_sizes():
        for k in range(40):
            new_empty(torch.empty(0), (2 * NUMBERS + k * NUMBERS // 8,)).fill_(1)

    different_sizes()
    before = resident()
    for sizes in ([1 << 43], [-1, -(1 << 24)]):
        with pytest.raises(RuntimeError, match="can't allocate memory: a tensor of shape"):
            new_empty(torch.empty(0), sizes)
    different_sizes()
    assert resident() - before <= 11 * LARGE


def test_release_memory_returns_it():
    tensor = large(50)
    held = resident()
    gatsparse.release_memory()
    assert held - resident() < LARGE, "it is in use"
    del tensor
    gatsparse.release_memory()
    assert held - resident() >= 49 * LARGE


def test_small_tensors_are_those_of_torch():
    small = new_empty(torch.empty(0, dtype=torch.float64), (3, 0, 5))
    assert (small.shape, small.dtype) == ((3, 0, 5), torch.float64)
    assert new_empty(torch.empty(0), (7,)).resize_(2 * NUMBERS).numel() == 2 * NUMBERS


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.int64])
def test_kept_memory_acts_as_any_other(dtype):
    tensor = new_empty(torch.empty(0, dtype=dtype), (2, NUMBERS)).zero_()
    assert (tensor.dtype, tensor.stride(), tensor.device) == (
        dtype,
        (NUMBERS, 1),
        torch.device("cpu"),
    )
    assert torch.equal(copy.deepcopy(tensor), tensor)
    assert torch.equal(tensor.clone().share_memory_(), tensor)
    assert torch.equal(tensor.share_memory_(), torch.zeros_like(tensor))


def test_threads_get_memory_of_their_own():
    def fill(k):
        for _ in range(30):
            tensor = large(1 + k % 3).fill_(k)
            if not (int(tensor.min()) == int(tensor.max()) == k):
                return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(fill, range(16)))


def _in_child(tensor, results):
    torch.set_num_threads(1)  # the threads of the parent do not exist here
    large(2)
    results.put((float(tensor[0, 0]), float(large(3).max())))


def test_memory_in_a_child_process():
    context = multiprocessing.get_context("fork")
    tensor, results = large(2), context.SimpleQueue()
    large(3)
    child = context.Process(target=_in_child, args=(tensor, results))
    child.start()
    child.join(60)
    assert child.exitcode == 0
    assert results.get() == (2.0, 3.0)
    assert int(tensor.max()) == 2
