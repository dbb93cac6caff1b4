"""The fingerprint as compiled for a GPU, against that in torch operations."""

import pytest
import torch

from gatsparse.graph_cache import _fingerprint_in_torch

pytest.importorskip("triton")

from gatsparse.gpu.fingerprint import fingerprint
from tests.ptx.device import emulated


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32])
@pytest.mark.parametrize("shape", [(0,), (1,), (2, 37), (2, 1024), (2, 1700)])
def test_equals_that_in_torch_operations(shape, dtype):
    generator = torch.Generator().manual_seed(0)
    bounds = torch.iinfo(dtype)
    index = torch.randint(bounds.min, bounds.max, shape, generator=generator, dtype=dtype)
    with emulated():
        found = fingerprint(index)
    assert int(found) == _fingerprint_in_torch(index)


def test_depends_on_the_order():
    with emulated():
        first, second = (int(fingerprint(torch.tensor(n))) for n in ([1, 2, 3], [2, 1, 3]))
    assert first != second
