"""Every tracer records the graph as an input: its programs are correct on other graphs."""

import copy

import pytest
import torch
import torch_geometric.nn
from functorch.compile import aot_module, nop
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.export import Dim
from torch.fx.experimental.proxy_tensor import make_fx

import gatsparse
from gatsparse import CSRGraph
from gatsparse.nn import PaperExactConv, PaperExactGAT
from gatsparse.testing import relative_error
from tests.nn.layers import OURS, pair

every_layer = pytest.mark.parametrize("layer", OURS)

NODES, EDGES = 20, 60

OPTIONS = {
    "default": {},
    "no loops": {"add_self_loops": False},
    "edge features": {"edge_dim": 3, "fill_value": "max"},
    "mean, residual": {"concat": False, "residual": True},
    "scatter": {"backend": "scatter"},
    "reversed": {"flow": "target_to_source"},
}
every_option = pytest.mark.parametrize("option", OPTIONS)


def arguments(options, num_nodes=NODES, num_edges=EDGES):
    edge_index = torch.randint(num_nodes, (2, num_edges))
    edge_index[:, 0] = 3  # a loop, which PyG replaces
    given = [torch.randn(num_nodes, 6, dtype=torch.float64), edge_index]
    if "edge_dim" in options:
        given.append(torch.randn(num_edges, options["edge_dim"], dtype=torch.float64))
    return tuple(given)


def dynamic_shapes(example):
    nodes, edges = Dim("nodes", min=2), Dim("edges", min=2)
    return [{0: nodes}, {1: edges}, {0: edges}][: len(example)]


def fx(**options):
    return lambda conv, example: make_fx(lambda *x: conv(*x), **options)(*example)


def export(strict):
    def trace(conv, example):
        shapes = {"dynamic_shapes": dynamic_shapes(example), "strict": strict}
        return torch.export.export(conv, example, **shapes).module()

    return trace


def compiled(conv, example):
    torch.compiler.reset()
    for tensor, dims in zip(example, dynamic_shapes(example), strict=True):
        for dim in dims:
            torch._dynamo.mark_dynamic(tensor, dim)
    function = torch.compile(conv, fullgraph=True, backend="aot_eager")
    function(*example)
    return function


#: Functions that trace a layer on an example, and whether the result accepts other sizes.
TRACERS = {
    "make_fx": (fx(), False),
    "make_fx, pre_dispatch": (fx(pre_dispatch=True), False),
    "make_fx, fake": (fx(tracing_mode="fake", _allow_non_fake_inputs=True), False),
    "make_fx, symbolic": (fx(tracing_mode="symbolic", _allow_non_fake_inputs=True), True),
    "make_fx, functionalize": (
        lambda conv, example: make_fx(torch.func.functionalize(lambda *x: conv(*x)))(*example),
        False,
    ),
    "functionalize": (
        lambda conv, _: torch.func.functionalize(lambda *x: conv(*x)),
        True,
    ),
    "aot_module": (lambda conv, _: aot_module(conv, fw_compiler=nop), False),
    "torch.jit.trace": (lambda conv, example: torch.jit.trace(conv, example), True),
    "torch.export": (export(strict=False), True),
    "torch.export, strict": (export(strict=True), True),
    "torch.compile": (compiled, True),
}


#: Slow tracers, which run with the options that change their programs most.
SLOW = ("torch.export, strict", "torch.compile", "torch.export", "torch.jit.trace")
CASES = [(t, o) for t in TRACERS for o in OPTIONS if t not in SLOW or o == "edge features"]


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize(("tracer", "option"), CASES)
@every_layer
def test_traced_layers_take_other_graphs(layer, tracer, option):
    options = OPTIONS[option]
    theirs, ours = pair(layer, 6, 5, heads=2, **options)
    example = arguments(options)
    ours(*example)  # the graph is cached
    trace, any_size = TRACERS[tracer]
    recorded = trace(ours, example)
    other = arguments(options, 23, 77) if any_size else arguments(options)
    for given in (example, other):
        assert relative_error(recorded(*given), theirs(*given)) <= 1e-10
    assert relative_error(ours(*other), theirs(*other)) <= 1e-10


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize("tracer", TRACERS)
def test_traced_exact_models_of_the_paper_take_other_graphs(tracer):
    model = PaperExactGAT(6, 4, 3, heads=2, out_heads=2).double().eval()
    example = arguments({})
    model(*example)  # the graph is cached
    trace, any_size = TRACERS[tracer]
    recorded = trace(model, example)
    other = arguments({}, 23, 77) if any_size else arguments({})
    for given in (example, other):
        assert relative_error(recorded(*given), model(*given)) <= 1e-10


