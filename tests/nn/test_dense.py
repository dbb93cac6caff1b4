import pytest
import torch

from gatsparse import GATConv
from gatsparse.nn import GraphAttentionLayer, dense_adjacency
from gatsparse.testing import graph_zoo, relative_error

ZOO = graph_zoo()
SQUARE = {name: graph for name, graph in ZOO.items() if graph.size[0] == graph.size[1]}


def pair(form, add_self_loops=True):
    """Returns the dense and the sparse layer with the same random weights, in float64."""
    dense = GraphAttentionLayer(6, 5, 0.0, 0.2, concat=False, form=form, bias=True).double()
    sparse = GATConv(6, 5, add_self_loops=add_self_loops).double()
    for parameter in sparse.parameters():
        torch.nn.init.normal_(parameter)
    with torch.no_grad():
        dense.W.copy_(sparse.lin.weight.T)
        dense.a.copy_(torch.cat([sparse.att_dst, sparse.att_src], dim=2).view(-1, 1))
        dense.bias.copy_(sparse.bias)
    return dense, sparse


@pytest.mark.parametrize("form", ["broadcast", "concat"])
@pytest.mark.parametrize("name", SQUARE)
def test_equals_the_sparse_layer_on_the_zoo(name, form):
    edge_index, (num_nodes, _) = ZOO[name]
    edge_index = torch.unique(edge_index, dim=1)  # a mask cannot hold an edge twice
    dense, sparse = pair(form)
    x = torch.randn(num_nodes, 6, dtype=torch.float64)
    adj = dense_adjacency(edge_index, num_nodes, dtype=torch.float64)
    outs = dense(x, adj), sparse(x, edge_index)
    assert relative_error(*outs) <= 1e-13
    dense_grad, sparse_grad = (
        torch.autograd.grad(out.square().sum(), weight)[0]
        for out, weight in zip(outs, (dense.W, sparse.lin.weight), strict=True)
    )
    assert relative_error(dense_grad.T, sparse_grad) <= 1e-12


def test_both_forms_give_the_same_output():
    h, adj = torch.randn(30, 6), (torch.rand(30, 30) < 0.2).float()
    layers = [GraphAttentionLayer(6, 5, 0.0, 0.2, form=form) for form in ("broadcast", "concat")]
    layers[1].load_state_dict(layers[0].state_dict())
    assert relative_error(layers[0](h, adj), layers[1](h, adj)) <= 4 * torch.finfo().eps


@pytest.mark.parametrize("form", ["broadcast", "concat"])
def test_node_without_edges_attends_to_all_nodes(form):
    """This is the only difference from the sparse layer, whose output for such a node is 0."""
    edge_index, (num_nodes, _) = ZOO["isolated nodes"]
    dense, sparse = pair(form, add_self_loops=False)
    x = torch.randn(num_nodes, 6, dtype=torch.float64)
    adj = dense_adjacency(edge_index, num_nodes, add_self_loops=False, dtype=torch.float64)
    alone = adj.sum(1) == 0
    out, expected = dense(x, adj), sparse(x, edge_index)
    assert relative_error(out[~alone], expected[~alone]) <= 1e-13
    assert relative_error(out[alone], (x @ dense.W).mean(0) + dense.bias) <= 1e-13
    assert torch.equal(expected[alone], sparse.bias.expand(int(alone.sum()), -1))


def test_concat_applies_elu():
    h, adj = torch.randn(9, 6), torch.ones(9, 9)
    layer = GraphAttentionLayer(6, 5, 0.0, 0.2, concat=True)
    out = layer(h, adj)
    layer.concat = False
    assert torch.equal(out, torch.nn.functional.elu(layer(h, adj)))
    assert out.shape == (9, 5)


def test_dropout_only_in_training():
    h, adj = torch.randn(9, 6), torch.ones(9, 9)
    layer = GraphAttentionLayer(6, 5, 0.5, 0.2)
    assert not torch.equal(layer(h, adj), layer(h, adj))
    layer.eval()
    assert torch.equal(layer(h, adj), layer(h, adj))


def test_initialisation_is_xavier_with_gain():
    layer = GraphAttentionLayer(300, 200, 0.0, 0.2)
    bound = 1.414 * (6 / 500) ** 0.5
    assert 0.99 * bound < layer.W.abs().max() <= bound
    assert [name for name, _ in layer.named_parameters()] == ["W", "a"]
    assert repr(layer) == "GraphAttentionLayer(300 -> 200)"


def test_dense_adjacency_has_self_loops_and_no_duplicates():
    adj = dense_adjacency(torch.tensor([[0, 0, 2], [1, 1, 2]]), 3)
    assert adj.tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 1]]
    assert dense_adjacency(torch.tensor([[0], [1]]), 2, add_self_loops=False).sum() == 1


@pytest.mark.parametrize(
    ("h", "adj", "message"),
    [
        (torch.zeros(4, 5), torch.zeros(4, 4), r"h: expected shape \[N, 6\], got \[4, 5\]"),
        (torch.zeros(4, 6), torch.zeros(3, 4), r"adj: expected shape \[4, 4\], got \[3, 4\]"),
    ],
)
def test_bad_inputs_raise(h, adj, message):
    with pytest.raises(ValueError, match=message):
        GraphAttentionLayer(6, 5, 0.0, 0.2)(h, adj)


def test_bad_options_raise():
    with pytest.raises(ValueError, match="dropout: expected"):
        GraphAttentionLayer(6, 5, 1.5, 0.2)
    with pytest.raises(ValueError, match="form: expected one of"):
        GraphAttentionLayer(6, 5, 0.5, 0.2, form="sum")
