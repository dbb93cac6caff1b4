"""The device of a training: its name, memory and generator, and transfers to it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from copy import copy
from typing import Any

import torch
from torch import Tensor
from torch_geometric.loader import PrefetchLoader

from gatsparse.config_types import ConfigError


def is_device_name(name: str) -> bool:
    """Whether a training can have a device of this name, on a suitable machine."""
    return re.fullmatch(r"auto|cpu|cuda(:(0|[1-9][0-9]{0,2}))?", name) is not None


def find_device(name: str) -> torch.device:
    """Returns the device of a name; ``auto`` is a GPU if there is one.

    Raises:
        ConfigError: If torch does not find the device.
    """
    if name == "cpu":
        return torch.device("cpu")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        name = "cuda" if count > 0 else "cpu"
        return find_device(name)
    if count == 0:
        cure = "check its driver" if torch.version.cuda else "install a PyTorch with CUDA"
        raise ConfigError(
            f"device: expected cpu, as torch finds no GPU, got {name}: set it to cpu or auto, or "
            f"{cure}"
        )
    _, _, number = name.partition(":")
    # Not torch.device(name).index, in which cuda:256 is 0.
    index = int(number) if number else torch.cuda.current_device()
    if index >= count:
        raise ConfigError(
            f"device: expected one of cuda:0 .. cuda:{count - 1}, which torch finds, got {name}"
        )
    return torch.device("cuda", index)


def device_of(model: torch.nn.Module) -> torch.device:
    """Returns the device of the parameters of a model."""
    return next(model.parameters()).device


def describe_device(device: torch.device) -> str:
    """Returns the name of the hardware; all CPUs are ``cpu``."""
    return "cpu" if device.type == "cpu" else torch.cuda.get_device_name(device)


def memory_of(device: torch.device) -> tuple[int, int]:
    """Returns the free and the total memory of a GPU in bytes."""
    return torch.cuda.mem_get_info(device)


def current(device: torch.device) -> AbstractContextManager[object]:
    """Context in which a GPU is the current one of torch."""
    return nullcontext() if device.type == "cpu" else torch.cuda.device(device)


def generator_state(device: torch.device) -> Tensor | None:
    """Returns the state of torch's generator of a GPU; None for the CPU."""
    return None if device.type == "cpu" else torch.cuda.get_rng_state(device)


def set_generator_state(device: torch.device, state: Tensor | None) -> None:
    """Restores the result of :func:`generator_state`."""
    if state is not None:
        torch.cuda.set_rng_state(state, device)


def moved(data: Any, device: torch.device) -> Any:
    """Returns :class:`Data` with its tensors on a device; the same object for the CPU."""
    if device.type == "cpu":
        return data
    data = copy(data)
    for key, value in data.to_dict().items():
        if isinstance(value, Tensor):
            data[key] = value.to(device)
    return data


def moved_batches(loader: Iterable[Any], device: torch.device) -> Iterable[Any]:
    """Returns a loader whose batches are on a device; the same object for the CPU.

    Args:
        loader (iterable of Data): Batches in the memory of the host.
        device (torch.device): The device.
    """
    return loader if device.type == "cpu" else _MovedBatches(loader, device)


class _MovedBatches:
    """Batches that are made and transferred while the GPU computes the one before."""

    def __init__(self, loader: Any, device: torch.device) -> None:
        self._loader, self._device = PrefetchLoader(loader, device), device

    def __iter__(self) -> Iterator[Any]:
        for batch in self._loader:
            # PyG allocates it on the stream of the transfers, which may otherwise write a later
            # batch into the same memory before the steps of this one have run.
            batch.record_stream(torch.cuda.current_stream(self._device))
            yield batch