@pytest.mark.parametrize("mode", ["autograd", "torch.func"])
@every_option
@every_layer
def test_traced_gradients_take_other_graphs(layer, option, mode):
    options = OPTIONS[option]
    theirs, ours = pair(layer, 6, 5, heads=2, **options)

    def gradient(conv, x, *args):
        if mode == "torch.func":
            return torch.func.grad(lambda x: conv(x, *args).square().sum())(x)
        x = x.detach().requires_grad_()
        return torch.autograd.grad(conv(x, *args).square().sum(), x)[0]

    example, other = arguments(options), arguments(options)
    ours(*example)
    recorded = make_fx(lambda *x: gradient(ours, *x))(*example)
    for given in (example, other):
        assert relative_error(recorded(*given), gradient(theirs, *given)) <= 1e-10


@every_layer
def test_dropout_of_traced_layers(layer):
    """A traced layer and the kernels drop the same weights with the same seed."""
    _, ours = pair(layer, 6, 5, heads=2, dropout=0.5)
    x, edge_index = arguments({})
    recorded = make_fx(lambda *args: ours(*args))(x, edge_index)
    results = []
    for function in (ours, recorded):
        torch.manual_seed(1)
        results.append(function(x, edge_index))
    assert relative_error(*results) <= 1e-10


@every_layer
def test_traced_batches_on_one_graph(layer):
    _, ours = pair(layer, 6, 5, heads=2, edge_dim=3)
    _, *others = arguments({"edge_dim": 3})
    x = torch.randn(2, 3, NODES, 6, dtype=torch.float64)
    recorded = make_fx(lambda *args: ours(*args))(x, *others)
    _, *others = arguments({"edge_dim": 3})
    assert relative_error(recorded(x, *others), ours(x, *others)) <= 1e-10


@every_layer
def test_traced_bipartite_graphs(layer):
    theirs, ours = pair(layer, (6, 4), 5, heads=2, add_self_loops=False)

    def graph():
        return torch.stack([torch.randint(NODES, (EDGES,)), torch.randint(7, (EDGES,))])

    def features(num_src, num_dst):
        return tuple(
            torch.randn(n, f, dtype=torch.float64) for n, f in ((num_src, 6), (num_dst, 4))
        )

    edge_index, x = graph(), features(NODES, 7)
    ours(x, edge_index)
    recorded = make_fx(lambda *args: ours(args[:2], args[2]))(*x, edge_index)
    x, edge_index = features(NODES, 7), graph()
    assert relative_error(recorded(*x, edge_index), theirs(x, edge_index)) <= 1e-10


@every_layer
def test_attention_of_traced_layers(layer):
    theirs, ours = pair(layer, 6, 5, heads=2, add_self_loops=False)

    def attention(conv, *args):
        return conv(*args, return_attention_weights=True)[1][1]

    example, other = arguments({}), arguments({})
    ours(*example)
    recorded = make_fx(lambda *args: attention(ours, *args))(*example)
    assert relative_error(recorded(*other), attention(theirs, *other)) <= 1e-10


@every_layer
def test_edges_out_of_range_raise(layer):
    _, ours = pair(layer, 6, 5)
    x, edge_index = arguments({})
    recorded = make_fx(lambda *args: ours(*args))(x, edge_index)
    for row in (0, 1):
        for wrong in (-1, NODES):
            other = edge_index.clone()
            other[row, 5] = wrong
            with pytest.raises((IndexError, RuntimeError), match="out of"):
                recorded(x, other)


# Tensors without data ############################################################


@every_option
@every_layer
def test_meta_tensors(layer, option):
    options = OPTIONS[option]
    _, ours = pair(layer, 6, 5, heads=2, **options)
    example = arguments(options)
    expected = ours(*example)
    meta = copy.deepcopy(ours).to("meta")
    out = meta(*[t.to("meta") for t in example])
    assert out.is_meta
    assert (out.shape, out.dtype) == (expected.shape, expected.dtype)
    out.sum().backward()


@pytest.mark.parametrize("training", [False, True])
def test_meta_tensors_in_the_exact_model_of_the_paper(training):
    model = PaperExactGAT(6, 4, 3, heads=2).train(training).to("meta")
    x, edge_index = arguments({})
    out = model(x.float().to("meta"), edge_index.to("meta"))
    assert (out.is_meta, out.shape, out.dtype) == (True, (NODES, 3), torch.float32)
    out.sum().backward()


@every_option
@every_layer
def test_fake_tensors(layer, option):
    options = OPTIONS[option]
    _, ours = pair(layer, 6, 5, heads=2, **options)
    example = arguments(options)
    expected = ours(*example)
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        fakes = [mode.from_tensor(t) for t in example]
        assert ours(*fakes).shape == expected.shape
    assert torch.equal(ours(*example), expected)


