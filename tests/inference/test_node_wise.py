"""Functions between the layers are called as in ``forward``; those that mix nodes raise."""

from typing import Any

import pytest
import torch
import torch.nn.functional as tf

import gatsparse
from gatsparse import inference
from gatsparse.inference import infer
from gatsparse.nn import PaperGAT
from tests.inference.models import F


@pytest.fixture(params=["by heads", "by blocks", "one head"], autouse=True)
def way(request, monkeypatch):
    most = {"by heads": 8, "one head": 1, "by blocks": 0}[request.param]
    at_once = inference.heads_at_once
    monkeypatch.setattr(inference, "heads_at_once", lambda *args: min(most, at_once(*args)))


def gat(**options) -> Any:
    return gatsparse.GAT(F, 16, 2, 5, heads=2, **options).double().eval()


def assert_exact(model, task):
    x, edge_index = task
    with torch.no_grad():
        expected = model(x, edge_index)
    out = infer(model, x, edge_index, max_memory="41MB")
    torch.testing.assert_close(out, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("num_layers", [1, 3])
def test_dropout_functions_are_called(task, num_layers):
    options: Any = {
        "dropout_fn": lambda z, _p, _training: z * 2,
        "elu_dropout_fn": lambda z, p, _training: tf.elu(z) + p,
    }
    assert_exact(PaperGAT(F, 4, 3, 2, num_layers=num_layers, **options).double().eval(), task)


@pytest.mark.parametrize("jk", [None, "last"])
def test_dropout_module_is_called(task, jk):
    model = gat(jk=jk)
    model.dropout = torch.nn.Hardtanh(-0.1, 0.1).eval()
    assert_exact(model, task)
    model.dropout.register_forward_hook(lambda _m, _x, out: out + 1)
    assert_exact(model, task)


def test_random_dropout_raises(task):
    class Always(torch.nn.Dropout):
        def forward(self, x):
            return tf.dropout(x, 0.5, True)

    model: Any = gat()
    model.dropout = Always().eval()
    with pytest.raises(ValueError, match="dropout: expected"):
        infer(model, *task)
    model = PaperGAT(F, 4, 3, dropout_fn=lambda z, p, _t: tf.dropout(z, p, True)).double().eval()
    with pytest.raises(ValueError, match="dropout_fn: expected"):
        infer(model, *task)


def test_models_with_an_inference_of_their_own_need_a_plain_dropout(task):
    class Own(gatsparse.GAT):
        def inference_per_layer(self, layer, x, edge_index, batch_size):
            return super().inference_per_layer(layer, x, edge_index, batch_size)

    model: Any = Own(F, 16, 2, 5, heads=2).double().eval()
    assert_exact(model, task)
    model.dropout = torch.nn.Hardtanh().eval()
    with pytest.raises(ValueError, match=r"dropout: expected .* evaluation mode"):
        infer(model, *task)


NODE_WISE = {
    "relu": "relu",
    "none": None,
    "softmax": torch.nn.Softmax(dim=-1),
    "function": torch.sigmoid,
    "prelu": torch.nn.PReLU(16),
    "norm": torch.nn.BatchNorm1d(16),
    "inplace": torch.nn.ELU(inplace=True),
    "per row": lambda z: z - z.mean(1, keepdim=True),
    "linear": torch.nn.Sequential(torch.nn.Linear(16, 64), torch.nn.Linear(64, 16)),
}


@pytest.mark.parametrize("act", NODE_WISE)
def test_activations_of_each_node_are_exact(task, act):
    assert_exact(gat(act=NODE_WISE[act]), task)


def paired(z):
    return z.view(-1, 2, z.size(1)).softmax(1).view_as(z) if len(z) % 2 == 0 else z


MIXING = {
    "softmax": torch.nn.Softmax(dim=0),
    "log softmax": torch.nn.LogSoftmax(dim=-2),
    "mean": lambda z: z - z.mean(0),
    "maximum": lambda z: z / z.abs().max().clamp(min=30),
    "norm": torch.nn.BatchNorm1d(16, track_running_stats=False),
    "count": lambda z: z / len(z),
    "pairs": paired,
    "bias of nodes": lambda z: z + torch.ones(600, 1, dtype=z.dtype),
}


@pytest.mark.parametrize("act", MIXING)
def test_activations_that_mix_nodes_raise(task, act):
    with pytest.raises(ValueError, match="act: expected"):
        infer(gat(act=MIXING[act]), *task)


def test_mixing_functions_of_the_paper_model_raise(task):
    for name in ("dropout_fn", "elu_dropout_fn"):
        mixing: Any = {name: lambda z, _p, _training: z - z.mean(0)}
        with pytest.raises(ValueError, match=f"{name}: expected"):
            infer(PaperGAT(F, 4, 3, **mixing).double().eval(), *task)


def centred(_module, _args, out):
    return out - out.mean(0)


@pytest.mark.parametrize("part", ["act", "norms.0", "dropout", "lin", "convs.0", "convs.1.lin"])
def test_hooks_that_mix_nodes_raise(task, part):
    norm = {"norm": "layer", "norm_kwargs": {"mode": "node"}}
    model = gat(jk="last", **norm)
    model.get_submodule(part).register_forward_hook(lambda _m, _args, out: 2 * out)
    assert_exact(model, task)
    model.get_submodule(part).register_forward_hook(centred)
    with pytest.raises(ValueError, match=rf"{part.removesuffix('.1.lin')}\S*: expected"):
        infer(model, *task)


def test_subclasses_of_norms_that_mix_nodes_raise(task):
    model = gat(norm="layer", norm_kwargs={"mode": "node"})

    class Mixing(type(model.norms[0])):
        def forward(self, x, *_):
            return x - x.mean(0)

    model.norms[0].__class__ = Mixing
    with pytest.raises(ValueError, match=r"norms\.0: expected"):
        infer(model, *task)


def test_pre_hooks_that_need_a_tensor_raise(task):
    model = gat()
    model.convs[0].register_forward_pre_hook(lambda _m, args: (args[0].double() * 2, *args[1:]))
    with pytest.raises(ValueError, match=r"convs\.0: expected .*hook"):
        infer(model, *task)


def test_layer_that_mixes_nodes_raises(task):
    class Centred(gatsparse.GATConv):
        def forward(self, *args, **kwargs):
            return centred(None, None, super().forward(*args, **kwargs))

    model = gat()
    model.convs[1].__class__ = Centred
    with pytest.raises(ValueError, match=r"convs\.1: expected"):
        infer(model, *task)


def test_linear_layer_set_by_hand_is_applied(task):
    model = gat()
    model.lin = torch.nn.Linear(5, 4).double().eval()
    assert_exact(model, task)
    model.lin = torch.nn.Sequential(model.lin).eval()
    with pytest.raises(ValueError, match="lin: expected"):
        infer(model, *task)


def test_other_hooks_start_again(task, tmp_path):
    x, edge_index = task
    model = gat()
    infer(model, x, edge_index, folder=tmp_path)
    model.act.register_forward_hook(lambda _m, _args, out: 2 * out)
    with torch.no_grad():
        expected = model(x, edge_index)
    torch.testing.assert_close(infer(model, x, edge_index, folder=tmp_path), expected)
