"""PyTorch's own checks of the attention operators: opcheck, gradcheck, transforms, compile."""

import pytest
import torch
from torch.autograd import forward_ad

from gatsparse import CSRGraph
from gatsparse.testing import Graph, relative_error
from tests.ops.agreement import (
    BACKENDS,
    ZOO,
    every_variant,
    with_and_without_edges,
)
from tests.ops.variants import (
    VARIANTS,
    assert_close,
    backward_arguments,
    call,
    operator_arguments,
    with_gradients,
)


@pytest.mark.parametrize("save", [False, True])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize(
    ("name", "shape", "edge", "concat"),
    [
        ("random", (8, 8), False, True),
        ("random", (2, 3), True, False),
        ("no edges", (2, 3), True, True),
        ("bipartite, more sources", (8, 8), False, False),
    ],
)
@every_variant
def test_opcheck(variant, name, shape, edge, concat, dropout, save):
    inputs = VARIANTS[variant].inputs(ZOO[name], *shape, edge=edge, loop=True, concat=concat)
    options = {"concat": concat, "dropout": dropout, "save": save}
    arguments = operator_arguments(variant, inputs, ZOO[name].csr(), **options)
    if not save:
        detached = [t.detach() if isinstance(t, torch.Tensor) else t for t in arguments.values()]
        arguments = dict(zip(arguments, detached, strict=True))
    operators = torch.ops.gatsparse
    torch.library.opcheck(getattr(operators, variant).default, tuple(arguments.values()))
    if save:
        backward = backward_arguments(arguments, call(variant, arguments))
        torch.library.opcheck(getattr(operators, f"{variant}_backward").default, backward)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "name", ["duplicate edges", "isolated nodes", "bipartite, more destinations"]
)
@every_variant
def test_gradcheck(variant, name, backend, dropout):
    graph, concat = ZOO[name], dropout == 0.0
    inputs = VARIANTS[variant].inputs(
        graph, 2, 2, edge=backend != "dense", loop=True, concat=concat
    )

    def function(*tensors):
        return VARIANTS[variant].attention(
            **dict(zip(inputs, tensors, strict=True)),
            graph=graph.csr(),
            concat=concat,
            add_self_loops=True,
            dropout=dropout,
            seed=torch.tensor(5),
            backend=backend,
        )

    assert torch.autograd.gradcheck(function, tuple(inputs.values()))


@every_variant
def test_double_backward(variant):
    graph = ZOO["duplicate edges"]
    inputs = VARIANTS[variant].inputs(graph, 2, 2, edge=True)

    def function(backend):
        return lambda *tensors: VARIANTS[variant].attention(
            **dict(zip(inputs, tensors, strict=True)), graph=graph.csr(), backend=backend
        )

    leaves = tuple(inputs.values())
    assert torch.autograd.gradgradcheck(function("scatter"), leaves)
    out = function("fused")(*leaves)
    (grad,) = torch.autograd.grad(out.square().sum(), leaves[:1], create_graph=True)
    with pytest.raises(NotImplementedError, match="backend='scatter'"):
        grad.sum().backward()


@every_variant
def test_forward_mode_and_functional_transforms(variant):
    graph = ZOO["random"]
    inputs = VARIANTS[variant].inputs(graph, 2, 3, edge=True)
    leaves = tuple(t.detach() for t in inputs.values())

    def function(*tensors, backend="auto"):
        return VARIANTS[variant].attention(
            **dict(zip(inputs, tensors, strict=True)), graph=graph.csr(), backend=backend
        )

    tangents = tuple(torch.randn_like(t) for t in leaves)
    h = 1e-6
    shifted = [
        function(*(t + s * v for t, v in zip(leaves, tangents, strict=True))) for s in (h, -h)
    ]
    _, tangent = torch.func.jvp(function, leaves, tangents)
    assert relative_error(tangent, (shifted[0] - shifted[1]) / (2 * h)) <= 1e-7
    expected = torch.autograd.functional.jacobian(
        lambda x: function(x, *leaves[1:]).sum(), leaves[0]
    )
    actual = torch.func.grad(lambda x: function(x, *leaves[1:]).sum())(leaves[0])
    assert relative_error(actual, expected) <= 1e-12
    with forward_ad.dual_level():
        for k in range(len(leaves)):  # whichever tensor carries the tangent
            dual = [*leaves[:k], forward_ad.make_dual(leaves[k], tangents[k]), *leaves[k + 1 :]]
            assert forward_ad.unpack_dual(function(*dual)).tangent is not None
            with pytest.raises(ValueError, match="forward-mode differentiation"):
                function(*dual, backend="fused")


@pytest.mark.parametrize(
    ("backend", "dropout", "edge"),
    [("fused", 0.0, False), ("fused", 0.5, True), ("scatter", 0.5, True)],
)
@every_variant
def test_compile_without_graph_breaks(variant, backend, dropout, edge):
    graph = ZOO["random"]
    inputs = VARIANTS[variant].inputs(graph, 2, 3, edge=edge, loop=True)
    csr, seed = graph.csr(), torch.tensor(5)

    def function(*tensors):
        return VARIANTS[variant].attention(
            **dict(zip(inputs, tensors, strict=True)),
            graph=csr,
            add_self_loops=True,
            dropout=dropout,
            seed=seed,
            backend=backend,
        )

    leaves = tuple(inputs.values())
    torch.compiler.reset()
    compiler = "inductor" if backend == "fused" else "aot_eager"
    compiled = torch.compile(function, fullgraph=True, backend=compiler)
    actual, expected = (with_gradients(f(*leaves), inputs) for f in (compiled, function))
    assert_close(actual, expected, 1e-12)


@with_and_without_edges
@every_variant
def test_compile_once_for_any_size(variant, edge):
    def function(edge_index, tensors):
        x = tensors[VARIANTS[variant].x]
        graph = CSRGraph.from_edge_index(edge_index, num_nodes=x.size(0))
        return VARIANTS[variant].attention(**tensors, graph=graph, add_self_loops=True)

    torch.compiler.reset()
    compiled = torch.compile(function, fullgraph=True, dynamic=True, backend="aot_eager")
    for k, (num_nodes, num_edges) in enumerate([(60, 500), (31, 90), (1000, 5000)]):
        edge_index = torch.randint(num_nodes, (2, num_edges))
        graph = Graph(edge_index, (num_nodes, num_nodes))
        inputs = VARIANTS[variant].inputs(graph, 2, 3, edge=edge, loop=True)
        with torch._dynamo.config.patch(error_on_recompile=k > 0):
            actual = with_gradients(compiled(edge_index, inputs), inputs)
        assert_close(actual, with_gradients(function(edge_index, inputs), inputs), 1e-12)
