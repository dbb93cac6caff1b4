"""Our layer against PyG's on real graphs, with weights copied from it."""

from dataclasses import replace

import pytest
import torch
import torch_geometric.nn

import gatsparse
from gatsparse.data import DatasetNotFoundError, load
from gatsparse.testing import relative_error
from gatsparse.train import ModelConfig, TrainConfig, build_model, fit, load_task


def data_set(name):
    try:
        return load(name)
    except DatasetNotFoundError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("cora", (8, 8)),
        ("cora", (1, 7)),
        ("citeseer", (4, 64)),
        ("tolokers", (8, 8)),
        ("digits", (4, 64)),
        ("digits", (1, 7)),
    ],
)
@pytest.mark.parametrize("layer", ["GATConv", "GATv2Conv"])
@torch.no_grad()
def test_float32_within_twice_the_error_of_pyg(layer, name, shape):
    data = data_set(name)
    heads, channels = shape
    theirs = getattr(torch_geometric.nn, layer)(data.x.size(1), channels, heads=heads)
    ours = getattr(gatsparse, layer)(data.x.size(1), channels, heads=heads)
    ours.load_state_dict(theirs.state_dict())
    out, reference = ours(data.x, data.edge_index), theirs(data.x, data.edge_index)
    exact = theirs.double()(data.x.double(), data.edge_index)
    assert relative_error(out, exact) <= 2 * relative_error(reference, exact)
    assert relative_error(ours.double()(data.x.double(), data.edge_index), exact) <= 1e-12


@pytest.mark.parametrize("name", ["cora", "tolokers"])
@pytest.mark.parametrize("layer", ["GATConv", "GATv2Conv"])
def test_gradients_equal_those_of_pyg_in_float64(layer, name):
    data = data_set(name)
    x = data.x.double()
    theirs = getattr(torch_geometric.nn, layer)(x.size(1), 8, heads=8).double()
    ours = getattr(gatsparse, layer)(x.size(1), 8, heads=8).double()
    ours.load_state_dict(theirs.state_dict())
    for conv in (ours, theirs):
        conv(x, data.edge_index).cos().sum().backward()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert relative_error(a.grad, b.grad) <= 1e-10


def test_training_is_the_same_in_two_runs():
    data = data_set("digits")

    def losses():
        torch.manual_seed(0)
        model = gatsparse.nn.PaperGAT(64, 8, 10)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
        found = []
        for _ in range(5):
            optimizer.zero_grad()
            out = model(data.x, data.edge_index)[data.train_mask]
            loss = torch.nn.functional.cross_entropy(out, data.y[data.train_mask])
            loss.backward()
            optimizer.step()
            found.append(loss.item())
        return found

    assert losses() == losses()


def test_dense_training_gives_the_losses_of_the_sparse_one():
    """Equal initial weights, no dropout, float64: the losses of 20 epochs are equal."""
    config = TrainConfig(
        "digits", dtype="float64", epochs=20, model=ModelConfig(heads=2, dropout=0.0)
    )
    data = load_task(config)
    sparse = build_model(config.model, data)
    dense_config = replace(config, model=replace(config.model, kind="dense"))
    dense = build_model(dense_config.model, data)
    dense.load_gat_state(sparse.state_dict())
    losses = fit(sparse, data, config).losses
    assert fit(dense, data, dense_config).losses == pytest.approx(losses, rel=1e-9)
    assert losses[-1] < losses[0]
