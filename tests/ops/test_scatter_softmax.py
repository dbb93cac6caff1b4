"""The softmax over the edges of a destination, with and without torch-scatter."""

import pytest
import torch

from gatsparse.ops import scatter
from gatsparse.ops.scatter import scatter_softmax


@pytest.fixture(params=["with", "without"], autouse=True)
def _torch_scatter(request, monkeypatch):
    if request.param == "without":
        monkeypatch.setattr(scatter, "torch_scatter", lambda: None)


@pytest.mark.parametrize("size", [1.0, 1e4])
def test_softmax_equals_torch_row_by_row(size):
    index = torch.tensor([2, 0, 2, 2, 0, 4])
    score = size * torch.randn(6, 3, dtype=torch.float64)
    alpha = scatter_softmax(score, index, 5)
    for row in index.unique():
        torch.testing.assert_close(alpha[index == row], score[index == row].softmax(0))


def test_gradient_equals_that_of_torch():
    score = torch.randn(4, 2, dtype=torch.float64, requires_grad=True)
    index, weight = torch.zeros(4, dtype=torch.int64), torch.randn(4, 2, dtype=torch.float64)
    grads = [
        torch.autograd.grad((alpha * weight).sum(), score)[0]
        for alpha in (scatter_softmax(score, index, 1), score.softmax(0))
    ]
    torch.testing.assert_close(*grads)
