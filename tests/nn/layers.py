"""Our layers and PyG's on the same weights."""

import torch
import torch_geometric.nn
from torch.utils._python_dispatch import TorchDispatchMode

import gatsparse
from gatsparse.testing import relative_error

OURS = {"GATConv": gatsparse.GATConv, "GATv2Conv": gatsparse.GATv2Conv}


class Operators(TorchDispatchMode):
    """Records the names of the operators that are called."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.add(func._schema.name)
        return func(*args, **(kwargs or {}))


def pair(name, *args, backend="auto", **kwargs):
    """Returns PyG's layer and ours with the same random weights and biases, in float64."""
    theirs = getattr(torch_geometric.nn, name)(*args, **kwargs).double()
    with torch.no_grad():
        for parameter in theirs.parameters():
            torch.nn.init.normal_(parameter)
    ours = OURS[name](*args, backend=backend, **kwargs).double()
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


def outputs_and_gradients(conv, x, edge_index, edge_attr=None, **kwargs):
    """Returns the output, and the gradients of a fixed linear function of it."""
    x = tuple(None if t is None else t.clone().requires_grad_() for t in x)
    if edge_attr is not None:
        edge_attr = edge_attr.clone().requires_grad_()
    out = conv(x if len(x) > 1 else x[0], edge_index, edge_attr, **kwargs)
    leaves = [t for t in (*x, edge_attr) if t is not None] + list(conv.parameters())
    weight = torch.arange(out.numel(), dtype=out.dtype).reshape(out.shape).cos()
    grads = torch.autograd.grad(out, leaves, weight, allow_unused=True)
    return [
        out,
        *(torch.zeros_like(v) if g is None else g for g, v in zip(grads, leaves, strict=True)),
    ]


def assert_same(theirs, ours, x, *args, **kwargs):
    expected = outputs_and_gradients(theirs, x, *args, **kwargs)
    actual = outputs_and_gradients(ours, x, *args, **kwargs)
    for a, b in zip(actual, expected, strict=True):
        assert a.shape == b.shape
        assert relative_error(a, b) <= 1e-10
