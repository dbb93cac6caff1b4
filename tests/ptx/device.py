"""Runs the launches of gatsparse in the emulator, on tensors of the CPU.

Example:
    with emulated("sm_90") as device:
        out = cuda.gat(*arguments)  # tensors of the CPU
    device.counts["gat_forward"].sectors
"""

import contextlib
import importlib
from collections.abc import Iterator
from typing import Any
from unittest import mock

import numpy as np
from torch import Tensor
from torch.utils._python_dispatch import _disable_current_modes
from triton.runtime.jit import JITFunction

from tests.ptx.allocations import Allocations, storage_bytes
from tests.ptx.compiling import Compiled, compile_specialized, specialize
from tests.ptx.emulator.buffers import Buffer, GlobalMemory
from tests.ptx.emulator.chunk import Counts
from tests.ptx.emulator.formats import RAW
from tests.ptx.emulator.machine import Machine
from tests.ptx.emulator.program import stored_parameters
from tests.ptx.emulator.text import Kernel, parse
from tests.ptx.emulator.warps import Fault

_KERNELS: dict[str, tuple[Kernel, set[str]]] = {}
_MACHINES: dict[tuple, Machine] = {}


def _parsed(ptx: str) -> tuple[Kernel, set[str]]:
    """Returns a kernel and the parameters that it stores to."""
    if ptx not in _KERNELS:
        kernel = parse(ptx)
        _KERNELS[ptx] = kernel, stored_parameters(kernel)
    return _KERNELS[ptx]


def _machine(ptx: str, schedule: str, races: bool) -> Machine:
    key = (ptx, schedule, races)
    if key not in _MACHINES:
        _MACHINES[key] = Machine(_parsed(ptx)[0], schedule, races=races)
    return _MACHINES[key]


