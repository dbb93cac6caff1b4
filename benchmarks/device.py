"""The device of single layers: where their tensors are, when a call ends, and its memory."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

import torch

from benchmarks.config import Device
from benchmarks.isolate import UnavailableError
from benchmarks.measure import peak, resident


class Machine:
    """A device, on which new tensors are created in ``with machine.creation``.

    Args:
        device (str): The device.

    Raises:
        UnavailableError: If there is no GPU.
    """

    def __init__(self, device: Device) -> None:
        self._on_gpu = device == "cuda"
        if self._on_gpu and not torch.cuda.is_available():
            raise UnavailableError("device: cuda needs a GPU, but torch finds none")
        self.device = device
        self.creation = torch.device(device) if self._on_gpu else nullcontext()

    def finished(self, function: Callable[[], object]) -> Callable[[], object]:
        """Returns the function with the wait for the device at its end."""
        if not self._on_gpu:
            return function

        def call() -> None:
            function()
            torch.cuda.synchronize()

        return call

    def held(self) -> int:
        """Bytes in use: resident in this process, or allocated on the GPU."""
        return torch.cuda.memory_allocated() if self._on_gpu else resident()

    def peak(self) -> int:
        """The peak of :meth:`held`."""
        return torch.cuda.max_memory_allocated() if self._on_gpu else peak()
