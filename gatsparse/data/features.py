"""Node features in a file that may be larger than memory."""

from __future__ import annotations

import mmap
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

_DTYPES = {
    np.dtype(name): getattr(torch, name)
    for name in ("float16", "float32", "float64", "uint8", "int8", "int16", "int32", "int64")
}


def open_features(path: str | Path) -> Tensor:
    r"""The array of an ``.npy`` file as a tensor that stays on disk: its pages are read when
    they are touched, and dropped when memory is short.

    It serves as ``data.x`` of a mini-batch loader, or as the features of
    :func:`gatsparse.infer`. The file must not change meanwhile; the tensor must not be written.

    Args:
        path (str or Path): A C-contiguous array ``[N, ...]`` of numbers, in the byte order of
            the machine, such as :func:`numpy.lib.format.open_memmap` writes it.

    Returns:
        Tensor: ``[N, ...]``, of the file's dtype.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no such array, or shorter than it says.
    """
    path = Path(path)
    with path.open("rb") as file:
        try:
            version = np.lib.format.read_magic(file)
            read_header = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }[version]
            shape, fortran_order, dtype = read_header(file)
        except (ValueError, KeyError, EOFError) as error:
            raise ValueError(f"{path}: expected an .npy file, got none ({error})") from error
        if dtype not in _DTYPES or not dtype.isnative:
            known = ", ".join(map(str, _DTYPES))
            raise ValueError(f"{path}: expected an array of {known}, got {dtype}")
        if len(shape) == 0 or (fortran_order and len(shape) > 1):
            order = "Fortran" if fortran_order else "C"
            raise ValueError(
                f"{path}: expected a C-contiguous array [N, ...], got {list(shape)} in {order} order"
            )
        start, count = file.tell(), int(np.prod(shape))
        needed, size = start + count * dtype.itemsize, path.stat().st_size
        if size < needed:
            raise ValueError(
                f"{path}: expected {needed} bytes for shape {list(shape)} of {dtype}, got {size}"
            )
        if count == 0:
            return torch.empty(shape, dtype=_DTYPES[dtype])
        pages = mmap.mmap(file.fileno(), needed, mmap.MAP_PRIVATE)
    if hasattr(mmap, "MADV_RANDOM"):  # rows are gathered: their neighbours are not wanted
        pages.madvise(mmap.MADV_RANDOM)
    flat = torch.frombuffer(pages, dtype=_DTYPES[dtype], count=count, offset=start)
    return flat.view(shape)
