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
    if (least := float(stored.min())) < 0:
        raise ConfigError(
            "normalize_features: expected features >= 0 in a sparse matrix, got "
            f"{least:g}: set it to false, or store a dense matrix"
        )
    return least


def normalize(x: Tensor, shift: float) -> Tensor:
    """Returns the features minus :obj:`shift`, each row divided by its sum if that is above 1.

    A row depends on no other row. With the :func:`feature_shift` of dense features, the result is
    that of :class:`torch_geometric.transforms.NormalizeFeatures`.

    Args:
        x (Tensor): Features ``[N, F]``, dense or ``sparse_csr``.
        shift (float): Result of :func:`feature_shift` for the features of the training.
    """
    if x.layout == torch.strided or shift != 0:
        x = (x if x.layout == torch.strided else x.to_dense()) - shift
        return x.div_(x.sum(dim=-1, keepdim=True).clamp_(min=1.0))
    row = torch.repeat_interleave(torch.arange(x.size(0)), x.crow_indices().diff())
    sums = torch.zeros(x.size(0), dtype=x.dtype).index_add_(0, row, x.values())
    return torch.sparse_csr_tensor(
        x.crow_indices(),
        x.col_indices(),
        x.values() / sums.clamp(min=1.0)[row],
        x.shape,
        check_invariants=True,
    )