class Device:
    """An emulated GPU.

    Args:
        arch (str): ``sm_90``, ...
        schedule (str): ``lockstep``, ``random`` or ``serial``, see
            :class:`tests.ptx.emulator.machine.Schedule`.
        seed (int): Seed of the schedule; each launch draws anew.
        races (bool): Whether to find races.
        allocations (Allocations, optional): Which bytes of tensors were written.

    Attributes:
        counts (dict): :class:`Counts` of each kernel by its name, summed over its launches.
        compiled (list): The compiled kernel of each launch.
    """

    def __init__(
        self,
        arch: str = "sm_90",
        schedule: str = "lockstep",
        seed: int = 0,
        races: bool = True,
        allocations: Allocations | None = None,
    ):
        self.arch, self.schedule, self.seed, self.races = arch, schedule, seed, races
        self.allocations = allocations
        self.counts: dict[str, Counts] = {}
        self.compiled: list[Compiled] = []

    def launch(
        self,
        kernel: JITFunction,
        grid: int | tuple[int, ...],
        *args: Any,
        num_warps: int = 1,
        **constants: Any,
    ) -> None:
        """Compiles a kernel for its arguments and runs it on the tensors' memory.

        The arguments are those of ``gatsparse.gpu.launch.launch``.
        """
        grid = (grid,) if isinstance(grid, int) else grid
        if 0 in grid:
            return
        with _disable_current_modes():
            wanted = specialize(kernel, args, {"num_warps": num_warps, **constants}, self.arch)
            compiled = compile_specialized(kernel, wanted, self.arch)
            self.compiled.append(compiled)
            names = [name for name, kind in wanted.signature.items() if kind != "constexpr"]
            kinds = [wanted.signature[name] for name in names]
            arguments = list(zip(names, kinds, wanted.arguments, strict=True))
            self._run(compiled, grid, arguments)

    def _run(
        self, compiled: Compiled, grid: tuple[int, ...], arguments: list[tuple[str, str, Any]]
    ) -> None:
        kernel, stored = _parsed(compiled.ptx)
        memory = GlobalMemory()
        places = [parameter.name for parameter in kernel.parameters]
        watched = {
            value.untyped_storage().data_ptr()
            for (_, _, value), place in zip(arguments, places, strict=False)
            if isinstance(value, Tensor) and place in stored
        }
        buffers = self._buffers([a for a in arguments if isinstance(a[2], Tensor)], watched)
        values = []
        for name, kind, value in arguments:
            if isinstance(value, Tensor):
                values.append(
                    _add(memory, buffers[value.untyped_storage().data_ptr()], value, name)
                )
            else:
                values.append(_scalar(value, kind))
        values += [0] * (len(places) - len(values))  # Triton's scratch memory, which is unused
        parameters = {
            parameter.name: np.array([value], RAW[int(parameter.type[1:]) // 8])
            for parameter, value in zip(kernel.parameters, values, strict=True)
        }
        machine = _machine(compiled.ptx, self.schedule, self.races)
        machine.seed = self.seed + len(self.compiled)
        counts = machine.launch(grid, parameters, memory, compiled.shared)
        self.counts.setdefault(compiled.name, Counts.empty()).add(counts)

    def _buffers(
        self, arguments: list[tuple[str, str, Tensor]], watched: set[int]
    ) -> dict[int, Buffer]:
        """Returns a buffer for each storage among the arguments, by its address."""
        elements: dict[int, int] = {}
        names: dict[int, str] = {}
        for name, _, tensor in arguments:
            if tensor.device.type != "cpu":
                raise ValueError(f"{name}: expected a tensor of the CPU, got {tensor.device}")
            place = tensor.untyped_storage().data_ptr()
            if place % 16:
                raise Fault(f"{name}: its storage is not aligned to 16 bytes")
            elements[place] = min(tensor.element_size(), elements.get(place, 8))
            names[place] = f"{names[place]}, {name}" if place in names else name
        return {
            place: Buffer(
                storage_bytes(tensor),
                elements[place],
                names[place],
                self.allocations.known(tensor) if self.allocations else None,
                self.races and place in watched,
            )
            for _, _, tensor in arguments
            for place in [tensor.untyped_storage().data_ptr()]
        }


def _add(memory: GlobalMemory, buffer: Buffer, tensor: Tensor, name: str) -> int:
    """Makes the bytes of a tensor accessible; returns their address."""
    size = tensor.element_size()
    start = int(tensor.storage_offset()) * size
    last = sum((n - 1) * step for n, step in zip(tensor.shape, tensor.stride(), strict=True))
    bytes_ = (last + 1) * size if tensor.numel() else 0
    return memory.add(buffer, start, bytes_, tensor.data_ptr(), name)


def _scalar(value: Any, kind: str) -> int:
    """Bits of a number that is passed as a parameter."""
    if kind == "fp32":
        return int(np.float32(value).view(np.uint32))
    if kind == "fp64":
        return int(np.float64(value).view(np.uint64))
    if kind[0] in "iu" and kind[1:].isdigit():
        return int(value) & ((1 << max(int(kind[1:]), 8)) - 1)
    raise ValueError(f"a parameter of type {kind} is not supported")


@contextlib.contextmanager
def emulated(
    arch: str = "sm_90",
    schedule: str = "lockstep",
    seed: int = 0,
    races: bool = True,
    initialised: bool = True,
) -> Iterator[Device]:
    """Runs every ``gatsparse.gpu.launch.launch`` in the emulator while the context is active.

    Args:
        arch (str): ``sm_90``, ...
        schedule (str): ``lockstep`` is fast; ``random`` and ``serial`` find missing barriers.
        seed (int): Seed of the schedule.
        races (bool): Whether to find races between threads.
        initialised (bool): Whether to find reads of memory that was never written.
    """
    launch = importlib.import_module("gatsparse.gpu.launch")
    allocations = Allocations() if initialised else None
    device = Device(arch, schedule, seed, races, allocations)
    with (
        mock.patch.object(launch, "launch", device.launch),
        allocations or contextlib.nullcontext(),
    ):
        yield device
