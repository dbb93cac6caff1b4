"""Models on our layers and the same models on PyG's, with the same weights and inputs."""

from functools import partial

import pytest
import torch
import torch_geometric.nn
from torch import Tensor
from torch_geometric.data import Data

from gatsparse.testing import relative_error
from tests.nn.layers import OURS

TOLERANCE = 1e-10

every_layer = pytest.mark.parametrize("layer", OURS)


class Net(torch.nn.Module):
    """Two layers, the heads of the first concatenated, those of the second averaged."""

    def __init__(self, conv, in_channels, out_channels, **kwargs):
        super().__init__()
        self.conv1 = conv(in_channels, 4, heads=3, **kwargs)
        width = 12 if isinstance(in_channels, int) else (12, 12)
        self.conv2 = conv(width, out_channels, heads=2, concat=False, **kwargs)

    def forward(self, x, edge_index, edge_attr=None):
        x = self.conv1(x, edge_index, edge_attr).tanh()
        return self.conv2(x, edge_index, edge_attr)


def random_graph(num_nodes, num_edges, **values):
    """Returns a graph with 6 features per node and 3 per edge."""
    return Data(
        x=torch.randn(num_nodes, 6, dtype=torch.float64),
        edge_index=torch.randint(num_nodes, (2, num_edges)),
        edge_attr=torch.randn(num_edges, 3, dtype=torch.float64),
        **values,
    )


def twins(layer, build, *inputs, backend="fused"):
    """Returns ``build(conv)`` of PyG's class and of ours with a backend.

    Lazy layers take their shapes from a call with :obj:`inputs`.
    """
    theirs = build(getattr(torch_geometric.nn, layer)).double()
    ours = build(partial(OURS[layer], backend=backend)).double()
    if inputs:
        with torch.no_grad():
            theirs(*inputs)
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter)
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


def named_backend(model, backend):
    """Sets the backend of our layers, and returns the model."""
    for module in model.modules():
        if type(module) in OURS.values():
            module.backend = backend
    return model


def tensors(value):
    """Yields the tensors in nested containers, in order."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (dict, list, tuple)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from tensors(item)


def results(model, *args, **kwargs):
    """Returns the outputs, and the gradients of a fixed linear function of them."""
    inputs = [t for t in tensors((args, kwargs)) if t.is_floating_point()]
    leaves = [t.requires_grad_() for t in inputs] + list(model.parameters())
    outputs = list(tensors(model(*args, **kwargs)))
    total = sum(
        (out * torch.arange(out.numel(), dtype=out.dtype).reshape(out.shape).cos()).sum()
        for out in outputs
        if out.requires_grad
    )
    return outputs + list(torch.autograd.grad(total, leaves, materialize_grads=True))


def sgd(model):
    """Returns SGD, because Adam would amplify gradients that are rounding errors."""
    return torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)


def losses(model, batches, loss, optimizer=sgd):
    """Returns the losses of one step per batch, and the weights after the last one."""
    optimizer = optimizer(model)
    values = []
    for batch in batches:
        optimizer.zero_grad()
        value = loss(model, batch)
        value.backward()
        optimizer.step()
        values.append(value.detach())
    return [torch.stack(values), *model.parameters()]


def assert_equal(actual, expected):
    for a, b in zip(tensors(actual), tensors(expected), strict=True):
        assert a.shape == b.shape
        assert relative_error(a, b) <= TOLERANCE


def assert_same(theirs, ours, *args, **kwargs):
    assert_equal(results(ours, *args, **kwargs), results(theirs, *args, **kwargs))


def assert_same_training(theirs, ours, batches, loss, optimizer=sgd):
    before = [p.detach().clone() for p in ours.parameters()]
    assert_equal(*(losses(model, batches, loss, optimizer) for model in (ours, theirs)))
    assert any(not torch.equal(p, b) for p, b in zip(ours.parameters(), before, strict=True))
