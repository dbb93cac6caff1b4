"""Header of an ``.npy`` file."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

_INT64_MAX = 2**63 - 1


class NpyArray(NamedTuple):
    """Array in a file.

    Attributes:
        offset (int): Byte at which its numbers begin.
        shape (tuple): Its shape.
        fortran_order (bool): Whether the first index varies fastest.
        dtype (numpy.dtype): Its dtype.
        size (int): Size of the file in bytes.
    """

    offset: int
    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype
    size: int

    @property
    def end(self) -> int:
        """Byte at which the numbers end, if the file is complete."""
        return self.offset + math.prod(self.shape) * self.dtype.itemsize


def read_header(path: Path) -> NpyArray:
    """Reads the header of an ``.npy`` file of version 1, 2 or 3. No object is unpickled.

    Args:
        path (Path): The file.

    Raises:
        OSError: If the file cannot be opened.
        ValueError: If it is not an ``.npy`` file, or its shape is not valid.
    """
    with path.open("rb") as file:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # NumPy's, about headers written by Python 2
                version = np.lib.format.read_magic(file)
                if version == (1, 0):
                    header = np.lib.format.read_array_header_1_0(file)
                elif version in ((2, 0), (3, 0)):  # they differ in the names of fields only
                    header = np.lib.format.read_array_header_2_0(file)
                else:
                    raise ValueError(f"unknown version {version}")
        except OSError:
            raise
        except Exception as error:  # a damaged header can raise anything
            raise ValueError(
                f"{path}: expected a valid .npy header, got an invalid one ({error})"
            ) from error
        offset, size = file.tell(), file.seek(0, 2)
    shape, fortran_order, dtype = header
    if not all(type(length) is int and 0 <= length <= _INT64_MAX for length in shape):
        raise ValueError(f"{path}: expected sizes 0 .. 2**63 - 1, got {list(shape)}")
    return NpyArray(offset, shape, fortran_order, dtype, size)
