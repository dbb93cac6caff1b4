import copy

import pytest
import torch
import torch_geometric.nn

import gatsparse
from gatsparse.nn import PaperExactGAT, PaperGAT, dropout
from gatsparse.testing import relative_error

pytestmark = [
    pytest.mark.filterwarnings("ignore:Sparse .* tensor support is in beta"),
    pytest.mark.filterwarnings("ignore:Sparse invariant checks are implicitly disabled"),
]

N, F = 30, 12

# Each side may round once for each of the at most 120 edges and 12 features of a sum.
BUDGET = 2 * (120 + F) * torch.finfo(torch.float64).eps


def graph(num_src=N, num_dst=N, num_edges=120):
    generator = torch.Generator().manual_seed(0)
    rows = [torch.randint(n, (num_edges,), generator=generator) for n in (num_src, num_dst)]
    return torch.stack(rows)


def features(num_nodes=N, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(num_nodes, F, generator=generator, dtype=torch.float64)
    return x * (torch.rand(num_nodes, F, generator=generator) < 0.2)


def compare(layer, x, sparse, *args):
    """Compares outputs and gradients of a layer on dense and on sparse features."""
    results = []
    for given in (x, sparse):
        layer.zero_grad()
        out = layer(given, *args)
        out.square().sum().backward()
        results.append([out.detach(), *(p.grad for p in layer.parameters())])
    for dense, ours in zip(*results, strict=True):
        assert relative_error(ours, dense) <= BUDGET


@pytest.mark.parametrize("backend", ["auto", "scatter", "dense"])
@pytest.mark.parametrize("options", [{}, {"residual": True}, {"concat": False}])
@pytest.mark.parametrize("name", ["GATConv", "GATv2Conv"])
def test_equals_dense(name, options, backend):
    layer = getattr(gatsparse, name)(F, 4, heads=3, backend=backend, **options).double()
    x = features()
    compare(layer, x, x.to_sparse_csr(), graph())


@pytest.mark.parametrize("name", ["GATConv", "GATv2Conv"])
def test_bipartite_graphs_equal_dense(name):
    layer = getattr(gatsparse, name)((F, F), 4, heads=2, add_self_loops=False).double()
    x, x_dst = features(), features(7, seed=1)
    edges = graph(num_dst=7)
    compare(layer, (x, x_dst), (x.to_sparse_csr(), x_dst.to_sparse_csr()), edges)
    compare(layer, (x, x_dst), (x.to_sparse_csr(), x_dst), edges)


@pytest.mark.parametrize("name", ["GATConv", "GATv2Conv"])
def test_lazy_sizes_are_inferred_from_sparse_features(name):
    layer = getattr(gatsparse, name)(-1, 4).double()
    x = features()
    layer(x.to_sparse_csr(), graph())
    compare(layer, x, x.to_sparse_csr(), graph())


def test_hooks_see_dense_features():
    layer, x, seen = gatsparse.GATConv(F, 4).double(), features(), []
    layer.lin.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    compare(layer, x, x.to_sparse_csr(), graph())
    assert torch.equal(seen[1], x)


def test_message_hooks_use_the_forward_of_pyg():
    layer, x, seen = gatsparse.GATConv(F, 4).double(), features(), []
    layer.register_message_forward_hook(lambda _, __, out: seen.append(out.shape))
    compare(layer, x, x.to_sparse_csr(), graph())
    assert len(seen) == 2


def test_gradients_of_the_values():
    layer, x = gatsparse.GATConv(F, 4, heads=2).double(), features().requires_grad_()
    sparse = x.detach().to_sparse_csr().requires_grad_()
    layer(x, graph()).square().sum().backward()
    layer(sparse, graph()).square().sum().backward()
    assert relative_error(sparse.grad.values(), x.grad[x != 0]) <= BUDGET


def test_model_trains_on_sparse_features():
    torch.manual_seed(0)
    model = PaperGAT(F, 4, 3, heads=2, dropout=0.5).double()
    model(features().to_sparse_csr(), graph()).sum().backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in model.parameters())


