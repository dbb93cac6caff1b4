from functools import partial

import pytest
import torch
from torch_geometric.data import Data

import gatsparse
from gatsparse.data import NeighborLoader
from gatsparse.nn import GATConv, GATv2Conv, PaperGAT
from gatsparse.testing import relative_error


def graph(num_nodes=80, num_edges=400):
    edge_index = torch.unique(torch.randint(num_nodes, (2, num_edges)), dim=1)
    return torch.randn(num_nodes, 12, dtype=torch.float64), edge_index


def test_dropout_applies_to_inputs_and_attention():
    model = PaperGAT(12, 8, 5, dropout=0.5)
    assert model.conv1.dropout == model.conv2.dropout == 0.5
    x, edge_index = graph()
    model = model.double()
    assert not torch.equal(model(x, edge_index), model(x, edge_index))
    model.eval()
    assert torch.equal(model(x, edge_index), model(x, edge_index))


def test_batches_that_cannot_be_trimmed_raise():
    x, (src, dst) = graph(num_nodes=4)
    model = PaperGAT(12, 4, 3, heads=2).double()
    ends = torch.tensor([[1, 2, 2], [0, 0, 1]])  # 2 is a node of the second hop
    assert model(x, ends[:, ::2], [1, 1, 2]).shape == (1, 3)
    with pytest.raises(ValueError, match="expected the edges of a batch sorted by destination"):
        model(x, ends, [1, 1, 2])
    features = torch.ones(len(src), 5, dtype=torch.float64)
    matrix = torch.sparse_coo_tensor(
        torch.stack([dst, src]), features, (4, 4, 5), check_invariants=True
    )
    with pytest.raises(ValueError, match="omit num_sampled_nodes_per_hop"):
        model(x, matrix, [1, 3])


@pytest.mark.parametrize("conv", [GATConv, GATv2Conv])
def test_edge_features_of_batches_and_of_exact_inference(conv):
    """All in-edges of the seeds: a batch, exact inference and the whole graph agree."""
    x, edge_index = graph()
    edge_attr = torch.randn(edge_index.size(1), 3, dtype=torch.float64)
    model = PaperGAT(12, 4, 5, heads=2, conv=partial(conv, edge_dim=3)).double().eval()
    expected = model(x, edge_index, edge_attr=edge_attr)
    assert relative_error(model(x, edge_index, edge_attr=2 * edge_attr), expected) > 1e-3
    # Twice the rounding of sums in another order.
    out = gatsparse.infer(model, x, edge_index, edge_attr)
    assert relative_error(out, expected) <= 1e-13
    seeds = torch.tensor([3, 11, 40])
    data = Data(x=x, edge_index=edge_index, edge_attr=edge_attr)
    (batch,) = NeighborLoader(data, [-1, -1], seeds, batch_size=3)
    out = model(batch.x, batch.edge_index, batch.num_sampled_nodes, None, edge_attr=batch.edge_attr)
    assert relative_error(out, expected[seeds]) <= 1e-13
