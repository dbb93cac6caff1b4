"""``torch.func`` with the graph as an argument of the transformed function, or built in it."""

import pytest
import torch
import torch.nn.functional as F
from torch.func import (
    functional_call,
    grad,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    stack_module_state,
    vjp,
    vmap,
)
from torch_geometric import EdgeIndex

import gatsparse
from gatsparse import CSRGraph
from gatsparse.nn import PaperExactGAT
from gatsparse.testing import relative_error
from tests.nn.layers import OURS, pair

every_layer = pytest.mark.parametrize("layer", OURS)

NODES, EDGES = 9, 25
X = torch.randn(NODES, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
OPTIONS = {
    "default": {},
    "no loops": {"add_self_loops": False},
    "edge features": {"edge_dim": 2},
    "residual": {"residual": True, "concat": False},
}
every_option = pytest.mark.parametrize("option", OPTIONS)


def graph(num_edges=EDGES):
    edge_index = torch.randint(NODES, (2, num_edges))
    edge_index[:, 0] = 2
    return edge_index


def arguments(options):
    given = [X, graph()]
    if "edge_dim" in options:
        given.append(torch.randn(EDGES, options["edge_dim"], dtype=torch.float64))
    return given


def by_argument(function):
    """Passes the graph as an argument of the transformed function."""
    return lambda conv, x, *args: function(lambda x, *args: conv(x, *args).cos().sum(), x, *args)


TRANSFORMS = {
    "grad": by_argument(lambda f, x, *args: grad(f)(x, *args)),
    "grad of grad": by_argument(
        lambda f, x, *args: grad(lambda x, *args: grad(f)(x, *args).cos().sum())(x, *args)
    ),
    "vjp": by_argument(
        lambda f, x, *args: vjp(lambda x: f(x, *args), x)[1](torch.tensor(2.0).double())[0]
    ),
    "jacrev": lambda conv, x, *args: jacrev(lambda x, *args: conv(x, *args))(x, *args),
    "jacfwd": lambda conv, x, *args: jacfwd(lambda x, *args: conv(x, *args))(x, *args),
    "hessian": lambda conv, x, *args: hessian(
        lambda row, *args: conv(torch.cat([row[None], x[1:]]), *args).cos().sum()
    )(x[0], *args),
    "jvp": lambda conv, x, *args: jvp(lambda x: conv(x, *args), (x,), (x.cos(),))[1],
    "grad, made inside": lambda conv, x, edge_index, *args: grad(
        lambda x: conv(x, edge_index.flip(1).clone(), *args).cos().sum()
    )(x),
    "grad, closed over": lambda conv, x, *args: grad(lambda x: conv(x, *args).cos().sum())(x),
    "vmap over features": lambda conv, x, *args: vmap(lambda x: conv(x, *args))(
        torch.stack([x, x.cos()])
    ),
    "vmap of grad": lambda conv, x, *args: vmap(
        grad(lambda x, *args: conv(x, *args).cos().sum()), in_dims=(0, *[None] * len(args))
    )(torch.stack([x, x.cos()]), *args),
}


#: PyG's layers cannot compute a batch; each of its members is computed alone.
def expected_of(transform, conv, x, *args):
    if not transform.startswith("vmap"):
        return TRANSFORMS[transform](conv, x, *args)
    if transform == "vmap over features":
        return torch.stack([conv(row, *args) for row in (x, x.cos())])
    return torch.stack([TRANSFORMS["grad"](conv, row, *args) for row in (x, x.cos())])


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize(
    ("option", "backend"), [*[(option, "auto") for option in OPTIONS], ("default", "dense")]
)
@every_layer
def test_equals_pyg(layer, option, backend, transform):
    options = OPTIONS[option]
    theirs, ours = pair(layer, 4, 3, heads=2, **options)
    ours.backend = backend
    given = arguments(options)
    for _ in range(2):  # built, then cached
        actual = TRANSFORMS[transform](ours, *given)
        assert relative_error(actual, expected_of(transform, theirs, *given)) <= 1e-9
    assert relative_error(ours(*given), theirs(*given)) <= 1e-10


@every_option
@every_layer
def test_vmap_over_graphs(layer, option):
    options = OPTIONS[option]
    theirs, ours = pair(layer, 4, 3, heads=2, **options)
    batches = [
        torch.stack(given) for given in zip(*[arguments(options) for _ in range(3)], strict=True)
    ]
    batches[0] = torch.stack([X, X.cos(), X.sin()])

    def loss(conv):
        return lambda *args: conv(*args).cos().sum()

    for transform in (lambda conv: conv, lambda conv: grad(loss(conv))):
        expected = torch.stack([transform(theirs)(*one) for one in zip(*batches, strict=True)])
        assert relative_error(vmap(transform(ours))(*batches), expected) <= 1e-9
    shared = [batches[0][0], *batches[1:]]
    expected = torch.stack([theirs(shared[0], *one) for one in zip(*shared[1:], strict=True)])
    only_graphs = vmap(ours, in_dims=(None, *[0] * (len(shared) - 1)))
    assert relative_error(only_graphs(*shared), expected) <= 1e-10
    if len(batches) == 3:  # all graphs share the edge features
        attr = batches[2][0]
        expected = torch.stack([theirs(X, edges, attr) for edges in batches[1]])
        actual = vmap(lambda edges: ours(X, edges, attr))(batches[1])
        assert relative_error(actual, expected) <= 1e-10


@every_layer
def test_gradients_of_parameters(layer):
    theirs, ours = pair(layer, 4, 3, heads=2)
    edge_index = graph()

    def loss(conv, parameters, edges):
        return functional_call(conv, parameters, (X, edges)).cos().sum()

    expected, actual = (
        grad(lambda p, e, conv=conv: loss(conv, p, e))(dict(conv.named_parameters()), edge_index)
        for conv in (theirs, ours)
    )
    for name, gradient in expected.items():
        assert relative_error(actual[name], gradient) <= 1e-10


@every_layer
def test_vmap_over_an_ensemble(layer):
    convs = [pair(layer, 4, 3, heads=2)[1] for _ in range(3)]
    parameters, buffers = stack_module_state(convs)
    edge_index = graph()

    def run(parameters, buffers, edges):
        return functional_call(convs[0], (parameters, buffers), (X, edges))

    actual = vmap(run, in_dims=(0, 0, None))(parameters, buffers, edge_index)
    assert relative_error(actual, torch.stack([c(X, edge_index) for c in convs])) <= 1e-10


@every_layer
def test_grad_accepts_every_format(layer):
    theirs, ours = pair(layer, 4, 3, heads=2)
    edge_index = graph()
    expected = grad(lambda x: theirs(x, edge_index).cos().sum())(X)
    csr = CSRGraph.from_edge_index(edge_index, NODES)
    for given in (csr, EdgeIndex(edge_index, sparse_size=(NODES, NODES)), edge_index.int()):
        actual = grad(lambda x, given=given: ours(x, given).cos().sum())(X)
        assert relative_error(actual, expected) <= 1e-10
    inside = grad(lambda x: ours(x, EdgeIndex(edge_index)).cos().sum())(X)
    assert relative_error(inside, expected) <= 1e-10


@every_layer
def test_grad_of_returned_attention(layer):
    theirs, ours = pair(layer, 4, 3, heads=2)

    def loss(conv, x, edges):
        out, (index, alpha) = conv(x, edges, return_attention_weights=True)
        return (out.cos().sum() + (alpha * (1 + index[0][:, None])).sin().sum(), alpha)

    edge_index = graph()
    results = [
        grad(lambda x, e, conv=conv: loss(conv, x, e), has_aux=True)(X, edge_index)
        for conv in (theirs, ours)
    ]
    for expected, actual in zip(*results, strict=True):
        assert relative_error(actual, expected) <= 1e-10


@every_layer
def test_edges_out_of_range_raise(layer):
    _, ours = pair(layer, 4, 3)
    for wrong in (-1, NODES):
        edge_index = graph()
        edge_index[1, 3] = wrong
        with pytest.raises((IndexError, RuntimeError), match="out of"):
            grad(lambda x, e: ours(x, e).sum())(X, edge_index)


def test_compiled_transforms():
    theirs, ours = pair("GATv2Conv", 4, 3, heads=2)

    def gradient(conv, x, edges):
        return grad(lambda x: conv(x, edges).cos().sum())(x)

    torch.compiler.reset()
    compiled = torch.compile(gradient, backend="aot_eager", dynamic=True)
    for edges in (graph(), graph(31)):
        assert relative_error(compiled(ours, X, edges), gradient(theirs, X, edges)) <= 1e-10


def test_grad_of_a_model():
    model = gatsparse.GAT(4, 8, 2, 3, heads=2).double().eval()
    edge_index, y = graph(), torch.randint(3, (NODES,))

    def loss(parameters, x, edges):
        return F.cross_entropy(functional_call(model, parameters, (x, edges)), y)

    parameters = dict(model.named_parameters())
    expected = torch.autograd.grad(loss(parameters, X, edge_index), list(parameters.values()))
    actual = grad(loss)(parameters, X, edge_index)
    for gradient, name in zip(expected, parameters, strict=True):
        assert relative_error(actual[name], gradient) <= 1e-10


def reference(model, x, edge_index):
    """Computes the exact model of the paper on a dense matrix, with operators of torch only."""
    src, dst = edge_index
    count = torch.zeros(NODES, NODES, dtype=torch.float64)
    count = count.index_put((dst, src), torch.ones(src.numel()).double(), accumulate=True)
    mask = torch.where(torch.eye(NODES, dtype=torch.bool), 1.0, count).log()
    for conv in (model.conv1, model.conv2):
        z = conv.lin(x).unflatten(1, (conv.heads, conv.out_channels))
        source, target = (
            (z * att).sum(-1) + bias
            for att, bias in ((conv.att_src, conv.bias_src), (conv.att_dst, conv.bias_dst))
        )
        scores = F.leaky_relu(target[:, None] + source[None], conv.negative_slope)
        alpha = (scores + mask[..., None]).softmax(1)
        x = torch.einsum("ijh,jhc->ihc", alpha, z).flatten(1) + conv.bias
        x = F.elu(x) if conv.concat else x.unflatten(1, (conv.heads, -1)).mean(1)
    return x


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_exact_model_of_the_paper(transform):
    model = PaperExactGAT(4, 3, 2, heads=2, out_heads=2).double().eval()
    edge_index = graph()
    expected = expected_of(transform, lambda x, edges: reference(model, x, edges), X, edge_index)
    for _ in range(2):  # built, then cached
        actual = TRANSFORMS[transform](model, X, edge_index)
        assert relative_error(actual, expected) <= 1e-9


def test_vmap_over_graphs_in_the_exact_model_of_the_paper():
    model = PaperExactGAT(4, 3, 2, heads=2, out_heads=2).double().eval()
    graphs = torch.stack([graph() for _ in range(3)])
    expected = torch.stack([model(X, edges) for edges in graphs])
    assert relative_error(vmap(model, in_dims=(None, 0))(X, graphs), expected) <= 1e-10
