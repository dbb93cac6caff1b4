"""The device of a training: names, errors, and what a run says about it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch_geometric.data import Data

from gatsparse.train import (
    ConfigError,
    TrainConfig,
    fit,
    load_task,
    memory,
    run_folder,
    train,
)
from gatsparse.train import device as device_module
from gatsparse.train.device import find_device, moved
from gatsparse.train.environment import environment

GPU = torch.device("cuda", 0)
GB = 10**9


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets the number of GPUs that torch finds."""

    def found(count: int, built_with: str | None = "13.0") -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        monkeypatch.setattr(torch.cuda, "current_device", lambda: count - 1)
        monkeypatch.setattr(torch.version, "cuda", built_with)

    return found


@pytest.mark.parametrize(
    ("name", "count", "found"),
    [
        ("cpu", 0, "cpu"),
        ("auto", 0, "cpu"),
        ("auto", 2, "cuda:1"),
        ("cuda", 2, "cuda:1"),
        ("cuda:0", 2, "cuda:0"),
    ],
)
def test_device_of_a_name(name: str, count: int, found: str, gpus: Any):
    gpus(count)
    assert find_device(name) == torch.device(found)


@pytest.mark.parametrize(
    ("name", "count", "built_with", "message"),
    [
        ("cuda", 0, None, "device: expected cpu, .* finds no GPU, got cuda: .* PyTorch with CUDA"),
        ("cuda:1", 0, "13.0", "device: expected cpu, .* got cuda:1: .* check its driver"),
        ("cuda:2", 2, "13.0", r"device: expected one of cuda:0 \.\. cuda:1, .* got cuda:2"),
        ("cuda:256", 2, "13.0", r"device: expected one of .* got cuda:256"),  # for torch: cuda:0
    ],
)
def test_device_that_torch_does_not_find_raises(
    name: str, count: int, built_with: str | None, message: str, gpus: Any, task: Data
):
    gpus(count, built_with)
    config = TrainConfig("digits", device=name)
    for call in (lambda: train(config), lambda: fit(torch.nn.Linear(3, 3), task, config)):
        with pytest.raises(ConfigError, match=message):
            call()


def test_data_of_the_caller_stay_where_they_are(task: Data):
    there = moved(task, torch.device("meta"))
    tensors = [value for value in there.to_dict().values() if isinstance(value, torch.Tensor)]
    assert len(tensors) == 6
    assert all(tensor.is_meta for tensor in tensors)
    assert task["x"].device.type == "cpu"
    assert moved(task, torch.device("cpu")) is task


@pytest.fixture
def on_gpu(monkeypatch: pytest.MonkeyPatch, small_run: TrainConfig) -> TrainConfig:
    """A run on a GPU with 2 GB, of which 1 GB is free."""
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _device: "Example GPU")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _device: (GB, 2 * GB))
    for module in (memory, run_folder):
        monkeypatch.setattr(module, "find_device", lambda name: GPU if name == "cuda" else name)
    return replace(small_run, device="cuda", processes=None)


def test_memory_of_the_gpu_limits_a_run(on_gpu: TrainConfig):
    data = load_task(on_gpu)
    assert memory.num_processes(on_gpu, data, 2) == 1
    full = memory.check_memory(on_gpu, data)
    needed = memory.estimate(on_gpu, data) + memory._bytes_of_data(data)
    assert full == (
        f"about {memory.format_bytes(needed)} of Example GPU (cuda:0), 1.0 GB available"
    )
    two = memory.check_memory(replace(on_gpu, max_memory="2GB"), data, processes=2)
    assert two == (
        f"about {memory.format_bytes(2 * needed)} of Example GPU (cuda:0), 2.0 GB max_memory"
    )
    sampled = replace(on_gpu, mode="sampled", max_memory="4GB")
    with pytest.raises(
        ConfigError, match=r"memory: .* of Example GPU .* 2\.0 GB in this machine: .* batch_size"
    ):
        memory.check_memory(sampled, data)


def test_environment_of_a_run_names_its_device(on_gpu: TrainConfig):
    data = load_task(on_gpu)
    with run_folder.open_run_folder(on_gpu, data) as folder:
        recorded = json.loads((folder.path / "environment.json").read_text())
    assert recorded["device"] == "Example GPU"
    assert environment(1, data, torch.device("cpu"))["device"] == "cpu"


def test_batches_on_a_cpu_are_those_of_the_loader():
    loader = [Data()]
    assert device_module.moved_batches(loader, torch.device("cpu")) is loader
