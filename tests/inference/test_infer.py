"""Exact inference equals the whole model within any memory budget."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

import gatsparse
from gatsparse import inference
from gatsparse.inference import infer
from tests.inference.models import MODELS


def smallest(model, x, edge_index, **options):
    """Returns a budget just above the smallest possible one."""
    with pytest.raises(ValueError, match="max_memory") as error:
        infer(model, x, edge_index, max_memory=1, **options)
    needed = int(str(error.value).split("needs ")[1].split(" bytes")[0].replace(",", ""))
    return needed + 40_000


@pytest.fixture(params=["by heads", "by blocks"])
def way(request, monkeypatch):
    """Computes layers by heads or by blocks of destinations."""
    if request.param == "by blocks":
        monkeypatch.setattr(inference, "heads_at_once", lambda *_: 0)
    return request.param


@pytest.mark.parametrize("on_disk", [False, True])
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.usefixtures("way")
def test_infer_equals_the_whole_model(task, model, on_disk, tmp_path):
    x, edge_index = task
    model = MODELS[model]().double().eval()
    with torch.no_grad():
        expected = model(x, edge_index)
    for k, budget in enumerate(["1GB", 41_000_000, None]):
        folder = tmp_path / str(k) if on_disk else None
        budget = budget or smallest(model, x, edge_index)
        try:
            out = infer(model, x, edge_index, max_memory=budget, folder=folder)
        except ValueError:  # a later layer may need more than the first
            assert k == 2
            continue
        torch.testing.assert_close(out, expected, rtol=1e-12, atol=1e-12)


def test_features_are_read_from_a_file(task, tmp_path):
    x, edge_index = task
    np.save(tmp_path / "x.npy", x.numpy())
    model = MODELS["GAT"]().double().eval()
    out = infer(model, tmp_path / "x.npy", edge_index, max_memory="41MB")
    assert torch.equal(out, infer(model, x, edge_index, max_memory="41MB"))


def test_memory_stays_within_the_budget(tmp_path):
    """Measures the peak of a process above its initial memory; 10 % more is allowed."""
    script = f"""
import torch, gatsparse
from gatsparse.data import rmat
def status(key):
    return next(int(l.split()[1]) for l in open("/proc/self/status") if l.startswith(key)) * 1024
torch.manual_seed(0)
graph = gatsparse.CSRGraph.from_edge_index(rmat(100_000, 1_000_000), 100_000)
x, model = torch.randn(100_000, 128), gatsparse.nn.PaperGAT(128, 16, 10, num_layers=3).eval()
gatsparse.infer(model, x[:10], rmat(10, 20))
open("/proc/self/clear_refs", "w").write("5")
before = status("VmRSS")
gatsparse.infer(model, x, graph, max_memory="120MB", folder={str(tmp_path)!r})
print(status("VmHWM") - before)
"""
    if not os.path.exists("/proc/self/clear_refs"):  # noqa: PTH110
        pytest.skip("the peak of a process cannot be reset: no /proc/self/clear_refs")
    peak = int(subprocess.check_output([sys.executable, "-c", script], text=True))
    assert 30e6 < peak < 132e6


def test_layers_with_shared_parameters(task):
    x, edge_index = task
    model = gatsparse.nn.PaperGAT(8, 8, 8, heads=1, num_layers=3).double().eval()
    model.conv2 = model.conv1
    with torch.no_grad():
        expected = model(x[:, :8], edge_index)
    torch.testing.assert_close(infer(model, x[:, :8], edge_index), expected)
