"""Content of index tensors on a GPU, compared without waiting for the device."""

from __future__ import annotations

import torch
from torch import Tensor

from gatsparse.graph.late_check import LateCheck


class ContentOnGPU:
    """Content of some tensors: two are equal if their tensors have the same versions.

    Changes without a new version, such as through DLPack or by a collective, are found by
    fingerprints, the comparison of which is read at a later call.

    Args:
        indices (tuple): Contiguous or strided integer tensors on one GPU.
    """

    def __init__(self, indices: tuple[Tensor, ...]) -> None:
        self._indices = indices
        self._versions = tuple(0 if t.is_inference() else t._version for t in indices)
        self._expected: Tensor | None = None
        self._changed: Tensor | None = None
        self._check: LateCheck | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ContentOnGPU) and self._versions == other._versions

    def __hash__(self) -> int:
        return hash(self._versions)

    def keep(self) -> None:
        """Keeps the fingerprints, with which later contents are compared, and not the tensors."""
        self._expected = self._fingerprints()
        self._changed = torch.zeros_like(self._expected, dtype=torch.bool)
        self._indices = ()

    def compare(self, content: ContentOnGPU) -> None:
        """Compares the kept content with that of the same tensors now.

        Raises:
            RuntimeError: If an earlier comparison has found a difference.
        """
        assert self._expected is not None
        assert self._changed is not None
        if self._check is not None:
            self._check.passed()
        if self._expected.is_cuda and torch.cuda.is_current_stream_capturing():
            return
        # Not in place, because the first call may have been in inference mode.
        self._changed = self._changed | (content._fingerprints() != self._expected)
        self._check = LateCheck(self._changed.any().long()[None], _verdict)

    def _fingerprints(self) -> Tensor:
        from gatsparse.gpu.fingerprint import fingerprint  # Triton, which is imported at need

        return torch.stack([fingerprint(index.contiguous()) for index in self._indices])


def _verdict(found: list[int]) -> Exception | None:
    if found[0] == 0:
        return None
    return RuntimeError(
        "edge_index: its memory has changed without a new version of the tensor, such as through "
        "DLPack or by a collective, since its CSR graph was built; results since then are those of "
        "the earlier edges. Call gatsparse.clear_graph_cache() after such changes"
    )
