"""``torch.compile`` and ``torch.export`` of full graphs with dynamic sizes."""

import io

import pytest
import torch
import torch.nn.functional as F
import torch_geometric.nn
from torch._dynamo.utils import counters
from torch._inductor.exc import InductorError
from torch.export import Dim, export

import gatsparse
from gatsparse import CSRGraph
from gatsparse.testing import graph_zoo, relative_error
from tests.nn.layers import OURS, pair

EDGES, (NUM_NODES, _) = graph_zoo()["random"]
every_layer = pytest.mark.parametrize("layer", OURS)


@pytest.fixture(autouse=True)
def _reset():
    torch.compiler.reset()
    counters.clear()
    yield
    torch.compiler.reset()


class Net(torch.nn.Module):
    """Two layers, as in the paper."""

    def __init__(self, conv, **options):
        super().__init__()
        self.conv1 = conv(6, 8, heads=4, **options)
        self.conv2 = conv(32, 3, heads=2, concat=False, **options)

    def forward(self, x, edge_index, edge_attr=None):
        x = F.elu(self.conv1(x, edge_index, edge_attr))
        return self.conv2(x, edge_index, edge_attr)


def batch(edge_dim=None):
    num_nodes, num_edges = int(torch.randint(50, 500, ())), int(torch.randint(100, 5000, ()))
    edge_index = torch.randint(num_nodes, (2, num_edges))
    x = torch.randn(num_nodes, 6)
    return x, edge_index, None if edge_dim is None else torch.randn(num_edges, edge_dim)


@pytest.mark.parametrize(
    ("options", "dynamic"),
    [({}, None), ({"dropout": 0.5, "edge_dim": 3, "residual": True}, True)],
    ids=str,
)
@every_layer
def test_batches_of_all_sizes_share_one_graph(layer, options, dynamic):
    """Sizes become dynamic at the second size, or at the first one with ``dynamic=True``."""
    model = Net(OURS[layer], **options)
    compiled = torch.compile(model, fullgraph=True, dynamic=dynamic, backend="aot_eager")
    for _ in range(20):
        x, edge_index, edge_attr = batch(options.get("edge_dim"))
        out = compiled(x, edge_index, edge_attr)
        out.sum().backward()
    if "dropout" not in options:
        expected = model(x, edge_index, edge_attr)
        assert relative_error(out, expected) <= 16 * torch.finfo().eps
    assert counters["stats"]["unique_graphs"] == (1 if dynamic else 2)
    assert not counters["graph_break"]


def test_pyg_fails_to_train_as_one_graph():
    """Inductor fails with dynamic sizes, because the number of edges depends on data."""
    model = Net(torch_geometric.nn.GATConv)
    compiled = torch.compile(model, fullgraph=True, dynamic=True)
    with pytest.raises(InductorError, match="to have been codegen-ed"):
        compiled(*batch()).sum().backward()


@pytest.mark.parametrize("dynamic", [None, False, True])
@every_layer
def test_compiled_equals_pyg(layer, dynamic):
    theirs, ours = pair(layer, 6, 5, heads=3)
    x = torch.randn(NUM_NODES, 6, dtype=torch.float64, requires_grad=True)
    compiled = torch.compile(ours, fullgraph=True, dynamic=dynamic)
    expected, actual = theirs(x, EDGES), compiled(x, EDGES)
    assert relative_error(actual, expected) <= 1e-10
    grad = torch.randn_like(expected)
    grads = [
        torch.autograd.grad(out, [x, *conv.parameters()], grad)
        for out, conv in ((actual, ours), (expected, theirs))
    ]
    for a, b in zip(*grads, strict=True):
        assert relative_error(a, b) <= 1e-10


@every_layer
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_compiled_layers_of_low_precision_run_the_kernels(layer, dtype):
    conv = OURS[layer](6, 4, heads=2, backend="fused").to(dtype)
    x = torch.randn(NUM_NODES, 6, dtype=dtype)
    out = torch.compile(conv, fullgraph=True, backend="aot_eager")(x, EDGES)
    assert relative_error(out, conv(x, EDGES)) <= 2 * torch.finfo(dtype).eps


