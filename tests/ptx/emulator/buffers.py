"""Memory of a launch: bounds, alignment, initialisation and races are checked at every access."""

from typing import NamedTuple

import numpy as np

from tests.ptx.emulator.warps import Fault

#: Bits of an address within a buffer; the bits above number the buffer.
OFFSET_BITS = 40
_BEFORE = 1 << 24  # bytes between the begin of a buffer's range and its first byte


class Shadow:
    """Which threads read and wrote each element of a memory in the present launch.

    A thread is known by a key: its program in the upper 32 bits, then 24 bits that count the
    barriers it has passed, then its warp. Two accesses, one of them a write, race if they come from
    two programs, or from two warps of a program with no barrier between them.
    """

    def __init__(self, size: int):
        self.writer = np.full(size, -1, np.int64)
        self.reader = np.full(size, -1, np.int64)
        self.other = np.full(size, -1, np.int64)  # a reader before the last one

    @staticmethod
    def unordered(earlier: np.ndarray, key: np.ndarray) -> np.ndarray:
        """Where no barrier orders an earlier access and one with :obj:`key`."""
        differs = earlier ^ key
        same_program = differs >> 32 == 0
        same_phase = differs >> 8 == 0
        return (earlier >= 0) & (differs != 0) & (~same_program | same_phase)

    def read(self, at: np.ndarray, key: np.ndarray) -> np.ndarray:
        """Notes reads; returns which of them race with an earlier write."""
        before = self.reader[at]
        changed = (before >= 0) & (before != key)
        if changed.any():
            self.other[at[changed]] = before[changed]
        self.reader[at] = key
        lost = self.reader[at] != key  # several keys in one step
        if lost.any():
            self.other[at[lost]] = key[lost]
        return self.unordered(self.writer[at], key)

    def write(self, at: np.ndarray, key: np.ndarray) -> np.ndarray:
        """Notes writes; returns which of them race with earlier reads and writes."""
        found = self.unordered(self.writer[at], key)
        found |= self.unordered(self.reader[at], key) | self.unordered(self.other[at], key)
        self.writer[at] = key
        return found


class Buffer:
    """Memory that kernels access, in elements of one size.

    Args:
        data (ndarray): uint8 ``[bytes]``, changed in place.
        element (int): Size of an element in bytes; accesses are multiples of it.
        known (ndarray, optional): bool ``[bytes]``, which bytes were written since the memory was
            allocated; updated in place. All of them if missing.
        name (str): Name in messages.
        watched (bool): Whether to find races.
    """

    def __init__(
        self,
        data: np.ndarray,
        element: int,
        name: str,
        known: np.ndarray | None = None,
        watched: bool = True,
    ):
        whole = data.size // element * element
        self.data = data[:whole].view(f"u{element}")
        self.element, self.name = element, name
        self.known = None if known is None else known[:whole].reshape(-1, element)
        self.shadow = Shadow(whole // element) if watched else None

    def _elements(self, offset: np.ndarray, size: int) -> np.ndarray:
        """Positions of the elements of accesses of :obj:`size` bytes, ``[accesses, elements]``."""
        if size % self.element:
            raise Fault(f"{self.name}: access of {size} bytes to elements of {self.element}")
        return (offset // self.element)[:, None] + np.arange(size // self.element)

    def read(self, offset: np.ndarray, size: int, key: np.ndarray) -> np.ndarray:
        """Returns the bytes at offsets ``[accesses]`` as uint8 ``[accesses, size]``."""
        at = self._elements(offset, size)
        if self.known is not None and not (known := self.known[at].all((1, 2))).all():
            where = int(offset[np.argmin(known)])
            raise Fault(f"{self.name}: reads {size} bytes at {where} that were never written")
        if self.shadow is not None:
            race = self.shadow.read(at, np.broadcast_to(key[:, None], at.shape))
            if race.any():
                where = int(at[race][0]) * self.element
                raise Fault(f"{self.name}: race, reads at {where} what another thread writes")
        return self.data[at].view(np.uint8)

    def write(self, offset: np.ndarray, value: np.ndarray, key: np.ndarray) -> None:
        """Stores uint8 ``[accesses, size]`` at offsets ``[accesses]``."""
        at = self._elements(offset, value.shape[1])
        value = np.ascontiguousarray(value).view(self.data.dtype)
        before = self.data[at] if self.shadow is not None else None
        self.data[at] = value
        if self.known is not None:
            self.known[at] = True
        lost = self.data[at] != value
        if lost.any():
            where = int(at[lost][0]) * self.element
            raise Fault(f"{self.name}: race, threads write different values at {where}")
        if self.shadow is not None:
            race = self.shadow.write(at, np.broadcast_to(key[:, None], at.shape))
            race &= before != value
            if race.any():
                where = int(at[race][0]) * self.element
                raise Fault(f"{self.name}: race, writes at {where} what another thread accesses")


class Window(NamedTuple):
    """Part of a buffer that an argument of a kernel points to.

    Args:
        buffer (Buffer): The buffer.
        start, end (int): Its first byte, and the byte after its last.
        address (int): Address of the first byte.
        name (str): Name of the argument.
    """

    buffer: Buffer
    start: int
    end: int
    address: int
    name: str


class GlobalMemory:
    """The arguments of a launch in global memory.

    Each has a range of addresses of its own, so that an access outside of a tensor is found even
    if it would hit another one. Arguments that overlap share a buffer.
    """

    def __init__(self):
        self.windows: list[Window] = []

    def add(self, buffer: Buffer, start: int, size: int, alignment: int, name: str) -> int:
        """Adds bytes of a buffer; returns their address, equal to :obj:`alignment` modulo 256."""
        address = (len(self.windows) + 1 << OFFSET_BITS) + _BEFORE + alignment % 256
        self.windows.append(Window(buffer, start, start + size, address, name))
        return address

    def find(self, address: np.ndarray, size: int) -> list[tuple[Window, np.ndarray]]:
        """Returns the windows that are accessed, each with the positions of its accesses.

        Raises:
            Fault: If an access is outside of every window, or not aligned to its size.
        """
        if (address & (size - 1)).any():
            place = int(np.argmax(address & (size - 1) != 0))
            raise Fault(f"misaligned access of {size} bytes {self._describe(int(address[place]))}")
        number = (address >> OFFSET_BITS) - 1
        first = int(number[0])
        same = (number == first).all()
        found = []
        for which in (first,) if same else np.unique(number):
            places = np.arange(number.size) if same else np.flatnonzero(number == which)
            if not 0 <= which < len(self.windows):
                bad = int(address[places[0]])
                raise Fault(f"access of {size} bytes at {bad:#x}, which is no tensor")
            window = self.windows[which]
            offset = address[places] - window.address
            outside = (offset < 0) | (offset + size > window.end - window.start)
            if outside.any():
                bad = int(address[places][np.argmax(outside)])
                raise Fault(f"out of bounds: access of {size} bytes {self._describe(bad)}")
            found.append((window, places))
        return found

    def _describe(self, address: int) -> str:
        number = (address >> OFFSET_BITS) - 1
        if not 0 <= number < len(self.windows):
            return f"at {address:#x}"
        window = self.windows[number]
        return f"at {address - window.address} of {window.name} ({window.end - window.start} bytes)"
