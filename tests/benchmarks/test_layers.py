from dataclasses import replace

import pytest
import torch
import torch_geometric.nn

from benchmarks import gate, layers, plan
from benchmarks.config import PowerLaw, Sweep, Timing
from benchmarks.contenders import CONTENDERS, Contender
from benchmarks.isolate import UnavailableError
from benchmarks.plan import Task
from gatsparse.data import DatasetNotFoundError
from tests.benchmarks import fakes

ONCE = Timing(warmup=0.0, seconds=0.0, repetitions=2)
SWEEP = Sweep(("tiny", "digits"), ("GAT", "GATv2"), ("2x3",), ("gatsparse", "pyg"), ONCE)


@pytest.fixture
def config(tmp_path):
    graphs = {"tiny": PowerLaw(num_nodes=30, num_edges=200)}
    return fakes.config(tmp_path, datasets=(), graphs=graphs, layers=(SWEEP,), in_channels=5)


@pytest.fixture
def graph(config, tmp_path):
    path = tmp_path / "tiny.pt"
    layers.measure(plan.graph("tiny"), CONTENDERS["pyg"], config, path)
    return path


class Recorded(Contender):
    """PyG's layer, whose calls are recorded."""

    def layer(self, name, in_channels, heads, channels):
        layer = super().layer(name, in_channels, heads, channels)
        layer.register_forward_hook(lambda _, inputs, out: CALLS.append((layer, inputs, out)))
        return layer


CALLS = []


@pytest.fixture(autouse=True)
def no_calls():
    CALLS.clear()


class Steep(Contender):
    """PyG's layer, with another slope if it has one head."""

    def layer(self, name, in_channels, heads, channels):
        layer = super().layer(name, in_channels, heads, channels)
        if heads == 1:
            layer.negative_slope = 0.3
        return layer


@pytest.mark.parametrize("name", ["GAT", "GATv2"])
@pytest.mark.parametrize("contender", ["gatsparse", "scatter", "pyg"])
def test_layers_pass_the_gate(contender, name):
    values = layers.check(CONTENDERS[contender], name, ["2x4", "1x8"], seed=0)
    assert gate.failures(values) == []
    assert values.output_error is not None
    assert values.output_error > 0


@pytest.mark.parametrize("shapes", [["1x8", "2x4"], ["2x4", "1x8"]])
@pytest.mark.parametrize("name", ["GAT", "GATv2"])
def test_wrong_shape_fails_the_gate(name, shapes):
    assert len(gate.failures(layers.check(Steep("pyg"), name, shapes, seed=0))) == 2


def test_gate_checks_the_shapes_of_the_run(config, tmp_path):
    def check(shape):
        sweep = replace(SWEEP, shapes=("2x4", shape))
        task = Task("GAT", "pyg", "layer gate")
        return layers.measure(task, Steep("pyg"), replace(config, layers=(sweep,)), tmp_path)

    assert gate.failures(check("2x8")) == []
    assert gate.failures(check("1x8"))


def test_synthetic_graph_is_written(graph):
    edge_index, num_nodes = torch.load(graph, weights_only=True)
    assert (list(edge_index.shape), num_nodes) == ([2, 200], 30)
    assert not graph.with_suffix(".partial").exists()


def test_graph_of_a_data_set_is_measured(config, tmp_path):
    values = layers.measure(plan.graph("digits"), CONTENDERS["pyg"], config, tmp_path / "g.pt")
    assert (values.num_nodes, values.num_edges) == (1797, 24678)


def test_missing_graph_is_unavailable(config, tmp_path, monkeypatch):
    def missing(*_arguments):
        raise DatasetNotFoundError("cora is nowhere")

    monkeypatch.setattr(layers, "load", missing)
    with pytest.raises(UnavailableError, match="cora is nowhere"):
        layers.measure(plan.graph("cora"), CONTENDERS["pyg"], config, tmp_path / "g.pt")


def test_forward_takes_no_gradients(config, graph):
    task = Task("tiny GAT 2x3", "pyg", "forward")
    values = layers.measure(task, Recorded("pyg"), config, graph)
    assert values.repetitions == 2
    assert len(CALLS) == 1 + 1 + 2  # for the peak, to warm up, timed
    for _, (x, edge_index), out in CALLS:
        assert (list(x.shape), list(edge_index.shape)) == ([30, 5], [2, 200])
        assert list(out.shape) == [30, 6]
        assert not out.requires_grad


def test_features_need_no_gradient(config, graph):
    task = Task("tiny GATv2 2x3", "pyg", "forward+backward")
    layers.measure(task, Recorded("pyg"), config, graph)
    layer, (x, _), out = CALLS[-1]
    assert isinstance(layer, torch_geometric.nn.GATv2Conv)
    assert out.requires_grad
    assert not x.requires_grad
    assert all(weight.grad is not None for weight in layer.parameters())


@pytest.mark.parametrize(
    ("measurement", "expected"),
    [
        ("forward", "forward"),
        ("forward+backward", "both"),
        ("operator", "forward"),
        ("operator backward", "backward"),
    ],
)
def test_floor_is_built_after_the_peak_and_interleaved(
    config, graph, monkeypatch, measurement, expected
):
    steps = []

    class Floor:
        def __init__(self, edge_index, num_nodes, width):
            steps.append(f"floor of {num_nodes} nodes, width {width}")
            assert edge_index.size(1) == 200

        def __getattr__(self, name):
            return lambda: steps.append(name)

    def peak():
        steps.append("peak")
        return 2**50

    monkeypatch.setattr(layers, "Floor", Floor)
    monkeypatch.setattr("benchmarks.device.peak", peak)
    task = Task("tiny GAT 2x3", "gatsparse", measurement)
    values = layers.measure(task, CONTENDERS["gatsparse"], config, graph)
    assert values.peak == 2**50
    assert values.floor is not None
    assert steps == ["peak", "floor of 30 nodes, width 6", *[expected] * 3]
    assert values.baseline is not None


@pytest.mark.parametrize("name", ["GAT", "GATv2"])
@pytest.mark.parametrize("measurement", ["operator", "operator backward"])
def test_operator_is_timed(config, graph, name, measurement):
    task = Task(f"tiny {name} 2x3", "gatsparse", measurement)
    values = layers.measure(task, CONTENDERS["gatsparse"], config, graph)
    assert values.repetitions == 2
    assert values.median is not None
    assert values.median > 0
