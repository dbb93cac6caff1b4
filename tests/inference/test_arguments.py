"""Models and arguments that exact inference rejects."""

import pytest
import torch
import torch_geometric.nn

import gatsparse
from gatsparse.inference import infer, parse_bytes
from tests.inference.models import MODELS, F


def test_modified_models_raise(task, tmp_path):
    x, edge_index = task
    model = MODELS["GAT"]().double().eval()

    class Doubled(gatsparse.GAT):
        def forward(self, *args, **kwargs):
            return 2 * super().forward(*args, **kwargs)

    with pytest.raises(ValueError, match="Doubled to override inference_per_layer"):
        infer(Doubled(F, 16, 2, 5).eval(), x, edge_index)
    with pytest.raises(TypeError, match=r"torch\.compile"):
        infer(torch.compile(model), x, edge_index)
    handle = model.register_forward_hook(lambda _m, _x, out: 2 * out)
    with pytest.raises(ValueError, match="hooks"):
        infer(model, x, edge_index)
    handle.remove()
    with pytest.raises(TypeError, match="bfloat16"):
        infer(model.bfloat16(), x.bfloat16(), edge_index, folder=tmp_path)
    norm = {"norm": "batch", "norm_kwargs": {"track_running_stats": False}}
    with pytest.raises(ValueError, match="norms"):
        infer(gatsparse.GAT(F, 16, 2, 5, **norm).eval(), x, edge_index)
    model = MODELS["GAT"]().eval()
    model.dropout.train()
    with pytest.raises(ValueError, match=r"\['dropout'\] in training mode"):
        infer(model, x, edge_index)
    with pytest.raises(ValueError, match="call the model once"):
        infer(gatsparse.GAT(-1, 16, 2, 5).eval(), x, edge_index)


def test_bad_arguments_raise(task, tmp_path):
    x, edge_index = task
    model = MODELS["GAT"]().double()
    with pytest.raises(ValueError, match="evaluation mode"):
        infer(model, x, edge_index)
    model.eval()
    with pytest.raises(ValueError, match="max_memory: layer 1 needs"):
        infer(model, x, edge_index, max_memory="1MB")
    for size in ("4 parsecs", "-1GB", "0", ""):
        with pytest.raises(ValueError, match="max_memory"):
            infer(model, x, edge_index, max_memory=size)
    with pytest.raises(TypeError, match="accelerate"):
        infer(torch_geometric.nn.GAT(F, 16, 2, 5).eval(), x, edge_index)
    with pytest.raises(TypeError, match="model: expected"):
        infer(torch.nn.Linear(2, 2), x, edge_index)
    with pytest.raises(ValueError, match="jk"):
        infer(gatsparse.GAT(F, 16, 2, 5, jk="cat").eval(), x, edge_index)
    with pytest.raises(ValueError, match="norms"):
        infer(gatsparse.GAT(F, 16, 2, 5, norm="graph").eval(), x, edge_index)
    with pytest.raises(TypeError, match="dense tensor"):
        infer(model, x.to_sparse(), edge_index)
    with pytest.raises(ValueError, match="shape"):
        infer(model, x[0], edge_index)
    with pytest.raises(TypeError, match="x: expected a tensor or the path"):
        infer(model, x.numpy(), edge_index)
    with pytest.raises(TypeError, match=r"x: expected floating-point numbers, got torch\.int64"):
        infer(model, x.long(), edge_index)
    with pytest.raises(FileNotFoundError):
        infer(model, tmp_path / "none.npy", edge_index)


def test_parse_bytes_accepts_units():
    assert [parse_bytes(s) for s in (5, "5", "5B", "4GB", "1.5 MiB", "2kb")] == [
        *(5, 5, 5),
        *(4 * 10**9, 3 * 2**19, 2000),
    ]
