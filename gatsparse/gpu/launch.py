"""Start of a Triton kernel."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

from gatsparse.gpu.pieces import Pieces


def launch(kernel: Any, grid: int, *args: Any, num_warps: int = 1, **constants: Any) -> None:
    """Starts :obj:`grid` programs of a kernel on the device of its tensors.

    Callers write ``launch.launch(...)``, so that a test can substitute this function.

    Args:
        kernel: Function decorated with ``triton.jit``.
        grid (int): Number of programs; 0 starts nothing.
        args: Tensors and numbers, in the order of the kernel's parameters. None is a constant.
        num_warps (int, optional): Warps per program.
        constants: Parameters that are ``tl.constexpr``.
    """
    if grid == 0:
        return
    with _on_device_of(args):
        # Triton 3.9 warns unless it is told, and 3.10 changes the default.
        kernel[(grid,)](*args, num_warps=num_warps, enable_fp_fusion=True, **constants)


def combine(kernel: Any, rows: Pieces, *args: Any, per_hub: int = 1, **constants: Any) -> None:
    """Starts a kernel that combines the pieces of rows: first those of chunks, then the rest.

    Args:
        kernel: Function decorated with ``triton.jit``, whose first parameter is the table of the
            hubs or chunks, and which writes partial sums again unless the constant ``FINAL``.
        rows (Pieces): The pieces.
        args: The kernel's other arguments.
        per_hub (int, optional): Programs per entry of the table.
        constants: Parameters that are ``tl.constexpr``, and ``num_warps``.
    """
    for table, final in ((rows.chunks, False), (rows.hubs, True)):
        launch(kernel, table.size(0) * per_hub, table, *args, FINAL=final, **constants)


def programs(count: int, per_program: int) -> int:
    """Number of programs that visit :obj:`count` things, :obj:`per_program` each."""
    return -(-count // per_program)


def _on_device_of(args: tuple[Any, ...]) -> Any:
    """Context in which the device of the first tensor is the current one."""
    device = next(arg.device for arg in args if isinstance(arg, Tensor))
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()
