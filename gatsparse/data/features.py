"""Node features in a file that may be larger than memory."""

from __future__ import annotations

import math
import mmap
import os
import weakref
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gatsparse import _native
from gatsparse.checks import check_instance
from gatsparse.data.npy import NpyArray, read_header
from gatsparse.data.places import expand
from gatsparse.files import named_errors
from gatsparse.index_checks import check_range

_native.LIBRARY.define(
    "read_rows(int descriptor, int offset, int row_bytes, Tensor index, Tensor(a!) out) -> ()"
)

_DTYPES = {
    np.dtype(name): getattr(torch, name)
    for name in ("float16", "float32", "float64", "uint8", "int8", "int16", "int32", "int64")
}


def open_features(path: str | Path) -> Tensor:
    r"""Opens the array of an ``.npy`` file as a tensor that stays on disk: its pages are read at
    their first access and dropped when memory is short.

    Use it as ``data.x`` of a mini-batch loader. The file must not change while the tensor is
    alive; writing into the tensor does not change the file.

    Args:
        path (str or Path): An array ``[N, ...]`` of numbers in C order and in the byte order of
            the machine, as written by :func:`numpy.lib.format.open_memmap`.

    Returns:
        Tensor: ``[N, ...]``, of the file's dtype.

    Raises:
        TypeError: If :obj:`path` is not a path.
        FileNotFoundError: If the file is missing.
        ValueError: If the file does not hold such an array, or is truncated.

    Example:
        >>> import numpy as np
        >>> from gatsparse.data import open_features
        >>> np.save("x.npy", np.arange(6, dtype=np.float32).reshape(3, 2))
        >>> open_features("x.npy")[1]
        tensor([2., 3.])
    """
    check_instance("path", path, (str, Path), "a path")
    path = expand(path)
    offset, shape, _, dtype, _ = _read_array(path)
    count = math.prod(shape)
    if count == 0:
        return torch.empty(shape, dtype=_DTYPES[dtype])
    with path.open("rb") as file:
        pages = mmap.mmap(file.fileno(), offset + count * dtype.itemsize, mmap.MAP_PRIVATE)
    if hasattr(mmap, "MADV_RANDOM"):  # rows are gathered: reading ahead does not help
        pages.madvise(mmap.MADV_RANDOM)
    return torch.frombuffer(pages, dtype=_DTYPES[dtype], count=count, offset=offset).view(shape)


class RowFile:
    """The rows of an ``.npy`` file, read on request and not cached.

    Unlike the pages of a memory map, they do not count as memory of the process.

    Args:
        path (str or Path): As in :func:`open_features`.

    Raises:
        FileNotFoundError, ValueError: As in :func:`open_features`.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = expand(path)
        self._offset, shape, _, dtype, _ = _read_array(self.path)
        self.shape, self.dtype = torch.Size(shape), _DTYPES[dtype]
        self._row_bytes = math.prod(shape[1:]) * dtype.itemsize
        self._descriptor = os.open(self.path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._descriptor)

    def gather(self, index: Tensor) -> Tensor:
        """Returns the rows :obj:`index`, int64 ``[S]``, of the file: ``[S, ...]``.

        Raises:
            IndexError: If an index is out of range.
            OSError: If a row cannot be read.
        """
        check_range(f"{self.path}: index", index, self.shape[0])
        out = torch.empty(index.numel(), *self.shape[1:], dtype=self.dtype)
        target = out.view(-1).view(torch.uint8) if out.numel() > 0 else out.new_empty(0).byte()
        try:
            torch.ops.gatsparse.read_rows(
                self._descriptor, self._offset, self._row_bytes, index.contiguous(), target
            )
        except RuntimeError as error:
            raise OSError(f"{self.path}: rows cannot be read; was the file truncated?") from error
        return out

    def read(self, first: int, last: int) -> Tensor:
        """Returns the rows :obj:`first` to :obj:`last` - 1: ``[last - first, ...]``.

        Raises:
            IndexError: If the range is not within the file.
            OSError: If the rows cannot be read.
        """
        if not 0 <= first <= last <= self.shape[0]:
            raise IndexError(
                f"rows: expected a range of 0 .. {self.shape[0]} in {self.path}, "
                f"got {first} to {last}"
            )
        out = torch.empty(last - first, *self.shape[1:], dtype=self.dtype)
        content = out.numpy().data.cast("B") if out.numel() > 0 else b""
        at = self._offset + first * self._row_bytes
        while len(content) > 0:
            done = os.preadv(self._descriptor, [content], at)
            if done == 0:
                raise OSError(f"{self.path}: rows cannot be read; was the file truncated?")
            content, at = content[done:], at + done
        return out


class RowWriter:
    """An ``.npy`` file whose rows are written in parts.

    Args:
        path (str or Path): The file.
        shape (tuple): Shape of the whole array.
        dtype (torch.dtype): Its dtype.
        resume (bool, optional): Whether to keep the content of the existing file.
    """

    def __init__(
        self, path: str | Path, shape: tuple[int, ...], dtype: torch.dtype, resume: bool = False
    ) -> None:
        numpy_dtype = next(key for key, value in _DTYPES.items() if value == dtype)
        self._row_bytes = math.prod(shape[1:]) * numpy_dtype.itemsize
        self._path = path = expand(path)
        if not resume:
            path.unlink(missing_ok=True)  # processes that have mapped the old file keep it
            with named_errors(path), path.open("wb") as file:
                header = {"descr": numpy_dtype.str, "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
                file.truncate(file.tell() + shape[0] * self._row_bytes)
        self._offset = _read_array(path).offset
        self._descriptor = os.open(path, os.O_RDWR)
        self._close = weakref.finalize(self, os.close, self._descriptor)

    def write(self, first: int, rows: Tensor) -> None:
        """Writes rows, starting at row :obj:`first`.

        Raises:
            OSError: If they cannot be written, such as on a full disk.
        """
        content = rows.contiguous().numpy().data.cast("B") if rows.numel() > 0 else b""
        at = self._offset + first * self._row_bytes
        with named_errors(self._path):
            while len(content) > 0:
                done = os.pwrite(self._descriptor, content, at)
                content, at = content[done:], at + done

    def sync(self) -> None:
        """Waits until all written rows are on disk."""
        with named_errors(self._path):
            os.fsync(self._descriptor)

    def close(self) -> None:
        """Closes the file."""
        self._close()


def _read_array(path: Path) -> NpyArray:
    """Reads the header of an array ``[N, ...]`` of numbers in C order.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If the file does not contain such an array, or is truncated.
    """
    array = read_header(path)
    shape, dtype = array.shape, array.dtype
    if dtype not in _DTYPES or not dtype.isnative:
        raise ValueError(
            f"{path}: expected an array of {', '.join(map(str, _DTYPES))}, got {dtype}"
        )
    if len(shape) == 0:
        raise ValueError(f"{path}: expected an array [N, ...] in C order, got []")
    if array.fortran_order and len(shape) > 1:
        raise ValueError(
            f"{path}: expected an array [N, ...] in C order, got {list(shape)} in Fortran order, "
            "as pandas creates it: save np.ascontiguousarray(array)"
        )
    if array.size < array.end:
        raise ValueError(
            f"{path}: expected {array.end} bytes for shape {list(shape)} of {dtype}, "
            f"got {array.size}"
        )
    if math.prod(size for size in shape if size > 0) >= 2**63:  # of an empty array, too
        raise ValueError(f"{path}: expected fewer than 2**63 numbers, got shape {list(shape)}")
    return array
