import pytest
import torch
import torch_geometric.nn

import gatsparse
from gatsparse import _native
from gatsparse.nn.paper_exact import PaperExactGAT

X = torch.randn(9, 6)
EDGES = torch.randint(9, (2, 40))


def backends(report):
    return {row.layer: row.backend for row in report}


def test_report_of_a_model_names_each_layer():
    model = torch_geometric.nn.GAT(6, 8, num_layers=4, out_channels=4, heads=2)
    assert set(backends(gatsparse.explain_backend(model, X, EDGES)).values()) == {"PyG"}
    gatsparse.accelerate(model)
    model.convs[1].backend = "scatter"
    model.convs[2].register_message_forward_hook(lambda *_: None)
    report = gatsparse.explain_backend(model, X, EDGES)
    assert [row.backend for row in report] == ["fused", "scatter", "PyG", "fused"]
    assert report[1].reasons == ("backend='scatter' was requested",)
    (reason,) = report[2].reasons
    assert reason == "message-passing hooks are registered: remove them to use the kernels"
    lines = str(report).splitlines()
    assert lines[0].startswith(f"kernels: {_native.isas()[0]}")
    assert len(lines) == 6
    assert "convs.2" in lines[4]


def test_report_of_a_layer_and_of_layers_that_do_not_run():
    conv = gatsparse.GATv2Conv(6, 2)
    assert gatsparse.explain_backend(conv, X, EDGES)[0] == ("", "GATv2Conv", "fused", ())

    class Unused(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = conv, gatsparse.GATConv(6, 2)

        def forward(self, x, edge_index):
            return self.used(x, edge_index)

    report = gatsparse.explain_backend(Unused(), X, EDGES)
    assert backends(report) == {"used": "fused", "unused": "not called"}
    empty = gatsparse.explain_backend(torch_geometric.nn.GCNConv(6, 2), X, EDGES)
    assert len(empty) == 0
    assert str(empty).endswith("no GAT or GATv2 layers")


@pytest.mark.parametrize("compiled", [torch.compile, lambda model: model.compile() or model])
def test_compiled_models_are_explained_as_they_run_eagerly(compiled):
    model = compiled(gatsparse.GAT(6, 8, num_layers=2))
    report = gatsparse.explain_backend(model, x=X, edge_index=EDGES)
    assert [row.backend for row in report] == ["fused", "fused"]


def exported(conv):
    return torch.export.export(conv, (X, EDGES), strict=False).module()


def traced(conv):
    return torch.jit.trace(conv, (X, EDGES))


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("record", [exported, traced])
def test_recorded_modules_are_reported_as_unknown(record):
    recorded = record(gatsparse.GATConv(6, 6).eval())
    report = gatsparse.explain_backend(recorded, X, EDGES)
    assert backends(report) == {"": "unknown"}
    assert "pass the original model" in report[0].reasons[0]

    class Both(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.recorded, self.conv = recorded, gatsparse.GATConv(6, 2)

        def forward(self, x, edge_index):
            return self.conv(self.recorded(x, edge_index), edge_index)

    model = Both()
    report = gatsparse.explain_backend(model, X, EDGES)
    assert backends(report) == {"recorded": "unknown", "conv": "fused"}
    assert model.training
    assert model.conv.training


def test_report_of_the_exact_model_of_the_paper():
    model = PaperExactGAT(6, 4, 3)
    assert set(backends(gatsparse.explain_backend(model, X, EDGES)).values()) == {"fused"}


def test_subclass_of_pyg_has_its_own_reason():
    class Mine(torch_geometric.nn.GATConv):
        pass

    row = gatsparse.explain_backend(Mine(6, 2), X, EDGES)[0]
    assert row.backend == "PyG"
    assert "derive it from gatsparse.GATConv" in row.reasons[0]


def test_explaining_does_not_change_model_and_generator():
    model = gatsparse.GAT(6, 8, num_layers=2, dropout=0.5, norm="batch_norm").train()
    state = {key: value.clone() for key, value in model.state_dict().items()}
    generator = torch.get_rng_state()
    gatsparse.explain_backend(model, X, EDGES)
    assert all(module.training for module in model.modules())
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), generator)
    assert not model.convs[0]._forward_hooks
    assert not model.convs[0]._forward_pre_hooks
    with pytest.raises(IndexError):
        gatsparse.explain_backend(model, X, EDGES + 9)
    assert not model.convs[0]._forward_hooks


def test_arguments_that_are_no_model_raise():
    with pytest.raises(TypeError, match=r"model: expected a torch\.nn\.Module, got str"):
        gatsparse.explain_backend("GAT", X, EDGES)


@pytest.mark.parametrize("layer", ["GATConv", "GATv2Conv"])
def test_repr_shows_the_backend(layer):
    conv = getattr(gatsparse, layer)(6, 5, heads=3, backend="scatter")
    assert repr(conv) == f"{layer}(6, 5, heads=3, backend='scatter')"
