"""Size, shapes and time of a model, as PyG and torch measure them."""

import json
import random
import sys
from types import SimpleNamespace

import pytest
import torch_geometric.nn
from torch.profiler import ProfilerActivity, profile
from torch_geometric.profile import (
    count_parameters,
    get_data_size,
    get_model_size,
    timeit,
    torch_profile,
)

from tests.pipelines.twins import Net, assert_equal, every_layer, random_graph, twins

OPERATORS = {"GATConv": "gatsparse::gat", "GATv2Conv": "gatsparse::gatv2"}


@pytest.fixture
def data():
    return random_graph(60, 500)


def models(layer):
    return twins(layer, lambda conv: Net(conv, 6, 4, edge_dim=3))


def run(model, data):
    return model(data.x, data.edge_index, data.edge_attr)


@every_layer
def test_sizes(layer, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # PyG saves the model to measure its size
    theirs, ours = models(layer)
    assert count_parameters(ours) == count_parameters(theirs)
    ours.conv1.requires_grad_(False)
    assert count_parameters(ours) == count_parameters(theirs.conv2)
    sizes = []
    for model in (theirs, ours):
        random.seed(0)
        sizes.append(get_model_size(model))
    assert sizes[0] == sizes[1] > 0


@every_layer
def test_cached_graph_does_not_count_as_data(layer, data):
    _, ours = models(layer)
    before = get_data_size(data)
    run(ours, data)
    assert get_data_size(data) == before
    assert set(data.keys()) == {"x", "edge_index", "edge_attr"}


@every_layer
def test_summary(layer, data, monkeypatch):
    def table(rows, **_):
        return "\n".join(" | ".join(row) for row in rows)

    monkeypatch.setitem(sys.modules, "tabulate", SimpleNamespace(tabulate=table))
    inputs = data.x, data.edge_index, data.edge_attr
    for options in ({}, {"max_depth": 1}):
        theirs, ours = (
            torch_geometric.nn.summary(model, *inputs, **options) for model in models(layer)
        )
        assert ours == theirs
        assert f"├─(conv1){layer} | [60, 6], [2, 500], [500, 3] | [60, 12]" in ours


@every_layer
def test_timeit(layer, data):
    theirs, ours = models(layer)
    with timeit(log=False) as timer:
        out = run(ours, data)
    assert timer.duration >= 0.0
    assert_equal(out, run(theirs, data))


@every_layer
def test_torch_profile(layer, data, capsys):
    _, ours = models(layer)
    with torch_profile(export_chrome_trace=False):
        run(ours, data).sum().backward()
    printed = capsys.readouterr().out
    assert OPERATORS[layer] in printed
    assert f"{OPERATORS[layer]}_backward" in printed


@every_layer
def test_profiler_of_torch(layer, data, tmp_path):
    _, ours = models(layer)
    with profile(
        activities=[ProfilerActivity.CPU], record_shapes=True, profile_memory=True
    ) as profiler:
        run(ours, data).sum().backward()
    operator = OPERATORS[layer]
    counts = {event.key: event.count for event in profiler.key_averages()}
    assert counts[operator] == counts[f"{operator}_backward"] == 2
    profiler.export_chrome_trace(str(tmp_path / "trace.json"))
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert sum(event.get("name") == operator for event in events) == 2
