"""Detection of tensors whose data can be read and cached."""

import pytest
import torch
from functorch.compile import aot_function, nop
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils.flop_counter import FlopCounterMode
from torch_geometric import EdgeIndex

from gatsparse.tracing import is_traced

X = torch.tensor([[0, 1], [1, 0]])


class Recorder:
    """Records whether its argument and a tensor from outside are traced."""

    def __init__(self):
        self.seen = []

    def __call__(self, x):
        self.seen.append((is_traced(x), is_traced(X)))
        return x + 1


def make_fx_of(**options):
    return lambda f: make_fx(f, **options)(X)


def fake(f):
    with FakeTensorMode() as mode:
        f(mode.from_tensor(X))


class Module(torch.nn.Module):
    def __init__(self, f):
        super().__init__()
        self.f = f

    def forward(self, x):
        return self.f(x)


TRACERS = {
    "make_fx": make_fx_of(),
    "make_fx, fake": make_fx_of(tracing_mode="fake"),
    "make_fx, symbolic": make_fx_of(tracing_mode="symbolic"),
    "make_fx, pre_dispatch": make_fx_of(pre_dispatch=True),
    "make_fx, functionalize": lambda f: make_fx(torch.func.functionalize(f))(X),
    "make_fx, grad": lambda f: make_fx(torch.func.grad(lambda y: (f(X) * y).sum()))(X * 1.0),
    "aot_function": lambda f: aot_function(f, fw_compiler=nop)(X),
    "FakeTensorMode": fake,
    "vmap": lambda f: torch.func.vmap(f)(X),
    "functionalize": lambda f: torch.func.functionalize(f)(X),
    "jvp": lambda f: torch.func.jvp(lambda y: f(X) * y, (X * 1.0,), (X * 1.0,)),
    "grad": lambda f: torch.func.grad(lambda y, x: (f(x) * y).sum())(X * 1.0, X),
    "torch.export": lambda f: torch.export.export(Module(f), (X,), strict=False),
    "torch.jit.trace": lambda f: torch.jit.trace(lambda x: f(x), X, check_trace=False),
}


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize("tracer", TRACERS)
def test_everything_is_traced_under_a_tracer(tracer):
    record = Recorder()
    TRACERS[tracer](record)
    assert record.seen
    assert all(seen == (True, True) for seen in record.seen)
    assert not is_traced(X)


def test_tensors_without_data_are_traced():
    with FakeTensorMode() as mode:
        outlives = mode.from_tensor(X)
    for tensor in (X.to("meta"), outlives, EdgeIndex(X)):
        assert is_traced(tensor)
        assert is_traced(X, None, tensor)


def test_tensors_with_data_are_not_traced():
    class Subclass(torch.Tensor):
        pass

    sparse = torch.eye(2).to_sparse_coo()
    parameter = torch.nn.Parameter(X, requires_grad=False)
    for tensor in (X, None, parameter, X.as_subclass(Subclass), sparse, sparse.indices()):
        assert not is_traced(tensor)
    with torch.inference_mode():
        assert not is_traced(X.clone())


def test_observers_are_no_tracers():
    with FlopCounterMode(display=False):
        assert not is_traced(X)
    with torch.device("meta"):
        assert not is_traced(X)
