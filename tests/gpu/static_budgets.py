"""Static budgets of the compiled kernels: ``python -m tests.gpu.static_budgets``.

Measures the machine code of all launches in :mod:`tests.gpu.launches` with the installed version of
Triton, and replaces the rows of this version in ``static_budgets.csv``. For another version::

    pip install --no-deps --target build/triton-3.9.0 triton==3.9.0
    PYTHONPATH=build/triton-3.9.0 python -m tests.gpu.static_budgets
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import triton

from tests.gpu.launches import CALLS, Launch, launches
from tests.ptx.sass import loop_counts

FILE = Path(__file__).with_suffix(".csv")
ARCHITECTURE = "sm_90"


class Budget(NamedTuple):
    """Machine code of a kernel.

    Args:
        registers (int): Registers of a thread.
        spills (int): Bytes that a thread stores to spill registers.
        stack (int): Bytes of a thread's stack.
        shared_stores (int): Stores to shared memory in the innermost loops.
        instructions (float): Warp instructions per edge in the loop over whole blocks of edges; 0
            if the kernel has no such loop.
        loads (float): 128-bit loads among them.
    """

    registers: int
    spills: int
    stack: int
    shared_stores: int
    instructions: float
    loads: float


class Key(NamedTuple):
    """A call of :mod:`tests.gpu.launches`, and a kernel that it launches; the second launch of
    ``k`` is ``k 2``.
    """

    call: str
    kernel: str


def launches_by_key() -> Iterator[tuple[Key, Launch]]:
    """Yields all launches; nothing is compiled."""
    for name, call in CALLS.items():
        seen: Counter[str] = Counter()
        for found in launches(call):
            kernel = found.kernel.__name__
            seen[kernel] += 1
            yield Key(name, f"{kernel} {seen[kernel]}" if seen[kernel] > 1 else kernel), found


def measured(launch: Launch, arch: str = ARCHITECTURE) -> Budget:
    """Compiles a launch and reads its machine code; that of AMD has no loops here."""
    code = launch.compiled(arch)
    loops = loop_counts(code.sass) if "cubin" in code.asm else []
    instructions = loads = 0.0
    if loops and "B" in launch.constants:
        edges = launch.constants["G"] * launch.constants["B"] / code.num_warps
        # Compute capability 7.5 waits for other threads in loops without loads. Of the two loops
        # over edges, the longer one has masks.
        loading = [loop for loop in loops if any(kind.startswith("LDG") for kind in loop)]
        whole = min(loading, key=lambda loop: loop["all"])
        instructions, loads = whole["all"] / edges, whole["LDG128"] / edges
    shared_stores = sum(loop["STS"] for loop in loops)
    return Budget(*code.resources, shared_stores, instructions, loads)


def read() -> dict[str, dict[Key, Budget]]:
    """The table: budgets of each version of Triton."""
    table: dict[str, dict[Key, Budget]] = {}
    with FILE.open(newline="") as file:
        for version, call, kernel, *numbers in list(csv.reader(file))[1:]:
            budget = Budget(*map(int, numbers[:4]), *map(float, numbers[4:]))
            table.setdefault(version, {})[Key(call, kernel)] = budget
    return table


def write(table: dict[str, dict[Key, Budget]]) -> None:
    """Replaces the file."""
    with FILE.open("w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(("triton", *Key._fields, *Budget._fields))
        for version in sorted(table):
            for key, budget in table[version].items():
                per_edge = (f"{number:g}" for number in budget[4:])
                out.writerow((version, *key, *budget[:4], *per_edge))


def main() -> None:
    table = read() if FILE.exists() else {}
    table[triton.__version__] = {key: measured(launch) for key, launch in launches_by_key()}
    write(table)
    print(f"{FILE}: {len(table[triton.__version__])} kernels, Triton {triton.__version__}")


if __name__ == "__main__":
    main()