class OnOneGraph(torch.nn.Module):
    """A layer that holds its graph."""

    def __init__(self, conv, graph):
        super().__init__()
        self.conv, self.graph = conv, graph

    def forward(self, x):
        return self.conv(x, self.graph)


def fake_call(model, x):
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        model(mode.from_tensor(x)).sum().backward()


def exported(model, x):
    torch.export.export(model, (x,), strict=False)


def transformed(model, x):
    torch.func.grad(lambda x: torch.func.grad(lambda x: model(x).sum())(x).sum())(x)


@pytest.mark.parametrize(
    ("call", "backend"),
    [(fake_call, "auto"), (exported, "auto"), (exported, "fused"), (transformed, "auto")],
)
@pytest.mark.parametrize("flow", ["source_to_target", "target_to_source"])
@every_layer
def test_csr_graph_is_unchanged_by_tracers(layer, flow, call, backend):
    """Tensors that the graph builds under a tracer are not kept."""
    theirs, ours = pair(layer, 6, 5, heads=2, flow=flow, backend=backend)
    x, edge_index = arguments({})
    model = OnOneGraph(ours, CSRGraph.from_edge_index(edge_index, NODES))
    call(model, x)
    grads = []
    for function in (model, lambda x: theirs(x, edge_index)):
        leaf = x.clone().requires_grad_()
        function(leaf).square().sum().backward()
        grads.append(leaf.grad)
    assert relative_error(*grads) <= 1e-10


@pytest.mark.parametrize("mode", ["real", "fake", "symbolic"])
def test_csr_graph_built_in_a_traced_function(mode):
    theirs, ours = pair("GATConv", 6, 5, heads=2)

    def run(x, edge_index):
        return ours(x, CSRGraph.from_edge_index(edge_index, x.size(0)))

    options = {"tracing_mode": mode, "_allow_non_fake_inputs": True}
    recorded = make_fx(run, **options)(*arguments({}))
    other = arguments({}, 23, 77) if mode == "symbolic" else arguments({})
    assert relative_error(recorded(*other), theirs(*other)) <= 1e-10


# Recorded programs ###############################################################


def operators(program):
    return {str(node.target) for node in program.graph.nodes if node.op == "call_function"}


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("layer", [*OURS, "PaperExactConv"])
def test_exported_programs_run_without_gatsparse(layer, strict):
    ours = PaperExactConv if layer == "PaperExactConv" else OURS[layer]
    conv = ours(6, 5, heads=2).double()
    program = torch.export.export(conv, arguments({}), strict=strict)
    assert not any("gatsparse" in name for name in operators(program))


@pytest.mark.parametrize("strict", [False, True])
@every_layer
def test_exported_programs_hold_the_kernels_on_request(layer, strict):
    theirs, ours = pair(layer, 6, 5, heads=2, backend="fused")
    example = arguments({})
    shapes = {"dynamic_shapes": dynamic_shapes(example), "strict": strict}
    program = torch.export.export(ours, example, **shapes)
    assert any("gatsparse.gat" in name for name in operators(program))
    other = arguments({}, 23, 77)
    assert relative_error(program.module()(*other), theirs(*other)) <= 1e-10


@every_layer
def test_compiled_layers_run_the_kernels(layer):
    recorded = []

    def backend(module, _example):
        recorded.append(module)
        return module

    _, ours = pair(layer, 6, 5, heads=2)
    torch.compiler.reset()
    torch.compile(ours, fullgraph=True, backend=backend)(*arguments({}))
    assert any("gatsparse.gat" in name for name in operators(recorded[0]))


@every_layer
def test_tracing_the_fused_backend_raises(layer):
    _, ours = pair(layer, 6, 5, heads=2, backend="fused")
    with pytest.raises(ValueError, match="backend='fused' cannot handle this call: the call is tr"):
        make_fx(lambda *args: ours(*args))(*arguments({}))


@every_layer
def test_symbolic_trace_fails_as_in_pyg(layer):
    for conv in pair(layer, 6, 5):
        with pytest.raises((TypeError, torch.fx.proxy.TraceError)):
            torch.fx.symbolic_trace(conv)


@pytest.mark.parametrize("v2", [False, True])
def test_traced_models_take_other_graphs(v2):
    theirs = torch_geometric.nn.GAT(6, 8, 2, 4, v2=v2, heads=2).double().eval()
    ours = gatsparse.accelerate(copy.deepcopy(theirs))
    example, other = arguments({}), arguments({}, 23, 77)
    ours(*example)
    for tracer in ("make_fx, symbolic", "torch.export"):
        recorded = TRACERS[tracer][0](ours, example)
        assert relative_error(recorded(*other), theirs(*other)) <= 1e-10
