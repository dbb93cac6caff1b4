import pytest
import torch

from gatsparse.index_checks import check_range, fitting_dtype

LIMIT = 2**31 - 1


@pytest.mark.parametrize(
    ("sizes", "dtype"),
    [
        ((0,), torch.int32),
        ((LIMIT, 1), torch.int32),
        ((1, LIMIT + 1), torch.int64),
        ((LIMIT + 1, LIMIT, 0), torch.int64),
    ],
)
def test_indices_are_int32_up_to_its_maximum(sizes, dtype):
    assert fitting_dtype(*sizes) == dtype


def test_indices_equal_to_the_size_are_out_of_range():
    check_range("index", torch.tensor([0, 2]), 3)
    with pytest.raises(IndexError, match=r"index: expected indices in 0 .. 2, got 3 at position 1"):
        check_range("index", torch.tensor([0, 3, 3]), 3)
    with pytest.raises(IndexError, match="got -1 at position 2"):
        check_range("index", torch.tensor([0, 3, -1]), 3)
