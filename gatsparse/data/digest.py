"""Digests of tensors, by which the data of a training are recognised."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor


def digest_of(tensors: Mapping[str, Tensor], described: str = "") -> str:
    """Returns a digest of names, types, shapes and values of tensors.

    Args:
        tensors (dict): Tensors of any layout, by name.
        described (str, optional): Text that is part of the digest.
    """
    digest = hashlib.sha256(described.encode())
    for name, tensor in tensors.items():
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        for part in _parts(tensor.detach()):
            part = part.cpu().contiguous().view(-1)
            digest.update(part.view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _parts(tensor: Tensor) -> tuple[Tensor, ...]:
    if tensor.layout == torch.sparse_csr:
        return tensor.crow_indices(), tensor.col_indices(), tensor.values()
    if tensor.layout == torch.sparse_csc:
        return tensor.row_indices(), tensor.ccol_indices(), tensor.values()
    if tensor.layout == torch.sparse_coo:
        tensor = tensor.coalesce()
        return tensor.indices(), tensor.values()
    return (tensor,)
