"""Data sets by name: where they are looked for, and how they are had."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from torch_geometric.datasets import HeterophilousGraphDataset, Planetoid

from gatsparse.data.digits import digits
from gatsparse.data.errors import DatasetNotFoundError
from gatsparse.data.heterophilous import read_heterophilous
from gatsparse.data.places import roots, socket_timeout
from gatsparse.data.planetoid import raw_files, read_planetoid
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

#: The data sets that :func:`load` knows.
NAMES = (*_DATASETS, "digits")


def load(name: str, root: str | Path | None = None) -> Data:
    r"""Loads a data set.

    The files are taken from the first of these places that has them all:
    :obj:`root`, ``data``, ``../shared/data``, the user's cache directory; each in PyG's
    layout, such as ``data/Cora/raw/ind.cora.x``. Else PyG downloads them into the cache
    directory. Nothing is ever written to the other places, and nothing processed is
    kept. ``"digits"`` needs no file: it
    is part of scikit-learn.

    Args:
        name (str): One of :data:`NAMES`, in any case.
        root (str or Path, optional): A folder to look in first.

    Returns:
        torch_geometric.data.Data: :obj:`x` float32 ``[N, F]``, :obj:`y` int64 ``[N]``,
        :obj:`edge_index` int64 ``[2, E]`` in both directions, and boolean
        :obj:`train_mask`, :obj:`val_mask`, :obj:`test_mask` ``[N]``, or ``[N, 10]`` of
        tolokers, which has ten splits.

    Raises:
        ValueError: If :obj:`name` is unknown.
        DatasetNotFoundError: If it is not found and cannot be downloaded; the message names
            every place and what to put there.
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
    return dataset.read(find(key, root) or _download(key, root))


def find(name: str, root: str | Path | None = None) -> Path | None:
    """Returns the folder from which :func:`load` would take the raw files.

    Args:
        name (str): One of :data:`NAMES` but ``"digits"``, which has no files.
        root (str or Path, optional): A folder to look in first.

    Returns:
        Path or None: None if no place has all files.

    Raises:
        ValueError: If there is no data set of this name, or it has no files.

    Example:
        >>> from gatsparse.data import NAMES, find
        >>> NAMES
        ('cora', 'citeseer', 'pubmed', 'tolokers', 'digits')
        >>> find("cora", root="an-empty-folder") == find("cora")
        True
    """
    key = _check_name(name)
    if key == "digits":
        raise ValueError(f"name: expected a data set of files, got {name!r}")
    dataset = _DATASETS[key]
    return next((place for place in _places(dataset, root) if not _lacks(dataset, place)), None)


def _check_name(name: str) -> str:
    if not isinstance(name, str) or name.lower() not in NAMES:
        raise ValueError(f"name: expected one of {', '.join(NAMES)}, got {name!r}")
    return name.lower()


def _places(dataset: _Dataset, root: str | Path | None) -> list[Path]:
    return [place / dataset.folder / "raw" for place in roots(root)]


def _lacks(dataset: _Dataset, raw_dir: Path) -> list[str]:
    return [file for file in dataset.files if not (raw_dir / file).is_file()]


def _download(key: str, root: str | Path | None) -> Path:
    """Has PyG download a data set into the cache directory; returns the raw folder.

    It arrives in a temporary folder and is read there, so that neither a part of it nor
    an error page in its stead ever counts as the data set.
    """
    dataset = _DATASETS[key]
    places = _places(dataset, root)
    raw_dir = places[-1]
    try:
        cache = raw_dir.parent.parent
        cache.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=cache, prefix=".download-") as arrival, socket_timeout():
            dataset.pyg(root=arrival, name=dataset.folder)
            arrived = Path(arrival, dataset.folder, "raw")
            dataset.read(arrived)
            raw_dir.mkdir(parents=True, exist_ok=True)
            for file in dataset.files:
                (arrived / file).replace(raw_dir / file)
    except Exception as error:  # network, proxy, disk, rubbish received: no data set
        raise DatasetNotFoundError(_not_found(key, places, error)) from error
    return raw_dir


def _not_found(key: str, places: list[Path], error: Exception) -> str:
    dataset = _DATASETS[key]
    lines = [f"data set {key!r} was not found; tried"]
    for place in places:
        lacks = f"lacks {', '.join(_lacks(dataset, place))}" if place.is_dir() else "no such folder"
        lines.append(f"  {place.resolve()}: {lacks}")
    lines.append(f"  download from {dataset.url}: {type(error).__name__}: {error}")
    lines.append(f"Put {', '.join(dataset.files)} (from {dataset.url}) into one of these folders.")
    return "\n".join(lines)
