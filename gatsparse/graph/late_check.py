"""Checks of tensors on a GPU whose results the host reads at a later call, without waiting."""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakSet

import torch
from torch import Tensor

#: Returns an error for the numbers that a check has found, or None.
Verdict = Callable[[list[int]], Exception | None]

_unread: WeakSet[LateCheck] = WeakSet()


class LateCheck:
    """A check of tensors, the result of which is on its way to the host.

    Args:
        found (Tensor): int64 ``[k]``, the numbers from which :obj:`verdict` decides.
        verdict (callable): Returns an error, or None, for the numbers as a list.
    """

    def __init__(self, found: Tensor, verdict: Verdict) -> None:
        self._verdict = verdict
        self._arrived: torch.cuda.Event | None = None
        self._found = found
        if found.is_cuda:
            pinned = torch.empty(found.shape, dtype=found.dtype, pin_memory=True)
            self._found = pinned.copy_(found, non_blocking=True)
            self._arrived = torch.cuda.Event()
            self._arrived.record(torch.cuda.current_stream(found.device))
        _unread.add(self)

    def passed(self, *, wait: bool = False) -> bool:
        """Whether the result is known and good; False while it is on its way.

        Args:
            wait (bool, optional): Waits for the result.

        Raises:
            Exception: The error of the check. It is raised by each call.
        """
        if self._arrived is not None:
            if wait:
                self._arrived.synchronize()
            elif torch.cuda.is_current_stream_capturing() or not self._arrived.query():
                return False
        _unread.discard(self)
        error = self._verdict(self._found.tolist())
        if error is not None:
            raise error
        return True


def read_all() -> None:
    """Waits for the results that the host has not read yet.

    Raises:
        Exception: The error of the first check that found one.
    """
    for check in list(_unread):
        check.passed(wait=True)


def confine(edge_index: Tensor, sizes: tuple[int, int]) -> tuple[Tensor, LateCheck | None]:
    """Returns edges that are in range for certain, and the check whether they are unchanged.

    An index out of range is replaced by one in range, so that no kernel reads or writes outside a
    buffer until the check raises.

    Args:
        edge_index (Tensor): int64 or int32 ``[2, E]`` on any device.
        sizes (tuple): ``(N_src, N_dst)``.

    Raises:
        IndexError: If there are edges, but no nodes for one of their ends.
    """
    if edge_index.numel() == 0:
        return edge_index, None
    for k, size in enumerate(sizes):
        if size == 0:
            raise IndexError(f"edge_index[{k}]: expected no edges without nodes, got some")
    low, lowest = edge_index.min(1)
    high, highest = edge_index.max(1)
    found = torch.stack([n.long() for n in (low, lowest, high, highest)], 1).flatten()

    def verdict(found: list[int]) -> Exception | None:
        for k, size in enumerate(sizes):
            low, lowest, high, highest = found[4 * k : 4 * k + 4]
            if low < 0 or high >= size:
                worst, position = (low, lowest) if low < 0 else (high, highest)
                return IndexError(
                    f"edge_index[{k}]: expected indices in 0 .. {size - 1}, got {worst} at "
                    f"position {position}. Results since this graph was built are wrong"
                )
        return None

    ends = [end.clamp(0, size - 1) for end, size in zip(edge_index.unbind(0), sizes, strict=True)]
    return torch.stack(ends), LateCheck(found, verdict)
