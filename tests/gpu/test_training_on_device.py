"""Trainings on a device other than the CPU, without hardware: see tests/gpu/fake_device.py."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch_geometric import seed_everything
from torch_geometric.data import Data
from torch_geometric.loader import PrefetchLoader

from gatsparse.data import LinkNeighborLoader, NeighborLoader, join_graphs, stochastic_block_model
from gatsparse.train import (
    Epoch,
    FitResult,
    ModelConfig,
    SamplingConfig,
    TrainConfig,
    build_model,
    build_optimizer,
    fit,
    full_batch,
    task_of_seed,
)
from gatsparse.train.checkpoint import Checkpoint
from gatsparse.train.criterion import NodeCriterion
from gatsparse.train.graph_model import model_of_run
from gatsparse.train.models import sizes_of_run
from gatsparse.train.objectives.build import build_objective
from gatsparse.train.task import checked_task
from tests.gpu.fake_device import DEVICE, FakeDevice, OnDevice, install

NODES = Data(**stochastic_block_model(60, 300, 3, 5, seed=0).to_dict())
NODES.x = NODES["x"].double()
MODEL = ModelConfig(hidden_channels=2, heads=2, dropout=0.0)
SAMPLING = SamplingConfig(batch_size=16, num_neighbors=[4, 4])


def graphs() -> Data:
    edge_index = torch.tensor([[0, 1, 2], [1, 2, 0]])
    generator = torch.Generator().manual_seed(0)
    return join_graphs(
        [
            Data(
                x=torch.randn(3, 5, generator=generator, dtype=torch.float64),
                edge_index=edge_index,
                y=k % 2,
            )
            for k in range(30)
        ]
    )


def with_labels(y: Tensor) -> Data:
    data = NODES.clone()
    data.y = y
    return data


def config_of(**options: Any) -> TrainConfig:
    return TrainConfig("sbm", **{"model": MODEL, "epochs": 1, "sampling": SAMPLING, **options})


def trained(config: TrainConfig, data: Data, **options: Any) -> FitResult:
    data = task_of_seed(data, config, 0)
    seed_everything(0)
    model = model_of_run(config, sizes_of_run(config, data), torch.float64)
    return fit(model, data, config, **options)


LABELS = torch.stack([NODES.y == 0, NODES.y != 1], 1).double()
TRAININGS = {
    "full": (NODES, {"class_weights": "balanced"}),
    "sampled": (NODES, {"mode": "sampled", "class_weights": [1.0, 2.0, 3.0]}),
    "dense": (NODES, {"model": replace(MODEL, kind="dense"), "metric": "macro_f1"}),
    "labels": (with_labels(LABELS), {"task": "multi_label", "class_weights": [1.0, 2.0]}),
    "numbers": (with_labels(NODES["x"][:, :2]), {"task": "regression", "mode": "sampled"}),
    "numbers, full": (with_labels(NODES["x"][:, :2]), {"task": "regression"}),
    "links": (NODES, {"task": "link_prediction", "metric": "mrr"}),
    "links, sampled": (
        NODES,
        {
            "task": "link_prediction",
            "mode": "sampled",
            "sampling": replace(SAMPLING, batch_size=200),
        },
    ),
    "graphs": (graphs(), {"task": "graph_classification"}),
    "graphs, sampled": (graphs(), {"task": "graph_classification", "mode": "sampled"}),
}


@pytest.mark.parametrize("name", TRAININGS)
def test_results_are_those_of_the_cpu(name: str, monkeypatch: pytest.MonkeyPatch):
    data, options = TRAININGS[name]
    config = config_of(**options)
    expected = trained(config, data)
    log = install(monkeypatch)
    with FakeDevice():
        found = trained(replace(config, device="cuda"), data)
    assert found.losses == pytest.approx(expected.losses, rel=1e-9)
    assert found.test_score == pytest.approx(expected.test_score, rel=1e-9)
    for key, value in found.state_dict.items():
        assert type(value) is Tensor  # not of the device
        torch.testing.assert_close(value, expected.state_dict[key])
    if config.mode == "sampled":
        assert {"pin_memory", "wait_stream", "record_stream"} <= set(log)


def test_model_ends_on_the_device(monkeypatch: pytest.MonkeyPatch):
    install(monkeypatch)
    model = build_model(MODEL, NODES)
    with FakeDevice():
        fit(model, NODES, config_of(device="cuda", epochs=1))
    assert all(parameter.device == DEVICE for parameter in model.parameters())
    assert NODES["x"].device.type == "cpu"


def test_generator_of_the_device_is_restored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    log = install(monkeypatch)
    config, path = config_of(device="cuda", epochs=4), tmp_path / "checkpoint"

    def interrupt(epoch: Epoch) -> None:
        if epoch.epoch == 3:
            raise KeyboardInterrupt

    with FakeDevice():
        expected = trained(config, NODES)
        with pytest.raises(KeyboardInterrupt):
            trained(config, NODES, checkpoint=Checkpoint(path), on_epoch=interrupt)
        assert "set_rng_state" not in log
        resumed = trained(config, NODES, checkpoint=Checkpoint(path))
    assert log.count("set_rng_state") == 1
    assert resumed.losses == expected.losses


def full_batch_of(model: torch.nn.Module, data: Data) -> full_batch.FullBatch:
    config = config_of()
    data = checked_task(data)
    criterion = NodeCriterion(build_objective(config, data), data)
    optimizer = build_optimizer(config.optim, model)
    return full_batch.FullBatch(model, data, optimizer, criterion, "gatsparse", record=True)


def test_a_step_reads_no_value(monkeypatch: pytest.MonkeyPatch):
    install(monkeypatch)
    monkeypatch.setattr(full_batch, "explain_backend", lambda *_, **__: [])
    with FakeDevice() as device:
        data = NODES.clone().apply(lambda tensor: tensor.to(DEVICE))
        model = torch.nn.Linear(5, 3).double().to(DEVICE)
        monkeypatch.setattr(model, "forward", lambda x, _graph: torch.nn.Linear.forward(model, x))
        work = full_batch_of(model, data)
        work.step()
        with device.recording():
            assert isinstance(work.step(), OnDevice)
        with pytest.raises(AssertionError, match="while a step is recorded"), device.recording():
            work.epoch()  # reads the loss


@pytest.mark.parametrize("recordable", [False, True])
def test_steps_are_recorded_if_every_layer_is_fused(
    recordable: bool, monkeypatch: pytest.MonkeyPatch
):
    recorded = []
    monkeypatch.setattr(full_batch, "device_of", lambda _model: DEVICE)
    monkeypatch.setattr(full_batch, "compile_step", lambda step: recorded.append(step) or step)
    kind = "gatsparse" if recordable else "scatter"
    full_batch_of(build_model(replace(MODEL, kind=kind), NODES), NODES)
    assert len(recorded) == recordable


def test_steps_that_may_read_values_are_not_recorded(monkeypatch: pytest.MonkeyPatch):
    def is_recordable(model: torch.nn.Module) -> bool:
        return full_batch_of(model.double(), NODES)._is_recordable()

    assert is_recordable(build_model(MODEL, NODES))
    deep = replace(MODEL, architecture="deep", num_layers=2)
    assert is_recordable(build_model(deep, NODES))
    assert not is_recordable(build_model(replace(deep, jk="lstm"), NODES))
    hooked = build_model(MODEL, NODES)
    hooked.get_submodule("conv1").register_forward_hook(lambda *_: None)
    assert not is_recordable(hooked)

    class Derived(full_batch.PaperGAT):
        pass

    assert not is_recordable(Derived(5, 2, 3))
    monkeypatch.setattr(full_batch, "_MOST_RECORDED", 359)  # 60 nodes and at most 300 edges
    assert is_recordable(build_model(MODEL, NODES)) == (NODES.num_edges < 300)


@pytest.mark.parametrize("prefetch", [0, 2])
def test_pyg_moves_batches_of_nodes_from_pinned_memory(
    prefetch: int, monkeypatch: pytest.MonkeyPatch
):
    log = install(monkeypatch)
    loader = NeighborLoader(NODES, [4], batch_size=20, seed=1, prefetch=prefetch)
    same = NeighborLoader(NODES, [4], batch_size=20, seed=1)
    with FakeDevice():
        for batch, expected in zip(PrefetchLoader(loader, DEVICE), same, strict=True):
            assert batch.x.device == batch.edge_index.device == batch.y.device == DEVICE
            assert batch.num_sampled_nodes == expected.num_sampled_nodes
            for key in ("x", "edge_index", "n_id"):
                assert torch.equal(batch[key].cpu(), expected[key])
    tensors = sum(isinstance(value, Tensor) for value in expected.to_dict().values())
    assert log.count("pin_memory") == 3 * tensors


def test_pyg_moves_batches_of_links(monkeypatch: pytest.MonkeyPatch):
    install(monkeypatch)
    links = NODES.edge_index[:, :40]
    loaders = [LinkNeighborLoader(NODES, [4], links, batch_size=20, seed=1) for _ in range(2)]
    with FakeDevice():
        for batch, expected in zip(PrefetchLoader(loaders[0], DEVICE), loaders[1], strict=True):
            assert batch.edge_label_index.device == DEVICE
            for key in ("x", "edge_index", "edge_label_index"):
                assert torch.equal(batch[key].cpu(), expected[key])
