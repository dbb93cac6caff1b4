"""Dropout of attention weights: the same numbers in every backend."""

import pytest
import torch

from gatsparse import CSRGraph
from tests.ops.agreement import (
    BACKENDS,
    ZOO,
    every_variant,
    with_and_without_loops,
)
from tests.ops.variants import (
    VARIANTS,
    assert_close,
    run,
    without_bias,
)


def even_attention(variant, graph, heads):
    """Returns inputs with equal scores and one-hot sources, whose output is the attention."""
    inputs = VARIANTS[variant].inputs(graph, heads, graph.size[0], scale=0.0)
    one_hot = torch.eye(graph.size[0], dtype=torch.float64)[:, None, :]
    inputs[VARIANTS[variant].x] = one_hot.expand(-1, heads, -1)
    return without_bias(inputs)


@pytest.mark.parametrize("heads", [1, 3, 4, 5, 8, 18])
@with_and_without_loops
@every_variant
def test_backends_drop_the_same_weights(variant, loops, heads):
    graph = ZOO["complete"].csr()
    inputs = even_attention(variant, ZOO["complete"], heads)
    options = {"add_self_loops": loops, "dropout": 0.5, "seed": torch.tensor(2**62 + 5)}
    outs = [
        VARIANTS[variant].attention(**inputs, graph=graph, backend=b, **options).view(12, heads, 12)
        for b in BACKENDS
    ]
    assert torch.equal(outs[0] == 0, outs[1] == 0)
    assert torch.equal(outs[0] == 0, outs[2] == 0)
    assert 0.35 < (outs[0] == 0).double().mean() < 0.65
    (j, i), alpha = VARIANTS[variant].weights(**inputs, graph=graph, **options)
    for h in range(heads):
        assert torch.equal(outs[1][i, h, j], alpha[:, h])


@every_variant
def test_dropout_extremes(variant):
    graph = ZOO["random"].csr()
    inputs = VARIANTS[variant].inputs(ZOO["random"], 2, 3)
    for backend in BACKENDS:
        none = run(variant, inputs, graph, dropout=0.0, backend=backend)
        tiny = run(variant, inputs, graph, dropout=1e-12, seed=torch.tensor(0), backend=backend)
        assert_close(none, tiny)
        every = run(variant, inputs, graph, dropout=1.0, backend=backend)
        out = every.pop("out")
        assert torch.equal(out, inputs["bias"].detach().expand_as(out))
        assert torch.equal(every.pop("bias"), none["bias"])
        assert all((tensor == 0).all() for tensor in every.values())


@every_variant
def test_dropout_keeps_the_mean(variant):
    graph = ZOO["chain"].csr()
    inputs = without_bias(VARIANTS[variant].inputs(ZOO["chain"], 4, 2))
    inputs = {name: t.detach() for name, t in inputs.items()}
    attention = VARIANTS[variant].attention
    exact = attention(**inputs, graph=graph)
    draws = torch.stack([attention(**inputs, graph=graph, dropout=0.5) for _ in range(2000)])
    # On a chain, attention is 1, so a draw is 0 or 2x with a standard deviation of |x|.
    bound = 5 * inputs[VARIANTS[variant].x].abs().max() / 2000**0.5
    assert (draws.mean(0) - exact).abs().max() < bound


@every_variant
def test_seed_comes_from_torch(variant):
    graph = ZOO["random"].csr()
    inputs = VARIANTS[variant].inputs(ZOO["random"], 2, 3)

    def draw(seed):
        torch.manual_seed(seed)
        return VARIANTS[variant].attention(**inputs, graph=graph, dropout=0.5)

    assert torch.equal(draw(1), draw(1))
    assert not torch.equal(draw(1), draw(2))


@every_variant
def test_dropout_does_not_depend_on_the_order_of_the_edges(variant):
    # The number of an edge is its position in edge_index: sorted input, same numbers.
    graph = ZOO["random"]
    order = torch.argsort(graph.edge_index[1], stable=True)
    moved = CSRGraph.from_edge_index(graph.edge_index[:, order], size=graph.size)
    inputs = without_bias(VARIANTS[variant].inputs(graph, 2, 3))
    _, alpha, _, alpha_moved = (
        tensor
        for csr in (graph.csr(), moved)
        for tensor in VARIANTS[variant].weights(
            **inputs, graph=csr, dropout=0.5, seed=torch.tensor(11)
        )
    )
    assert torch.equal(alpha[0] == 0, alpha_moved[0] == 0)
