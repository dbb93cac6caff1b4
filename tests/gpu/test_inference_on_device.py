"""Exact inference of a model on a device other than the CPU: see tests/gpu/fake_device.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import gatsparse
from gatsparse import inference
from gatsparse.data import rmat
from gatsparse.inference import _SLACK, blocks, check_budget
from tests.gpu.fake_device import DEVICE, FakeDevice, install

N, F = 80, 6
EDGES = rmat(N, 400, seed=0)
MODELS = {
    "PaperGAT": lambda: gatsparse.nn.PaperGAT(F, 4, 3, heads=2, num_layers=2),
    "GATv2, norm": lambda: gatsparse.GAT(
        F, 8, 2, 3, heads=2, v2=True, residual=True, norm="batch", act=lambda x: x.sin()
    ),
}


@pytest.fixture(autouse=True)
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    log = install(monkeypatch)
    with FakeDevice():
        yield log


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("at_once", [2, 1, 0], ids=["heads", "one head", "blocks"])
def test_result_is_that_of_the_cpu(
    name: str, at_once: int, log: list[str], monkeypatch: pytest.MonkeyPatch
):
    model, x = MODELS[name]().double().eval(), torch.randn(N, F, dtype=torch.float64)
    expected = gatsparse.infer(model, x, EDGES)
    monkeypatch.setattr(inference, "heads_at_once", lambda *_: at_once)
    found = gatsparse.infer(model.to(DEVICE), x, EDGES)
    assert type(found) is Tensor  # not of the device
    torch.testing.assert_close(found, expected)
    assert "pin_memory" in log


def test_files_and_edge_features(tmp_path: Path):
    model = gatsparse.GAT(F, 8, 2, 3, heads=2, edge_dim=2).eval()
    x, edge_attr = torch.randn(N, F), torch.randn(EDGES.size(1), 2)
    expected = gatsparse.infer(model, x, EDGES, edge_attr)
    np.save(tmp_path / "x.npy", x.numpy())
    arguments = tmp_path / "x.npy", EDGES.to(DEVICE), edge_attr
    found = gatsparse.infer(model.to(DEVICE), *arguments, folder=tmp_path / "stage")
    torch.testing.assert_close(found, expected)


def test_unknown_functions_and_changed_layers_are_checked_on_the_device():
    model = gatsparse.GAT(F, 8, 2, 3, heads=2, act=lambda x: x - x.mean(0)).eval().to(DEVICE)
    with pytest.raises(ValueError, match=r"act: .* different values for a subset"):
        gatsparse.infer(model, torch.randn(N, F), EDGES)
    model = gatsparse.GAT(F, 8, 2, 3, heads=2, backend="scatter").eval().to(DEVICE)
    assert gatsparse.infer(model, torch.randn(N, F), EDGES).shape == (N, 3)


def test_budget_is_that_of_the_device(monkeypatch: pytest.MonkeyPatch):
    """The graph counts, and features between the layers do not."""
    model, x = gatsparse.nn.PaperGAT(F, 4, 3, heads=2).eval().to(DEVICE), torch.randn(N, F)
    check_budget(model, torch.Size([10**9, F]), torch.float32, _SLACK, on_disk=False)
    graph = gatsparse.CSRGraph.from_edge_index(EDGES, N)
    of_graph = sum(t.nbytes for t in graph.csr) + blocks.GPU_ROW_BYTES * N
    used, real = [], inference.heads_at_once
    monkeypatch.setattr(inference, "heads_at_once", lambda *a: used.append(a[4]) or real(*a))
    gatsparse.infer(model, x, graph)
    assert used == [_SLACK + of_graph] * 2
    gatsparse.infer(model.to("cpu"), x, graph)
    assert used[2:] == [_SLACK + N * 4 * 8, _SLACK + N * 4 * (8 + 3)]
