"""Runs a program over a grid, with the schedule of its warps chosen or drawn."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from tests.ptx.emulator.buffers import GlobalMemory
from tests.ptx.emulator.chunk import Chunk, Counts
from tests.ptx.emulator.program import Program, decode
from tests.ptx.emulator.text import Kernel
from tests.ptx.emulator.warps import Fault

SCHEDULES = ("lockstep", "random", "serial")
_LANES = 4096  # threads that run at the same time
_PAUSE = 8  # blocks between two draws of the warps that may run, on average


class Schedule:
    """Chooses which warps may run.

    Args:
        kind (str): ``lockstep``: all. ``random``: a random half, drawn again after a random number
            of blocks; programs in random order. ``serial``: one warp of one program until it
            waits or ends, in random order.
        seed (int): Seed of the draws.
    """

    def __init__(self, kind: str, seed: int):
        if kind not in SCHEDULES:
            raise ValueError(f"schedule: expected one of {', '.join(SCHEDULES)}, got {kind!r}")
        self.kind = kind
        self.random = np.random.default_rng(seed)

    def chunks(self, programs: int, threads: int) -> list[np.ndarray]:
        """Returns the numbers of the programs that run at the same time, in order."""
        order = np.arange(programs)
        if self.kind != "lockstep":
            self.random.shuffle(order)
        size = 1 if self.kind == "serial" else max(1, _LANES // threads)
        return [order[start : start + size] for start in range(0, programs, size)]

    def awake(self, runnable: np.ndarray, before: np.ndarray) -> np.ndarray:
        """Returns the warps that may run now: bool ``[warps]``, at least one that can."""
        if self.kind == "lockstep":
            return runnable
        usable = runnable & before
        if usable.any() and (self.kind == "serial" or self.random.random() > 1 / _PAUSE):
            return before
        drawn = np.zeros_like(runnable)
        drawn[self.random.choice(np.flatnonzero(runnable))] = True
        if self.kind == "random":
            drawn |= self.random.random(runnable.size) < 0.5
        return drawn


class _Run:
    """One chunk on its way through a program."""

    def __init__(self, program: Program, chunk: Chunk, schedule: Schedule, executed: np.ndarray):
        self.program, self.chunk, self.schedule = program, chunk, schedule
        self.executed = executed
        self.end = len(program.blocks)
        self.block = np.zeros(chunk.lanes, np.int64)
        self.waiting = np.zeros(chunk.lanes, bool)
        self.awake = np.zeros(chunk.lanes // 32, bool)

    def run(self) -> None:
        while (lanes := self._next()) is not None:
            self._run_block(*lanes)

    def _next(self) -> tuple[int, np.ndarray] | None:
        """Returns the next block, and the lanes that run it: the hindmost of some warps."""
        runnable = ~self.waiting & (self.block < self.end)
        if not runnable.any():
            if self.waiting.any():
                raise Fault("deadlock: threads wait at a barrier that others do not reach")
            return None
        places = np.where(runnable, self.block, self.end).reshape(-1, 32)
        first = places.min(1)
        self.awake = self.schedule.awake(first < self.end, self.awake)
        usable = np.where(self.awake, first, self.end)
        if self.schedule.kind == "random":
            low = int(self.schedule.random.choice(usable[usable < self.end]))
        else:
            low = int(usable.min())
        chosen = (first == low) & self.awake
        return low, ((places == low) & chosen[:, None]).reshape(-1)

    def _run_block(self, number: int, mask: np.ndarray) -> None:
        block, chunk = self.program.blocks[number], self.chunk
        every = bool(mask.all())
        self.executed[number] += chunk.warps(mask).any(1).sum()
        given = None if every else mask
        text = ""
        try:
            for step, text in block.steps:  # noqa: B007
                step(chunk, given)
        except Fault as fault:
            raise Fault(f"{fault} [{self.program.kernel.name}: {text}]") from None
        end = block.end
        taken = mask & end.guard(chunk) if end.guard else mask
        self.block[mask] = number + 1
        if end.kind == "branch":
            self.block[taken] = end.target
        elif end.kind == "return":
            self.block[taken] = self.end
            self._release()
        elif end.kind == "barrier":
            self._arrive(number, mask)

    def _arrive(self, number: int, mask: np.ndarray) -> None:
        live = self.chunk.warps((self.block < self.end) | mask)
        here = self.chunk.warps(mask)
        if (here != live)[here.any(1)].any():
            raise Fault(f"divergent barrier: {self.program.blocks[number].end.text}")
        self.waiting |= mask
        self._release()

    def _release(self) -> None:
        """Lets programs go on whose threads all wait."""
        shape = (self.chunk.programs, self.chunk.threads)
        waiting = self.waiting.reshape(shape)
        live = (self.block < self.end).reshape(shape) | waiting
        ready = np.asarray((waiting | ~live).all(1) & waiting.any(1))
        if not ready.any():
            return
        if not live[ready].all():
            raise Fault("divergent barrier: threads ended while others wait")
        places = self.block.reshape(shape)[ready]
        if (places != places[:, :1]).any():
            raise Fault("divergent barrier: warps wait at different instructions")
        self.waiting = (waiting & ~ready[:, None]).reshape(-1)
        self.chunk.key[np.repeat(ready, self.chunk.threads)] += 1 << 8


class Machine:
    """A kernel that can be launched.

    Args:
        kernel (Kernel): The parsed kernel.
        schedule (str): ``lockstep``, ``random`` or ``serial``, see :class:`Schedule`.
        seed (int): Seed of the schedule.
        races (bool): Whether to find races in shared memory.
    """

    def __init__(
        self, kernel: Kernel, schedule: str = "lockstep", seed: int = 0, races: bool = True
    ):
        self.program = decode(kernel, split_memory=schedule == "random")
        self.kind, self.seed, self.races = schedule, seed, races

    def launch(
        self,
        grid: Sequence[int],
        parameters: dict[str, np.ndarray],
        memory: GlobalMemory,
        dynamic_shared: int = 0,
    ) -> Counts:
        """Runs the kernel over a grid.

        Args:
            grid (sequence): One to three numbers of programs.
            parameters (dict): Bits of each parameter, an unsigned array ``[1]``.
            memory (GlobalMemory): The tensors.
            dynamic_shared (int): Bytes of shared memory in addition to those of fixed size.

        Raises:
            Fault: If the kernel does what it must not.
        """
        x, y, z = (*grid, 1, 1)[:3]
        kernel, counts = self.program.kernel, Counts.empty()
        executed = np.zeros(len(self.program.blocks), np.int64)
        schedule = Schedule(self.kind, self.seed)
        with np.errstate(all="ignore"):
            for programs in schedule.chunks(x * y * z, kernel.threads):
                chunk = Chunk(
                    programs.astype(np.int64),
                    (x, y, z),
                    kernel.threads,
                    self.program.registers,
                    parameters,
                    memory,
                    kernel.shared_bytes + dynamic_shared,
                    self.races,
                    counts,
                )
                _Run(self.program, chunk, schedule, executed).run()
        for block, times in zip(self.program.blocks, executed.tolist(), strict=True):
            for opcode, number in Counter(block.opcodes).items():
                counts.instructions[opcode] += number * times
        return counts
