"""ONNX files of both exporters, run by onnxruntime on graphs of other sizes."""

import io

import onnxruntime
import pytest
import torch
import torch_geometric.nn
from torch.export import Dim

import gatsparse
from gatsparse.nn import PaperExactGAT
from gatsparse.testing import error_budget, relative_error
from tests.nn.layers import OURS

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning"),
    # The deprecated exporter cannot infer shapes of scatter operators.
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
every_layer = pytest.mark.parametrize("layer", OURS)
every_exporter = pytest.mark.parametrize("dynamo", [True, False], ids=["dynamo", "torchscript"])

OPTIONS = [
    {},
    {"add_self_loops": False, "concat": False, "residual": True},
    {"edge_dim": 3},
    {"edge_dim": 3, "add_self_loops": False, "backend": "scatter"},
    {"edge_dim": 3, "fill_value": "max", "flow": "target_to_source"},
]


class Layers(torch.nn.Module):
    """Layers with all options, in one file."""

    def __init__(self, build):
        super().__init__()
        self.convs = torch.nn.ModuleList(build(options) for options in OPTIONS)

    def forward(self, x, edge_index, edge_attr):
        with_edges = [edge_attr if "edge_dim" in options else None for options in OPTIONS]
        pairs = zip(self.convs, with_edges, strict=True)
        return tuple(conv(x, edge_index, attr) for conv, attr in pairs)


class Bipartite(torch.nn.Module):
    def __init__(self, conv):
        super().__init__()
        self.conv = conv

    def forward(self, x_src, x_dst, edge_index):
        return (self.conv((x_src, x_dst), edge_index),)


def arguments(num_nodes=20, num_edges=60):
    edge_index = torch.randint(num_nodes, (2, num_edges))
    edge_index[:, 0] = 3
    return torch.randn(num_nodes, 6), edge_index, torch.randn(num_edges, 3)


def bipartite_arguments(num_src=20, num_dst=10, num_edges=60):
    edge_index = torch.stack([torch.randint(n, (num_edges,)) for n in (num_src, num_dst)])
    return torch.randn(num_src, 6), torch.randn(num_dst, 4), edge_index


def dynamic_dims(example):
    """Returns the dynamic dimension of each argument, and its name."""
    edges = next(k for k, t in enumerate(example) if not t.is_floating_point())
    return [
        (1, "edges") if k == edges else (0, f"nodes{k}" if k < edges else "edges")
        for k in range(len(example))
    ]


def onnx(module, example, dynamo, dynamic=True):
    names, dims = [f"x{k}" for k in range(len(example))], dynamic_dims(example)
    file = io.BytesIO()
    if dynamo:
        symbols = {name: Dim(name, min=2) for _, name in dims}
        shapes = tuple({dim: symbols[name]} for dim, name in dims)
        options = {"dynamic_shapes": shapes, "dynamo": True, "verbose": False}
        options["optimize"] = False  # the optimiser takes most of the time
    else:
        axes = {x: {dim: name} for x, (dim, name) in zip(names, dims, strict=True)}
        options = {"dynamo": False, "opset_version": 18, "dynamic_axes": axes if dynamic else None}
    torch.onnx.export(module, example, file, input_names=names, **options)
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3
    session = onnxruntime.InferenceSession(file.getvalue(), settings, ["CPUExecutionProvider"])

    def run(*args):
        given = {name: t.numpy() for name, t in zip(names, args, strict=True)}
        return [torch.from_numpy(out) for out in session.run(None, given)]

    return run


def assert_equal(run, theirs, given):
    single = theirs.float()(*given)
    exact = theirs.double()(*[t.double() if t.is_floating_point() else t for t in given])
    for actual, reference, truth in zip(run(*given), single, exact, strict=True):
        budget = error_budget(relative_error(reference, truth), torch.float32)
        assert relative_error(actual, truth) <= budget


def pair_of(layer):
    def theirs_of(options):
        options = {key: value for key, value in options.items() if key != "backend"}
        return getattr(torch_geometric.nn, layer)(6, 5, heads=2, **options)

    ours = Layers(lambda options: OURS[layer](6, 5, heads=2, **options)).eval()
    theirs = Layers(theirs_of).eval()
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


@every_exporter
@every_layer
def test_onnx_equals_pyg(layer, dynamo):
    ours, theirs = pair_of(layer)
    example = arguments()
    ours(*example)  # the graph is cached
    run = onnx(ours, example, dynamo)
    for given in (example, arguments(30, 110)):
        assert_equal(run, theirs, given)


@every_exporter
@every_layer
def test_onnx_of_two_node_sets(layer, dynamo):
    convs = [
        kind((6, 4), 5, heads=2, add_self_loops=False)
        for kind in (OURS[layer], getattr(torch_geometric.nn, layer))
    ]
    convs[1].load_state_dict(convs[0].state_dict())
    run = onnx(Bipartite(convs[0]).eval(), bipartite_arguments(), dynamo)
    assert_equal(run, Bipartite(convs[1]).eval(), bipartite_arguments(30, 17, 110))


@every_layer
def test_deprecated_exporter_with_known_shapes(layer):
    ours, theirs = pair_of(layer)
    example = arguments()
    assert_equal(onnx(ours, example, dynamo=False, dynamic=False), theirs, example)


@every_exporter
def test_onnx_of_a_model(dynamo):
    torch.manual_seed(0)
    model = gatsparse.GAT(6, 8, 2, 3, v2=True, heads=2, jk="cat").eval()
    run = onnx(model, arguments()[:2], dynamo)
    given = arguments(30, 110)[:2]
    assert relative_error(run(*given)[0], model(*given)) <= 32 * torch.finfo().eps


@every_exporter
def test_onnx_of_the_exact_model_of_the_paper(dynamo):
    torch.manual_seed(0)
    model = PaperExactGAT(6, 4, 3, heads=2, out_heads=2).eval()
    run = onnx(model, arguments()[:2], dynamo)
    given = arguments(30, 110)[:2]
    assert relative_error(run(*given)[0], model(*given)) <= 32 * torch.finfo().eps


def test_export_of_the_fused_backend_raises():
    """ONNX lacks the operators of the backend; the exporter names the first of them."""
    conv = gatsparse.GATConv(6, 5, backend="fused").eval()
    with pytest.raises(Exception, match=r"gatsparse\.coo_to_csr"):
        onnx(conv, arguments(), dynamo=True)
