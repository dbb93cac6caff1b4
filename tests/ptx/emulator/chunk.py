"""State of the programs that run at the same time, and counts of what they execute."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tests.ptx.emulator.buffers import Buffer, GlobalMemory
from tests.ptx.emulator.formats import RAW

#: Bits of registers that were never written: NaN in every float format, -1 of integers.
UNDEFINED = {raw: ~raw(0) for raw in RAW.values()} | {np.bool_: np.bool_(True)}


class Counts(NamedTuple):
    """Instructions and memory accesses of a launch.

    Args:
        instructions (Counter): Warp-wide instructions by opcode.
        requests (Counter): Warp-wide accesses by (``ld.global``, argument).
        sectors (Counter): 32-byte sectors by (``ld.global``, argument), summed over the requests.
        bytes (Counter): Bytes by (``ld.global``, argument), summed over the threads.
    """

    instructions: Counter[str]
    requests: Counter[tuple[str, str]]
    sectors: Counter[tuple[str, str]]
    bytes: Counter[tuple[str, str]]

    @classmethod
    def empty(cls) -> "Counts":
        return cls(Counter(), Counter(), Counter(), Counter())

    def add(self, other: "Counts") -> None:
        """Adds the counts of another launch."""
        self.instructions.update(other.instructions)
        self.requests.update(other.requests)
        self.sectors.update(other.sectors)
        self.bytes.update(other.bytes)


class Chunk:
    """Programs that run at the same time; their threads are the lanes of arrays.

    Args:
        programs (ndarray): int64 ``[programs]``, their numbers in the grid.
        grid (tuple): Programs in x, y and z.
        threads (int): Threads of a program.
        registers (sequence): Unsigned dtype of each register, bool of a predicate.
        parameters (dict): Bits of each parameter, ``[1]``.
        memory (GlobalMemory): The tensors.
        shared_bytes (int): Bytes of shared memory of a program.
        checked (bool): Whether to find races in shared memory.
        counts (Counts): Counts that grow.
    """

    def __init__(
        self,
        programs: np.ndarray,
        grid: tuple[int, int, int],
        threads: int,
        registers: Sequence[type],
        parameters: dict[str, np.ndarray],
        memory: GlobalMemory,
        shared_bytes: int,
        checked: bool,
        counts: Counts,
    ):
        self.programs, self.threads = programs.size, threads
        self.lanes = n = programs.size * threads
        self.parameters, self.memory, self.counts = parameters, memory, counts
        undefined = {raw: np.full(n, value) for raw, value in UNDEFINED.items()}
        self.registers = [undefined[raw] for raw in registers]
        self.program = np.repeat(programs, threads)
        thread = np.tile(np.arange(threads, dtype=np.int64), programs.size)
        #: Keys of :class:`Shadow`.
        self.key = (self.program << 32) + thread // 32
        self.shared_bytes = shared_bytes
        size = shared_bytes * programs.size
        self.shared = Buffer(
            np.zeros(size, np.uint8), 1, "shared memory", np.zeros(size, bool), checked
        )
        self.shared_start = np.repeat(np.arange(programs.size) * shared_bytes, threads)
        self.special = self._special(thread, grid)

    def _special(self, thread: np.ndarray, grid: tuple[int, int, int]) -> dict[str, np.ndarray]:
        lane = thread % 32
        x, y, _ = grid
        one = np.uint64(1)
        below = (one << lane.astype(np.uint64)) - one
        itself = one << lane.astype(np.uint64)
        every = np.uint64(0xFFFFFFFF)
        values = {
            "%tid.x": thread,
            "%ntid.x": np.array([self.threads]),
            "%ctaid.x": self.program % x,
            "%ctaid.y": self.program // x % y,
            "%ctaid.z": self.program // x // y,
            **{f"%nctaid.{axis}": np.array([size]) for axis, size in zip("xyz", grid, strict=True)},
            **{f"%tid.{axis}": np.array([0]) for axis in "yz"},
            **{f"%ntid.{axis}": np.array([1]) for axis in "yz"},
            "%laneid": lane,
            "%warpid": thread // 32,
            "%lanemask_eq": itself,
            "%lanemask_lt": below,
            "%lanemask_le": below | itself,
            "%lanemask_gt": every & ~(below | itself),
            "%lanemask_ge": every & ~below,
        }
        return {name: value.astype(np.uint32) for name, value in values.items()}

    def warps(self, value: np.ndarray) -> np.ndarray:
        """Returns values of threads by warp, ``[warps, 32]``."""
        return np.broadcast_to(value, (self.lanes,)).reshape(-1, 32)
