"""Copies of parsed CSV files in the user's cache, because parsing is slow."""

from __future__ import annotations

import hashlib
import shutil
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from gatsparse.data.ogb.layout import SPLITS
from gatsparse.data.ogb.raw import read_raw

if TYPE_CHECKING:
    from gatsparse.data.ogb.layout import OgbDataset

_ARRAYS = ("x", "y", "edge_index", *SPLITS)


def load_arrays(dataset: OgbDataset, place: Path, cache: Path) -> dict[str, np.ndarray]:
    """Returns the arrays of the files in :obj:`place`; those of CSV files are cached.

    Args:
        dataset (OgbDataset): The data set.
        place (Path): Folder with all of its files.
        cache (Path): Folder of the copies.
    """
    if dataset.binary:
        return read_raw(dataset, place)
    stats = [(file, (place / file).stat()) for file in dataset.raw.files]
    state = repr([(file, stat.st_size, stat.st_mtime_ns) for file, stat in stats])
    copy = cache / f"parsed-{hashlib.sha256(state.encode()).hexdigest()[:16]}"
    arrays = _read_copy(copy)
    if arrays is None:
        arrays = read_raw(dataset, place)
        _write_copy(arrays, copy)
    return arrays


def _read_copy(copy: Path) -> dict[str, np.ndarray] | None:
    try:
        return {key: np.load(copy / f"{key}.npy", allow_pickle=False) for key in _ARRAYS}
    except (OSError, ValueError, EOFError):  # missing or damaged
        return None


def _write_copy(arrays: dict[str, np.ndarray], copy: Path) -> None:
    """Replaces the copies of older files; best effort, such as on a full disk."""
    with suppress(OSError):
        copy.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=copy.parent, prefix=".parsed-") as folder:
            new = Path(folder, copy.name)
            new.mkdir()
            for key, array in arrays.items():
                np.save(new / f"{key}.npy", array, allow_pickle=False)
            for old in copy.parent.glob("parsed-*"):
                shutil.rmtree(old, ignore_errors=True)
            new.replace(copy)
