import pytest
import torch

from gatsparse.ops import elu_dropout


@pytest.mark.parametrize("p", [0.0, 0.5])
def test_gradients_that_can_be_differentiated_again(p):
    def function(x):
        torch.manual_seed(1)
        return elu_dropout(x, p)

    x = torch.randn(16, dtype=torch.float64, requires_grad=True)
    grads = [
        torch.autograd.grad(function(x).sum(), x, create_graph=again)[0] for again in (False, True)
    ]
    torch.testing.assert_close(*grads)
    assert torch.autograd.gradgradcheck(function, x)