@every_layer
def test_compiled_layers_take_static_graphs_and_csr_graphs(layer):
    _, ours = pair(layer, 6, 5, heads=3)
    compiled = torch.compile(ours, fullgraph=True, backend="aot_eager")
    for count in (2, 5, 3):
        x = torch.randn(count, NUM_NODES, 6, dtype=torch.float64)
        assert relative_error(compiled(x, EDGES), ours(x, EDGES)) <= 1e-10
    graph = CSRGraph.from_edge_index(EDGES, NUM_NODES)
    assert relative_error(compiled(x, graph), ours(x, graph)) <= 1e-10


@pytest.mark.parametrize("v2", [False, True])
def test_compiled_model_equals_eager(v2):
    model = gatsparse.GAT(6, 8, 3, 4, v2=v2, heads=2, jk="cat").double()
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    x = torch.randn(NUM_NODES, 6, dtype=torch.float64)
    assert relative_error(compiled(x, EDGES), model(x, EDGES)) <= 1e-10


@pytest.mark.parametrize("strict", [False, True])
@every_layer
def test_exported_model_equals_eager(layer, strict):
    model = Net(OURS[layer], edge_dim=3).eval()
    nodes, edges = Dim("nodes", min=2), Dim("edges", min=2)
    shapes = {"x": {0: nodes}, "edge_index": {1: edges}, "edge_attr": {0: edges}}
    program = export(model, batch(3), dynamic_shapes=shapes, strict=strict)
    stored = io.BytesIO()
    torch.export.save(program, stored)
    stored.seek(0)
    loaded = torch.export.load(stored).module()
    for _ in range(3):
        arguments = batch(3)
        expected = model(*arguments)
        for exported in (program.module(), loaded):
            assert relative_error(exported(*arguments), expected) <= 16 * torch.finfo().eps


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@every_layer
def test_jit_trace_uses_the_forward_of_pyg(layer):
    theirs, ours = pair(layer, 6, 5, heads=3)
    traced = torch.jit.trace(ours, (torch.randn(NUM_NODES, 6, dtype=torch.float64), EDGES))
    x, edge_index, _ = batch()
    x = x.double().requires_grad_()
    out, expected = traced(x, edge_index), theirs(x, edge_index)
    assert relative_error(out, expected) <= 1e-10
    grads = [torch.autograd.grad(o.square().sum(), x)[0] for o in (out, expected)]
    assert relative_error(*grads) <= 1e-10


@every_layer
def test_jit_script_fails_as_in_pyg(layer):
    """PyG's layers cannot be scripted either."""
    for conv in pair(layer, 6, 5, heads=3):
        with pytest.raises((RuntimeError, ValueError)):
            torch.jit.script(conv)


def test_out_of_range_edges_of_a_compiled_layer_raise():
    conv = gatsparse.GATConv(6, 5)
    compiled = torch.compile(conv, fullgraph=True, backend="aot_eager")
    with pytest.raises(RuntimeError, match="index out of range"):
        compiled(torch.randn(5, 6), torch.tensor([[0, 9], [1, 2]]))


@pytest.mark.parametrize(
    ("model", "layout"),
    [
        (gatsparse.nn.PaperGAT, torch.sparse_csr),
        (gatsparse.nn.PaperGAT, torch.sparse_coo),
        (gatsparse.nn.PaperExactGAT, torch.sparse_csr),
    ],
)
@pytest.mark.filterwarnings("ignore:Sparse CS:UserWarning")
# torch.compile looks at the gradients of all tensors that follow a graph break.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")
def test_compiled_models_take_sparse_features(model, layout):
    """torch.compile breaks its graph at a sparse tensor; what follows is compiled."""
    x = (torch.randn(NUM_NODES, 6) * (torch.rand(NUM_NODES, 6) < 0.5)).to_sparse(layout=layout)
    model = model(6, 4, 3, heads=2, dropout=0.5)
    outs = []
    for forward in (model, torch.compile(model, backend="aot_eager")):
        torch.manual_seed(1)
        model.zero_grad()
        out = forward(x, EDGES)
        out.square().sum().backward()
        outs.append([out, *(parameter.grad for parameter in model.parameters())])
    for eager, compiled in zip(*outs, strict=True):
        assert relative_error(compiled, eager) <= 1e-5
