"""Arguments that layers reject, and unusual ones that they accept."""

import pytest
import torch

from gatsparse import CSRGraph
from gatsparse.testing import relative_error
from tests.nn.inputs import ZOO, every_layer
from tests.nn.layers import OURS, pair


@every_layer
def test_graphs_without_nodes_or_edges(layer):
    conv = OURS[layer](6, 5, heads=3)
    none = torch.empty(2, 0, dtype=torch.int64)
    assert conv(torch.empty(0, 6), none).shape == (0, 15)
    out = OURS[layer](6, 5, heads=3, add_self_loops=False)(torch.randn(4, 6), none)
    assert torch.equal(out, torch.zeros(4, 15))
    conv(torch.randn(4, 6, requires_grad=True), none).sum().backward()


@every_layer
def test_nan_reaches_its_neighbours_only(layer):
    x = torch.randn(21, 6)
    x[4, 2] = torch.nan
    out = OURS[layer](6, 5, heads=3)(x, ZOO["chain"].edge_index)
    assert out.isnan().any(dim=1).nonzero().flatten().tolist() == [4, 5]


X = torch.randn(5, 6)
SHORT = torch.tensor([[0, 1], [1, 2]])


@pytest.mark.parametrize(
    ("x", "edge_index", "edge_attr", "error", "message"),
    [
        (X, torch.tensor([[0, 9], [1, 2]]), None, IndexError, "expected indices in 0 .. 4, got 9"),
        (X, torch.tensor([[0, 1], [-1, 2]]), None, IndexError, "got -1 at position 0"),
        (X, SHORT.float(), None, TypeError, "edge_index: expected int64 or int32"),
        (X, SHORT[0], None, ValueError, r"edge_index: expected shape \[2, E\], got \[2\]"),
        (X, None, None, TypeError, "edge_index: expected a tensor, got NoneType"),
        (X[:, :4], SHORT, None, ValueError, r"x: expected shape \[N, 6\], got \[5, 4\]"),
        (X[0], SHORT, None, ValueError, r"x: expected shape \[N, 6\], got \[6\]"),
        (X.long(), SHORT, None, TypeError, "x: expected a floating point tensor"),
        (None, SHORT, None, TypeError, "x: expected a tensor or a pair"),
        ((None, X), SHORT, None, TypeError, r"x\[0\]: expected a tensor"),
        (X, CSRGraph.from_edge_index(SHORT, 4), None, ValueError, r"size\[0\]: expected 5"),
        (X, SHORT, [1.0, 2.0], TypeError, "edge_attr: expected a tensor, got list"),
        (X, SHORT, torch.zeros(2, 3).cfloat(), TypeError, "edge_attr: expected a floating point"),
        (X, SHORT, torch.zeros(3, 3), ValueError, r"edge_attr: expected shape \[2, 3\], got \[3"),
        (X, SHORT, torch.zeros(2, 4), ValueError, r"edge_attr: expected shape \[2, 3\], got \[2"),
        (X, SHORT, torch.zeros(2), ValueError, r"edge_attr: expected shape \[2, 3\], got \[2, 1"),
    ],
)
@every_layer
def test_bad_inputs_raise(layer, x, edge_index, edge_attr, error, message):
    with pytest.raises(error, match=message):
        OURS[layer](6, 5, heads=3, edge_dim=3)(x, edge_index, edge_attr)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"heads": 0}, "heads: expected >= 1, got 0"),
        ({"heads": "2"}, "heads: expected an integer, got '2'"),
        ({"dropout": None}, "dropout: expected a number, got None"),
        ({"out_channels": 0}, "out_channels: expected >= 1, got 0"),
        ({"dropout": 1.5}, "dropout: expected 0 <= dropout <= 1, got 1.5"),
        ({"dropout": -0.5}, "dropout: expected 0 <= dropout <= 1, got -0.5"),
        ({"backend": "best"}, "backend: expected one of"),
    ],
)
@every_layer
def test_bad_options_raise(layer, kwargs, message):
    with pytest.raises((TypeError, ValueError), match=message):
        OURS[layer](**{"in_channels": 6, "out_channels": 5, **kwargs})


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.int16, torch.int32])
@pytest.mark.parametrize("layer", OURS)
def test_narrow_integers_are_accepted(layer, dtype):
    """PyG accepts them with self-loops only, which widen them; our layers also without."""
    for loops in (True, False):
        theirs, ours = pair(layer, 6, 5, heads=3, add_self_loops=loops)
        edge_index = torch.randint(20, (2, 50))
        x = torch.randn(20, 6, dtype=torch.float64)
        given = edge_index if not loops else edge_index.to(dtype)
        assert relative_error(ours(x, edge_index.to(dtype)), theirs(x, given)) <= 1e-10
    for wrong in (torch.bool, torch.float32):
        with pytest.raises(TypeError, match="edge_index: expected int64 or int32"):
            ours(x, edge_index.to(wrong))


INTEGERS = [torch.int64, torch.int32, torch.uint8, torch.bool]


@pytest.mark.parametrize("backend", ["auto", "scatter"])
@pytest.mark.parametrize("dtype", INTEGERS)
@every_layer
def test_integer_edge_features_equal_pyg(layer, dtype, backend):
    """PyG divides their sums, in their own dtype, by a number of edges of the same dtype."""
    theirs, ours = pair(layer, 6, 5, heads=2, edge_dim=3, backend=backend)
    theirs, ours = theirs.float(), ours.float()
    edge_index = torch.randint(4, (2, 1200))  # more than 255 edges to each node
    edge_attr = torch.randint(0, 9, (1200, 3)).to(dtype)
    x = torch.randn(20, 6)
    out, expected = ours(x, edge_index, edge_attr), theirs(x, edge_index, edge_attr)
    assert out.dtype == expected.dtype
    assert relative_error(out, expected) <= 1e-4


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("options", [{"add_self_loops": False}, {"fill_value": "max"}])
@every_layer
def test_integer_edge_features_raise_where_pyg_does(layer, options, dtype):
    edge_attr = torch.ones(2, 3).to(dtype)
    theirs, ours = pair(layer, 6, 5, edge_dim=3, **options)
    with pytest.raises(RuntimeError):
        theirs.float()(X, SHORT, edge_attr)
    with pytest.raises(TypeError, match="edge_attr: expected a floating point tensor, or integers"):
        ours.float()(X, SHORT, edge_attr)


@pytest.mark.parametrize("backend", ["auto", "scatter", "dense"])
@pytest.mark.parametrize("options", [{}, {"concat": False}, {"residual": True}])
@pytest.mark.parametrize(
    ("dtype", "of_bias"),
    [
        (torch.float32, torch.float64),
        (torch.float32, torch.bfloat16),
        (torch.bfloat16, torch.float32),
    ],
)
@every_layer
def test_bias_of_another_dtype_promotes_as_in_pyg(layer, dtype, of_bias, options, backend):
    theirs, ours = (conv.to(dtype) for conv in pair(layer, 6, 5, heads=3, **options))
    ours.backend = backend
    for conv in (theirs, ours):
        conv.bias = torch.nn.Parameter(conv.bias.detach().to(of_bias))
    outs = [conv(X.to(dtype), SHORT) for conv in (theirs, ours)]
    assert outs[1].dtype == outs[0].dtype
    assert relative_error(outs[1], outs[0]) <= 8 * torch.finfo(dtype).eps
    outs[1].sum().backward()
    assert ours.bias.grad.dtype == of_bias
