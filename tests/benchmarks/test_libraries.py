"""Contenders of other libraries, on stand-ins with the documented interfaces."""

import sys
from unittest import mock

import pytest
import torch

from benchmarks import gate, layers
from benchmarks.config import PowerLaw, Sweep
from benchmarks.contenders import CONTENDERS, Library
from benchmarks.isolate import UnavailableError
from benchmarks.plan import Task
from benchmarks.worker import measure
from tests.benchmarks import fake_libraries, fakes

LAYERS = [(name, layer) for name in ("dgl", "cudnn", "turbo-gnn") for layer in ("GAT", "GATv2")]
LAYERS.remove(("turbo-gnn", "GAT"))


@pytest.fixture
def libraries(monkeypatch):
    fake_libraries.install(monkeypatch)


@pytest.mark.usefixtures("libraries")
@pytest.mark.parametrize(("name", "layer"), LAYERS)
def test_layers_pass_the_gate(name, layer):
    values = layers.check(CONTENDERS[name], layer, ["2x4", "1x8"], seed=0)
    assert gate.failures(values) == []


@pytest.mark.usefixtures("libraries")
@pytest.mark.parametrize(("name", "layer"), LAYERS)
def test_a_graph_is_converted_once(name, layer, monkeypatch):
    contender = CONTENDERS[name].layer(layer, 3, 2, 4)
    graph = mock.Mock(wraps=contender.graph)
    monkeypatch.setattr(contender, "graph", graph)
    x, edge_index = torch.randn(4, 3), torch.tensor([[0, 1, 2], [1, 2, 3]])
    assert torch.equal(contender(x, edge_index), contender(x, edge_index))
    assert graph.call_count == 1
    contender(x, edge_index.clone())
    assert graph.call_count == 2


@pytest.mark.usefixtures("libraries")
def test_a_missing_layer_is_unavailable():
    with pytest.raises(UnavailableError, match="turbo_gnn has no GAT"):
        CONTENDERS["turbo-gnn"].layer("GAT", 3, 2, 4)


@pytest.mark.parametrize("name", [n for n, c in CONTENDERS.items() if isinstance(c, Library)])
def test_a_missing_package_is_unavailable(name, tmp_path, monkeypatch):
    contender = CONTENDERS[name]
    assert contender.requires is not None
    monkeypatch.setitem(sys.modules, contender.requires, None)
    sweep = Sweep(("tiny",), ("GAT",), ("2x3",), (name,))
    config = fakes.config(tmp_path, datasets=(), graphs={"tiny": PowerLaw(9, 20)}, layers=(sweep,))
    with pytest.raises(UnavailableError, match=f"{contender.requires} cannot be imported"):
        measure(Task("GAT", name, "layer gate"), contender, config, tmp_path / "graph")


@pytest.mark.usefixtures("libraries")
def test_models_are_unavailable():
    with pytest.raises(UnavailableError, match="only single layers"):
        CONTENDERS["dgl"].build(None, 0.0)
