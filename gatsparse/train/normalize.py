"""Normalisation of features as in PyG's ``NormalizeFeatures``, in trainings and predictions."""

from __future__ import annotations

import torch
from torch import Tensor

from gatsparse.config_types import ConfigError


def feature_shift(x: Tensor) -> float:
    """Returns the least feature of a training, which :func:`normalize` subtracts from all.

    Args:
        x (Tensor): Features ``[N, F]``, dense or ``sparse_csr``.

    Raises:
        ConfigError: If a sparse matrix has negative features: the difference would be dense.
    """
    if x.numel() == 0:
        return 0.0
    if x.layout == torch.strided:
        return float(x.min())
    stored = x.values()
    if stored.numel() < x.numel():
        stored = torch.cat([stored, stored.new_zeros(1)])
    _require_positive(stored)
    return float(stored.min())


def normalize(x: Tensor, shift: float) -> Tensor:
    """Returns the features minus :obj:`shift`, each row divided by its sum if that is above 1.

    A row depends on no other row. With the :func:`feature_shift` of dense features, the result is
    that of :class:`torch_geometric.transforms.NormalizeFeatures`.

    Args:
        x (Tensor): Features ``[N, F]``, dense or ``sparse_csr``.
        shift (float): Result of :func:`feature_shift` for the features of the training.

    Raises:
        ConfigError: If a sparse matrix has negative features and the shift is 0.
    """
    if x.layout == torch.strided or shift != 0:
        x = (x if x.layout == torch.strided else x.to_dense()) - shift
        return x.div_(x.sum(dim=-1, keepdim=True).clamp_(min=1.0))
    _require_positive(x.values())
    row = torch.repeat_interleave(torch.arange(x.size(0)), x.crow_indices().diff())
    sums = torch.zeros(x.size(0), dtype=x.dtype).index_add_(0, row, x.values())
    return torch.sparse_csr_tensor(
        x.crow_indices(),
        x.col_indices(),
        x.values() / sums.clamp(min=1.0)[row],
        x.shape,
        check_invariants=True,
    )


def note_on_smaller_features(x: Tensor, shift: float) -> str | None:
    """Returns a note if features are below those of the training, so that sums may be negative.

    Args:
        x, shift: As in :func:`normalize`.
    """
    if x.layout != torch.strided:
        if shift == 0:  # negative features are an error
            return None
        x = x.to_dense()
    below = int((x < shift).any(dim=-1).sum())
    if below == 0:
        return None
    return (
        f"normalize_features: {below} nodes have features below {shift:g}, the least of the "
        "training: where the sum of the differences is below 1, they are not divided"
    )


def _require_positive(stored: Tensor) -> None:
    if stored.numel() > 0 and (least := float(stored.min())) < 0:
        raise ConfigError(
            "normalize_features: expected features >= 0 in a sparse matrix, got "
            f"{least:g}: set it to false, or store a dense matrix"
        )
