import pytest
import torch
import torch_geometric.nn

import gatsparse
from benchmarks.scripts import molecules
from benchmarks.scripts.gate import gate
from benchmarks.scripts.script import Case

CASE = Case(molecules.data, molecules.script)


@pytest.fixture
def graphs():
    return molecules.data(None, 0.02)


def test_equal_scripts_pass_and_keep_the_data(graphs):
    assert gate("molecules", CASE, graphs) <= 1e-10
    assert graphs[0].x.dtype == torch.get_default_dtype() == torch.float32


def test_wrong_output_is_rejected(monkeypatch, graphs):
    forward = gatsparse.GATConv.forward
    monkeypatch.setattr(
        gatsparse.GATConv, "forward", lambda self, *args: forward(self, *args) * (1 + 1e-6)
    )
    with pytest.raises(RuntimeError, match="molecules: expected PyG's results, got an error of"):
        gate("molecules", CASE, graphs)


def test_wrong_gradient_is_rejected(monkeypatch, graphs):
    forward = gatsparse.GATConv.forward

    def half_gradient(self, *args):
        out = forward(self, *args)
        return out / 2 + (out / 2).detach()

    monkeypatch.setattr(gatsparse.GATConv, "forward", half_gradient)
    with pytest.raises(RuntimeError, match="molecules: expected PyG's results"):
        gate("molecules", CASE, graphs)


def test_layers_that_are_not_replaced_are_rejected(monkeypatch, graphs):
    class Own(torch_geometric.nn.GATConv):
        pass

    monkeypatch.setattr(molecules, "GATConv", Own)
    with (
        pytest.warns(gatsparse.SlowPathWarning, match="a subclass may compute"),
        pytest.raises(RuntimeError, match="expected every layer to be replaced"),
    ):
        gate("molecules", CASE, graphs)
