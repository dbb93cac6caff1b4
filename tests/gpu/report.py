"""Report of the compiled kernels, and predictions of their times: ``python -m tests.gpu.report``.

The machine code is that of the launches in :mod:`tests.gpu.launches`. Instructions and sectors are
counted in the emulator, on a power-law graph. No number is a measurement on a GPU.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
import triton

from gatsparse import CSRGraph
from gatsparse.data import rmat
from gatsparse.gpu.pieces import piece_length
from gatsparse.ops.gat import cuda as gat
from gatsparse.ops.gatv2 import cuda as gatv2
from tests.gpu.static_budgets import Budget, Key, launches_by_key, measured
from tests.ptx.device import emulated

ARCHITECTURES = ("sm_75", "sm_80", "sm_86", "sm_89", "sm_90", "sm_100", "sm_120", "gfx942")
OUT = Path("benchmarks/results/gpu-predicted")
_NODES, _EDGES = 2000, 27346  # as many edges per node as ogbn-arxiv
_SECTOR = 32
#: Comments between which `docs/gpu.md` includes the report.
PREDICTED, END = "<!-- predicted times -->", "<!-- end of predicted times -->"


class GPU(NamedTuple):
    """A GPU: bytes per second of its memory, multiprocessors, and their clock in Hz.

    A multiprocessor issues four warp instructions per clock.
    """

    bandwidth: float
    multiprocessors: int
    clock: float

    @property
    def issue_rate(self) -> float:
        """Warp instructions per second."""
        return 4 * self.multiprocessors * self.clock


#: Data sheets of NVIDIA: H200 Tensor Core GPU, A100 80GB SXM, GeForce RTX 4090 (Ada whitepaper).
GPUS = {
    "H200": GPU(4.8e12, 132, 1.98e9),
    "A100 80GB": GPU(2.039e12, 108, 1.41e9),
    "RTX 4090": GPU(1.008e12, 128, 2.52e9),
}


class Work(NamedTuple):
    """Work of a pass, per edge: warp instructions, and sectors: those accessed, and those of the
    features and indices alone, each once.
    """

    instructions: float
    sectors: float
    once: float


def machine_code(architectures: Sequence[str]) -> list[str]:
    """Tables of the kernels' registers, and of the instructions per edge of those with such loops.

    The second one has no column for AMD, whose machine code is not read.
    """
    launches = list(launches_by_key())
    found = {a: {key: measured(launch, a) for key, launch in launches} for a in architectures}
    nvidia = [a for a in architectures if a.startswith("sm_")]
    edges = [key for key, _ in launches if any(found[a][key].instructions for a in nvidia)]
    return [
        "Registers of a thread. **Spills** are marked: bytes on NVIDIA's architectures, registers "
        "on AMD's.",
        "",
        *_table(architectures, [key for key, _ in launches], found, _registers),
        "",
        "Warp instructions per edge in the loop over whole blocks of edges, in brackets the "
        "128-bit loads among them.",
        "",
        *_table(nvidia, edges, found, _instructions),
    ]


def _table(
    architectures: Sequence[str],
    keys: Sequence[Key],
    found: dict[str, dict[Key, Budget]],
    cell: Callable[[Budget], str],
) -> list[str]:
    rows = (
        f"| {key.call} | {key.kernel} | {' | '.join(cell(found[a][key]) for a in architectures)} |"
        for key in keys
    )
    return [
        f"| call | kernel | {' | '.join(architectures)} |",
        f"| --- | --- |{' ---: |' * len(architectures)}",
        *rows,
    ]


def _registers(budget: Budget) -> str:
    if budget.spills == budget.stack == 0:
        return str(budget.registers)
    return f"{budget.registers}, **{budget.spills} spilled, stack {budget.stack}**"


def _instructions(budget: Budget) -> str:
    return f"{budget.instructions:.1f} ({budget.loads:g})"


def _passes(variant: str, H: int, C: int, graph: CSRGraph) -> dict[str, Callable[[], object]]:
    N, saved = graph.num_dst, []
    x, grad, x_dst = (torch.randn(N, H, C) for _ in range(3))
    att = [torch.randn(1, H, C) for _ in range(2)]
    given = (list(graph.csr), list(graph.csr_t), False, 0.2, 0.0, None)

    def forward() -> None:
        if variant == "GAT":
            saved[:] = gat.gat(x, *att, *[None] * 4, True, True, True, *given)[1:]
        else:
            saved[:] = gatv2.gatv2(x, x_dst, att[0], *[None] * 3, True, True, *given)[1:]

    def backward() -> None:
        if variant == "GAT":
            gat.gat_backward(grad, x, *att, None, None, *saved, *given)
        else:
            gatv2.gatv2_backward(grad, x, x_dst, att[0], None, None, *saved, *given)

    return {"forward": forward, "backward": backward}


def counted(variant: str, H: int, C: int, graph: CSRGraph) -> dict[str, Work]:
    """Work of the forward and the backward pass, of all of their kernels."""
    found = {}
    for name, run in _passes(variant, H, C, graph).items():
        with emulated(races=False, initialised=False) as device:
            run()
        instructions = sectors = 0
        for counts in device.counts.values():
            # The assembler removes moves and loads of parameters.
            kept = {k: n for k, n in counts.instructions.items() if not k.startswith(_FREE)}
            instructions += sum(kept.values())
            sectors += sum(counts.sectors.values())
        E = graph.num_edges
        once = graph.num_src * H * C * 4 / _SECTOR + E * 4 / _SECTOR
        found[name] = Work(instructions / E, sectors / E, once / E)
    return found


_FREE = ("mov", "ld.param", "ret")


def floor(H: int, C: int) -> float:
    """Sectors per edge of the gather floor: a row of x and an index of four bytes."""
    return H * C * 4 / _SECTOR + 4 / _SECTOR


def predicted(work: Work, gpu: GPU, num_edges: int) -> tuple[float, float]:
    """Seconds of a pass if the caches hold everything, and if there are none."""
    issue = work.instructions / gpu.issue_rate
    bounds = (
        max(issue, sectors * _SECTOR / gpu.bandwidth) for sectors in (work.once, work.sectors)
    )
    low, high = (num_edges * seconds for seconds in bounds)
    return low, high


def report(architectures: Sequence[str]) -> str:
    """The report in Markdown."""
    graph = CSRGraph.from_edge_index(rmat(_NODES, _EDGES, 0), _NODES)
    lines = [
        "# Kernels for GPUs: compiled, emulated, predicted",
        "",
        "Nothing here was measured on a GPU. `python -m tests.gpu.report` writes this file.",
        "",
        f"Triton {triton.__version__}; counts on a power-law graph of {_NODES:,} nodes and "
        f"{_EDGES:,} edges, pieces of at most {piece_length(_EDGES)} edges, float32.",
        "",
        "## Work per edge, with all kernels of a pass",
        "",
        "Warp instructions are those of the PTX without moves; sectors have 32 bytes, in brackets "
        "relative to the gather floor (the rows `x[col]` and `col` alone).",
        "",
        "| layer | pass | warp instructions | sectors |",
        "| --- | --- | ---: | ---: |",
    ]
    times = []
    for variant, H, C in (("GAT", 8, 8), ("GAT", 4, 64), ("GATv2", 8, 8), ("GATv2", 4, 64)):
        for name, work in counted(variant, H, C, graph).items():
            relative = work.sectors / floor(H, C)
            lines.append(
                f"| {variant} {H}x{C} | {name} | {work.instructions:.1f} | {work.sectors:.1f} "
                f"({relative:.2f}x) |"
            )
            bounds = (predicted(work, gpu, 2_315_598) for gpu in GPUS.values())
            cells = " | ".join(f"{1e3 * low:.2f} to {1e3 * high:.2f}" for low, high in bounds)
            times.append(f"| {variant} {H}x{C} | {name} | {cells} |")
    lines += [
        "",
        "## Predicted times of the operators on a graph of ogbn-arxiv's size",
        "",
        PREDICTED,
        "",
        "Milliseconds for 2,315,598 edges, **predicted**, from the bandwidth and clock of NVIDIA's "
        "data sheets: the time to issue the instructions or that to read from memory, whichever is "
        "larger. The first number assumes that the caches hold everything, so features and indices "
        "are read once; the second one that there are no caches, so all accessed sectors are read. "
        "Latencies and the starts of kernels are not counted.",
        "",
        f"| layer | pass | {' | '.join(GPUS)} |",
        f"| --- | --- | {' | '.join('---:' for _ in GPUS)} |",
        *times,
        "",
        END,
        "",
        "## Machine code",
        "",
        "The second launch of a kernel in a call is named `kernel 2`.",
        "",
        *machine_code(architectures),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT, help="folder of report.md")
    parser.add_argument("--arch", nargs="+", default=ARCHITECTURES, help="architectures")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "report.md").write_text(report(options.arch))
    print(options.out / "report.md")


if __name__ == "__main__":
    main()
