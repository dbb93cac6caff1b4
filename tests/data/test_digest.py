"""Tensors have the same digest if their values are the same."""

import pytest
import torch

from gatsparse.data.digest import digest_of

pytestmark = pytest.mark.filterwarnings("ignore:Sparse CS. tensor support is in beta state")

X = torch.arange(12.0).view(4, 3)
KINDS = {
    "float32": lambda: X,
    "bfloat16": X.bfloat16,
    "transposed": X.t,
    "trained": lambda: X.clone().requires_grad_(),
    "no nodes": lambda: X[:0],
    "scalar": lambda: torch.tensor(2.0),
    "csr": X.to_sparse_csr,
    "csc": X.to_sparse_csc,
    "coo": X.to_sparse_coo,
}


@pytest.mark.parametrize("kind", KINDS)
def test_any_tensor_has_a_digest(kind):
    tensor = KINDS[kind]()
    assert digest_of({"x": tensor}) == digest_of({"x": tensor.detach().clone()})
    if tensor.numel() > 0:
        assert digest_of({"x": tensor}) != digest_of({"x": tensor.detach() * 2})


def test_names_types_and_shapes_are_part_of_the_digest():
    same = {"x": X}
    for other in ({"y": X}, {"x": X.view(3, 4)}, {"x": X.view(torch.int32)}):
        assert digest_of(other) != digest_of(same)
    assert digest_of(same, "schema") != digest_of(same)
