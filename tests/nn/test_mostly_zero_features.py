"""Dense features that are mostly zero, in the forward pass of accelerated models."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
import torch.nn.functional as F
import torch_geometric.nn
from hypothesis import given
from hypothesis import strategies as st

import gatsparse
from gatsparse.nn import sparse_features as module
from gatsparse.nn.sparse_features import SparseFeatures, sparse_features
from gatsparse.testing import relative_error

N, FEATURES = 70, 500
P = 0.4


def features(seed=0, density=0.02, dtype=torch.float64, rows=N, columns=FEATURES):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, columns, generator=generator, dtype=dtype)
    return x * (torch.rand(rows, columns, generator=generator) < density)


def converted(x):
    sparse_features(x)
    return sparse_features(x)


def product(x, weight, bias):
    """Product of features, and its gradients."""
    weight, bias = weight.requires_grad_(), bias.requires_grad_()
    out = F.linear(x, weight, bias)
    return [out, *torch.autograd.grad(out.square().sum(), (weight, bias))]


@given(
    seed=st.integers(0, 99),
    rows=st.integers(1, 90),
    density=st.floats(0, 0.08),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    p=st.sampled_from([None, 0.3, 0.9]),
)
def test_products_equal_those_of_the_dense_matrix(seed, rows, density, dtype, p):
    columns = module._SMALL // rows + 1
    x = features(seed, density, dtype, rows, columns)
    sparse = converted(x)
    assert isinstance(sparse, SparseFeatures)
    sparse = sparse if p is None else sparse.dropped(p)
    weight, bias = torch.randn(5, columns, dtype=dtype), torch.randn(5, dtype=dtype)
    found = product(sparse, weight, bias)
    dense = sparse.dense()
    if p is not None:
        torch.testing.assert_close(dense[dense != 0], (x / (1 - p))[dense != 0])
    exact = product(dense.double(), weight.detach().double(), bias.detach().double())
    budget = 2 * (rows + columns) * torch.finfo(dtype).eps
    for ours, expected in zip(found, exact, strict=True):
        assert relative_error(ours.double(), expected) <= budget


@pytest.mark.parametrize("use", ["numpy", "data", "in place"])
def test_changes_of_the_content_are_seen(use):
    x, weight = features(), torch.ones(1, FEATURES, dtype=torch.float64)
    before = F.linear(converted(x), weight)
    if use == "numpy":
        x.numpy()[3, 4] += 1
    elif use == "data":
        x.data[3, 4] += 1
    else:
        x[3, 4] += 1
    after = sparse_features(x)
    assert isinstance(after, SparseFeatures)
    change = torch.zeros(N, 1, dtype=torch.float64)
    change[3] = 1
    torch.testing.assert_close(F.linear(after, weight), before + change)


def count_conversions(monkeypatch):
    calls, convert = [], module._converted
    monkeypatch.setattr(module, "_converted", lambda x: calls.append(1) or convert(x))
    return calls


def test_conversions_are_few(monkeypatch):
    calls = count_conversions(monkeypatch)
    x = features()
    assert sparse_features(x) is x, "features of a batch are used once"
    for _ in range(5):
        assert isinstance(sparse_features(x), SparseFeatures)
    assert len(calls) == 1
    assert sparse_features(x.view(-1, 10)) is not None  # another view keeps the first
    assert isinstance(sparse_features(x), SparseFeatures)
    assert len(calls) == 1
    for _ in range(20):
        x += 1e-3 * (x != 0)
        last = sparse_features(x)
    assert last is x, "a buffer that changes in each step is not converted"
    assert len(calls) < 4


@pytest.mark.parametrize(
    "x",
    [
        features(density=0.5),
        features().requires_grad_(),
        features().t(),
        features().half(),
        features().unsqueeze(0),
        features()[:9],
        features().to_sparse_coo(),
        torch.nn.Parameter(features()),
    ],
    ids=["dense", "grad", "transposed", "half", "batch", "small", "sparse", "parameter"],
)
def test_other_features_stay_unchanged(x):
    assert converted(x) is x
    assert sparse_features(x) is x


FUNCTIONS = {
    "sum": lambda x: x.sum(0),
    "matmul": lambda x: x @ torch.ones(FEATURES, 2, dtype=x.dtype),
    "autograd": lambda x: torch.autograd.grad((x * (w := torch.ones(1).requires_grad_())).sum(), w)[
        0
    ],
    "cat": lambda x: torch.cat([x, x], dim=1),
    "index": lambda x: x[torch.tensor([3, 1])],
    "numpy": lambda x: torch.from_numpy(x.numpy()),
    "transposed": lambda x: x.t(),
    "pickle": lambda x: pickle.loads(pickle.dumps(x)),
    "deepcopy": copy.deepcopy,
    "text": str,
    "shape": lambda x: (x.shape, x.dim(), x.dtype, x.device, x.requires_grad, len(x)),
    "in place": lambda x: x.mul_(2),
    "requires_grad": lambda x: (x.requires_grad_().requires_grad, x.requires_grad, x.is_leaf),
    "linear of another dtype": lambda x: F.linear(x.float(), torch.ones(2, FEATURES)),
    "weight": lambda x: F.linear(torch.ones(1, FEATURES, dtype=x.dtype), x),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_take_the_dense_matrix(name):
    sparse = converted(features()).dropped(P)
    dense = copy.deepcopy(sparse).clone()
    found, expected = FUNCTIONS[name](sparse), FUNCTIONS[name](dense)
    assert type(found) is type(expected)
    if isinstance(found, torch.Tensor):
        assert torch.equal(found, expected)
    else:
        assert found == expected


def test_modified_features_are_multiplied_as_modified():
    sparse, weight = converted(features()).dropped(P), torch.ones(1, FEATURES).double()
    for change in (lambda: sparse.mul_(2), lambda: sparse.numpy().fill(1.0)):
        change()
        torch.testing.assert_close(F.linear(sparse, weight), sparse.sum(1, keepdim=True))


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = torch_geometric.nn.GATConv(FEATURES, 4, heads=2)
        self.conv2 = torch_geometric.nn.GATConv(8, 3, residual=True)

    def forward(self, x, edge_index):
        x = F.dropout(x, P, training=self.training)
        x = F.elu(self.conv1(x, edge_index))
        return self.conv2(F.dropout(x, P, training=self.training), edge_index)


@pytest.fixture
def products(monkeypatch):
    """The sparse products of a test."""
    products, multiply = [], module.sparse_linear_by_row
    monkeypatch.setattr(
        module, "sparse_linear_by_row", lambda *args: products.append(1) or multiply(*args)
    )
    return products


def test_model_multiplies_features_as_sparse_ones(products):
    x, edge_index = features(), torch.randint(N, (2, 300))
    model = Net().double()
    expected = model.eval()(x, edge_index)
    gatsparse.accelerate(model)
    for _ in range(3):
        torch.testing.assert_close(model(x, edge_index), expected)
    assert len(products) == 2, "the first use is dense"
    model.train()(x, edge_index).sum().backward()
    assert len(products) == 3
    with torch.autocast("cpu", torch.bfloat16):
        model(x, edge_index)
    gatsparse.accelerate(model, functions=False)(x, edge_index)
    assert len(products) == 3


def test_layer_called_by_another_method_multiplies_sparse_features(products):
    model = gatsparse.accelerate(Net().double())
    x, edge_index = features(), torch.randint(N, (2, 300))
    for _ in range(3):
        model.conv1(x, edge_index)
    assert len(products) == 2
    assert not vars(gatsparse.decelerate(model.conv1)).get("finds_sparse_features")


class OfOneType(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch_geometric.nn.GATConv((-1, -1), 4, add_self_loops=False)
        self.lin = torch_geometric.nn.Linear(-1, 4)

    def forward(self, x, edge_index):
        return self.conv(x, edge_index) + self.lin(x)


def test_heterogeneous_models_multiply_sparse_features(products):
    metadata = ["a", "b"], [("a", "to", "b"), ("b", "to", "a")]
    x = {"a": features(0, dtype=torch.float32), "b": features(1, dtype=torch.float32)}
    edges = {kind: torch.randint(N, (2, 300)) for kind in metadata[1]}
    model = torch_geometric.nn.to_hetero(OfOneType(), metadata)
    expected = model(x, edges)
    gatsparse.accelerate(model)(x, edges)
    del products[:]
    found = model(x, edges)
    assert len(products) == 6, "two projections of each relation, and a linear layer of each type"
    for kind in x:
        torch.testing.assert_close(found[kind], expected[kind])


def test_inference_tensors():
    model = gatsparse.accelerate(Net().double())
    x, edge_index = features(), torch.randint(N, (2, 300))
    with torch.inference_mode():
        for _ in range(2):
            model.eval()(x, edge_index)
    model.train()(x, edge_index).sum().backward()


@pytest.mark.parametrize("columns", [FEATURES - 3, FEATURES + 7])
def test_a_weight_of_another_width_raises_as_in_torch(columns):
    x = converted(features())
    assert isinstance(x, SparseFeatures)
    with pytest.raises(RuntimeError, match="mat1 and mat2 shapes cannot be multiplied"):
        F.linear(x, torch.ones(4, columns, dtype=torch.float64))


@pytest.mark.parametrize("shape", [(), (1,), (1, 4), (N, 4)])
def test_a_bias_is_broadcast_as_in_torch(shape):
    x, bias = features(), torch.randn(shape, dtype=torch.float64)
    weight = torch.randn(4, FEATURES, dtype=torch.float64)
    assert torch.allclose(F.linear(converted(x), weight, bias), F.linear(x, weight, bias))


@pytest.mark.parametrize("backend", ["scatter", "dense"])
def test_layers_of_other_backends_stay_twice_differentiable(backend):
    conv = gatsparse.accelerate(torch_geometric.nn.GATConv(FEATURES, 4).double(), backend=backend)
    x, edges = features(), torch.randint(N, (2, 200))
    for _ in range(3):
        loss = conv(x, edges).square().sum()
        (grad,) = torch.autograd.grad(loss, conv.lin.weight, create_graph=True)
        grad.square().sum().backward()
