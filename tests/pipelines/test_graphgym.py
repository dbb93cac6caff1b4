"""Our layers by name in GraphGym's configurations."""

import copy
import importlib
import sys

import pytest
import torch
import torch_geometric.nn
from torch_geometric.data import Batch

pytest.importorskip("yacs")
pytest.importorskip("pytorch_lightning")

from torch_geometric.graphgym import cfg, compute_loss, create_model, create_optimizer, set_cfg
from torch_geometric.graphgym.config import assert_cfg
from torch_geometric.graphgym.models.layer import new_layer_config
from torch_geometric.graphgym.register import layer_dict

from gatsparse.graphgym import GATConvLayer, GATv2ConvLayer
from tests.nn.layers import OURS
from tests.pipelines.twins import (
    assert_equal,
    assert_same_training,
    every_layer,
    named_backend,
    random_graph,
)

CLASSES = 3


def registered(layer):
    return f"gatsparse_{layer.lower()}"


@pytest.fixture(autouse=True)
def _default_configuration():
    set_cfg(cfg)
    yield
    set_cfg(cfg)


def layer_config(**kwargs):
    kwargs = {"dim_in": 6, "dim_out": 12, "num_layers": 1, "has_act": False, **kwargs}
    return new_layer_config(**{"has_bias": True, **kwargs}, cfg=cfg)


@pytest.mark.parametrize("has_bias", [False, True])
@pytest.mark.parametrize("heads", [1, 4, 12])
@every_layer
def test_registered_layer_equals_pyg(layer, heads, has_bias):
    cfg.gnn.att_heads = heads
    ours = layer_dict[registered(layer)](layer_config(has_bias=has_bias)).double()
    assert type(ours.model) is OURS[layer]
    assert (ours.model.heads, ours.model.out_channels) == (heads, 12 // heads)
    cls = getattr(torch_geometric.nn, layer)
    theirs = cls(6, 12 // heads, heads, bias=has_bias).double()
    theirs.load_state_dict(ours.model.state_dict())
    graph = random_graph(9, 40)
    expected = theirs(graph.x, graph.edge_index)
    out = ours(graph)
    assert out is graph
    assert out.x.shape == (9, 12)
    assert_equal(out.x, expected)


@every_layer
def test_layer_passes_further_options(layer):
    cfg.gnn.att_heads = 4
    ours = layer_dict[registered(layer)](layer_config(), residual=True, backend="fused")
    assert ours.model.res is not None
    assert ours.model.backend == "fused"


@pytest.mark.parametrize("heads", [5, 0, -4])
@every_layer
def test_heads_must_divide_the_width(layer, heads):
    cfg.gnn.att_heads = heads
    with pytest.raises(ValueError, match=rf"att_heads: .* layer's width 12, got {heads}"):
        layer_dict[registered(layer)](layer_config())


def test_layer_of_pyg_ignores_att_heads():
    cfg.gnn.att_heads = 4
    assert layer_dict["gatconv"](layer_config()).model.heads == 1


def with_layers_of_pyg(model):
    """Returns the model with PyG's layers and the same weights."""
    model = copy.deepcopy(model)
    for module in model.modules():
        if isinstance(module, (GATConvLayer, GATv2ConvLayer)):
            ours = module.model
            cls = getattr(torch_geometric.nn, type(ours).__name__)
            bias = ours.bias is not None
            module.model = cls(ours.in_channels, ours.out_channels, ours.heads, bias=bias).double()
            module.model.load_state_dict(ours.state_dict())
    return model


@pytest.mark.parametrize("stage", ["stack", "skipsum", "skipconcat"])
@pytest.mark.parametrize("task", ["node", "graph"])
@every_layer
def test_training_of_a_model(layer, task, stage):
    options = {
        "dataset.task": task,
        "gnn.layer_type": registered(layer),
        "gnn.stage_type": stage,
        "gnn.att_heads": 4,
        "gnn.dim_inner": 12,
        "gnn.layers_pre_mp": 1,
        "gnn.layers_mp": 3,
        "gnn.layers_post_mp": 2,
        "optim.optimizer": "sgd",
    }
    cfg.merge_from_list([item for pair in options.items() for item in pair])
    assert_cfg(cfg)
    ours = named_backend(create_model(to_device=False, dim_in=6, dim_out=CLASSES).double(), "fused")
    layers = [module for module in ours.modules() if type(module) is OURS[layer]]
    assert [conv.heads for conv in layers] == [4] * 3
    theirs = with_layers_of_pyg(ours)
    assert not any(type(module) is OURS[layer] for module in theirs.modules())

    batch = Batch.from_data_list([random_graph(k, 4 * k) for k in range(2, 8)])
    batch.y = torch.randint(CLASSES, (batch.num_nodes if task == "node" else 6,))
    batch.train_mask = torch.arange(batch.num_nodes) % 2 == 0

    batch.split = "train"

    def loss(model, batch):
        return compute_loss(*model(batch.clone()))[0]

    def optimizer(model):
        return create_optimizer(model.parameters(), cfg.optim)

    assert_same_training(theirs, ours, [batch] * 3, loss, optimizer)


def test_missing_yacs_raises(monkeypatch):
    monkeypatch.delitem(sys.modules, "gatsparse.graphgym")
    monkeypatch.setitem(sys.modules, "yacs", None)
    with pytest.raises(ImportError, match=r"needs yacs, .*pip install 'gatsparse\[graphgym\]'"):
        importlib.import_module("gatsparse.graphgym")