def layouts():
    """Returns the same matrix in every layout that PyG's layers accept."""
    x = features()
    index = x.nonzero().t()
    index, values = torch.cat([index, index[:, :4]], dim=1), torch.cat([x[x != 0], torch.ones(4)])
    order = torch.randperm(values.numel(), generator=torch.Generator().manual_seed(3))
    unsorted = torch.sparse_coo_tensor(index[:, order], values[order], x.shape)
    return {"coo": x.to_sparse_coo(), "csc": x.to_sparse_csc(), "unsorted coo": unsorted}


@pytest.mark.parametrize("wants_grad", [False, True])
@pytest.mark.parametrize("layout", ["coo", "csc", "unsorted coo"])
@pytest.mark.parametrize("name", ["GATConv", "GATv2Conv"])
def test_other_layouts_train_as_in_pyg(name, layout, wants_grad):
    x = layouts()[layout]
    theirs = getattr(torch_geometric.nn, name)(F, 4, heads=2, residual=True).double()
    ours = gatsparse.accelerate(copy.deepcopy(theirs))
    results = []
    for layer in (theirs, ours):
        given = x.clone().requires_grad_(wants_grad)
        out = layer(given, graph())
        out.square().sum().backward()
        grads = [p.grad for p in layer.parameters()] + ([given.grad] if wants_grad else [])
        results.append([out.detach(), *grads])
    for expected, actual in zip(*results, strict=True):
        assert actual.layout == torch.strided
        assert relative_error(actual, expected) <= BUDGET


@pytest.mark.parametrize("name", ["GATConv", "GATv2Conv"])
def test_other_layouts_of_hooked_layers(name):
    """Hooked layers use PyG's own forward pass."""
    layer = getattr(gatsparse, name)(F, 4).double()
    layer.register_message_forward_pre_hook(lambda _module, _inputs: None)
    for x in layouts().values():
        compare(layer, x.to_dense(), x, graph())


@pytest.mark.parametrize("layout", ["coo", "csc", "unsorted coo"])
def test_sparse_linear_of_other_layouts(layout):
    x = layouts()[layout].requires_grad_()
    weight = torch.randn(4, F, dtype=torch.float64)
    out = gatsparse.nn.sparse_linear(x, weight)
    dense = x.detach().to_dense().requires_grad_()
    expected = dense @ weight.t()
    assert relative_error(out, expected) <= BUDGET
    out.square().sum().backward()
    expected.square().sum().backward()
    assert relative_error(x.grad, dense.grad) <= BUDGET


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("wants_grad", [False, True])
@pytest.mark.parametrize("layout", ["csr", "coo", "csc", "unsorted coo"])
@pytest.mark.parametrize("kind", [PaperGAT, PaperExactGAT])
def test_models_of_the_paper_take_every_layout(kind, layout, wants_grad, training):
    x = {**layouts(), "csr": features().to_sparse_csr()}[layout]
    model = kind(F, 4, 3, heads=2, dropout=0.0).double().train(training)
    compare(model, x.to_dense(), x.clone().requires_grad_(wants_grad), graph())
    model = kind(F, 4, 3, heads=2, dropout=0.5).double().train(training)
    given = x.clone().requires_grad_(wants_grad)
    model(given, graph()).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    if wants_grad:
        assert given.grad.to_dense().isfinite().all()
        assert given.grad.to_dense().any()


@pytest.mark.parametrize("layout", ["csr", "coo", "csc", "unsorted coo"])
def test_dropout_of_every_layout(layout):
    x = {**layouts(), "csr": features().to_sparse_csr()}[layout]
    out = dropout(x, 0.5)
    assert (out.layout, out.shape) == (x.layout, x.shape)
    scale = (out.to_dense() / x.to_dense())[x.to_dense() != 0]
    assert set(scale.tolist()) == {0.0, 2.0}  # duplicate entries are dropped together
    assert not out.to_dense()[x.to_dense() == 0].any()
    assert dropout(x, 0.5, training=False) is x


def test_unsupported_layouts_raise():
    layer, x = gatsparse.GATConv(F, 4).double(), features()
    for wrong in (x.to_sparse_bsr((2, 2)), x.to_sparse_bsc((2, 2)), x.to_sparse(1)):
        with pytest.raises(TypeError, match="x: expected a dense, sparse_csr, sparse_csc or"):
            layer(wrong, graph())
