"""Data sets by name, from raw files in PyG's layout."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from torch_geometric.datasets import HeterophilousGraphDataset, Planetoid

from gatsparse.data.digits import digits
from gatsparse.data.heterophilous import read_heterophilous
from gatsparse.data.planetoid import raw_files, read_planetoid
from gatsparse.data.raw_files import RawFiles
from gatsparse.extras import require_extra

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch_geometric.data import Data


@dataclass(frozen=True)
class _Dataset:
    """A data set of raw files, in the layout ``<root>/<folder>/raw`` of PyG."""

    folder: str
    files: tuple[str, ...]
    url: str
    read: Callable[[Path], Data]
    pyg: Callable[..., object]

    @property
    def raw(self) -> RawFiles:
        return RawFiles(
            self.folder.lower(),
            f"{self.folder}/raw",
            self.files,
            self.url,
            f"Put {', '.join(self.files)} (from {self.url}) into one of these folders.",
        )

    def fetch(self, arrival: Path) -> Path:
        self.pyg(root=str(arrival), name=self.folder)
        return arrival / self.folder / "raw"


def _planetoid(name: str) -> _Dataset:
    return _Dataset(
        name, raw_files(name), Planetoid.url, partial(read_planetoid, name=name), Planetoid
    )


_DATASETS = {
    "cora": _planetoid("Cora"),
    "citeseer": _planetoid("CiteSeer"),
    "pubmed": _planetoid("PubMed"),
    "tolokers": _Dataset(
        "tolokers",
        ("tolokers.npz",),
        HeterophilousGraphDataset.url,
        lambda raw_dir: read_heterophilous(raw_dir / "tolokers.npz"),
        HeterophilousGraphDataset,
    ),
}

#: Names that :func:`load` accepts.
NAMES = (*_DATASETS, "digits")


def load(name: str, root: str | Path | None = None) -> Data:
    r"""Loads a data set.

    The files are read from the first of these folders that holds all of them:
    :obj:`root`, ``data``, ``../shared/data``, the user's cache directory; each in PyG's
    layout, such as ``data/Cora/raw/ind.cora.x``. If no folder does, PyG downloads them into
    the cache directory. Nothing is written to the other folders, and no processed data is
    kept. ``"digits"`` needs no files (it is part of scikit-learn).

    Args:
        name (str): One of :data:`NAMES`, in any case.
        root (str or Path, optional): Folder to search first.

    Returns:
        torch_geometric.data.Data: :obj:`x` float32 ``[N, F]``, :obj:`y` int64 ``[N]``,
        :obj:`edge_index` int64 ``[2, E]`` in both directions, and boolean
        :obj:`train_mask`, :obj:`val_mask`, :obj:`test_mask` ``[N]``; for tolokers, which has
        ten splits, ``[N, 10]``.

    Raises:
        ValueError: If :obj:`name` is unknown.
        DatasetNotFoundError: If the files are missing and cannot be downloaded; the message
            names every folder and the missing files.
        DatasetCorruptError: If a file is truncated or corrupt; the message names it.
        ImportError: If a package of ``pip install 'gatsparse[data]'`` is missing.

    Example:
        >>> from gatsparse.data import load
        >>> data = load("digits")
        >>> data.x.shape, int(data.train_mask.sum())
        (torch.Size([1797, 64]), 200)
    """
    key = _check_name(name)
    require_extra("gatsparse.data.load", "data", "platformdirs", "scipy", "sklearn")
    if key == "digits":
        return digits()
    dataset = _DATASETS[key]
    place = dataset.raw.find(root)
    if place is None:
        return dataset.raw.download(root, dataset.fetch, dataset.read)
    return dataset.read(place)


def find(name: str, root: str | Path | None = None) -> Path | None:
    """Returns the folder from which :func:`load` would read the raw files.

    Args:
        name (str): One of :data:`NAMES` except ``"digits"``, which has no files.
        root (str or Path, optional): Folder to search first.

    Returns:
        Path or None: None if no folder holds all files.

    Raises:
        ValueError: If :obj:`name` is unknown or has no files.

    Example:
        >>> from gatsparse.data import NAMES, find
        >>> NAMES
        ('cora', 'citeseer', 'pubmed', 'tolokers', 'digits')
        >>> find("cora", root="an-empty-folder") == find("cora")
        True
    """
    key = _check_name(name)
    if key == "digits":
        raise ValueError(f"name: expected a data set that is read from files, got {name!r}")
    return _DATASETS[key].raw.find(root)


def _check_name(name: str) -> str:
    if not isinstance(name, str) or name.lower() not in NAMES:
        raise ValueError(f"name: expected one of {', '.join(NAMES)}, got {name!r}")
    return name.lower()
