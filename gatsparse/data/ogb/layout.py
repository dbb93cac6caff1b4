"""The supported OGB data sets and the layout of their files."""

from __future__ import annotations

from dataclasses import dataclass

from gatsparse.data.raw_files import RawFiles

URL = "http://snap.stanford.edu/ogb/data/nodeproppred"
SPLITS = ("train", "valid", "test")

_CSV_FILES = {
    "x": "raw/node-feat.csv.gz",
    "y": "raw/node-label.csv.gz",
    "edge_index": "raw/edge.csv.gz",
    "num_nodes": "raw/num-node-list.csv.gz",
    "num_edges": "raw/num-edge-list.csv.gz",
}
_NPZ_FILES = {
    "x": "raw/data.npz",
    "y": "raw/node-label.npz",
    "edge_index": "raw/data.npz",
    "num_nodes": "raw/data.npz",
    "num_edges": "raw/data.npz",
}


@dataclass(frozen=True)
class OgbDataset:
    """A data set in OGB's layout: ``<root>/<folder>/raw`` and ``<root>/<folder>/split/<split>``.

    Args:
        name (str): OGB's name of the data set.
        archive (str): Name of the zip file and of the folder in it.
        split (str): Name of the split.
        inverse (bool): Whether the files hold one direction of every edge.
        binary (bool): Whether the files are ``.npz`` instead of ``.csv.gz``.
    """

    name: str
    archive: str
    split: str
    inverse: bool = False
    binary: bool = False

    @property
    def url(self) -> str:
        """Address of the archive."""
        return f"{URL}/{self.archive}.zip"

    @property
    def sources(self) -> dict[str, str]:
        """File of every array."""
        splits = {split: f"split/{self.split}/{split}.csv.gz" for split in SPLITS}
        return {**(_NPZ_FILES if self.binary else _CSV_FILES), **splits}

    @property
    def raw(self) -> RawFiles:
        """All files."""
        folder, files = self.name.replace("-", "_"), tuple(dict.fromkeys(self.sources.values()))
        instructions = (
            f"Put {', '.join(files)} into one of these folders: extract {self.url} "
            f"next to it and rename {self.archive} to {folder}."
        )
        return RawFiles(self.name, folder, files, self.url, instructions)


DATASETS = {
    dataset.name: dataset
    for dataset in (
        OgbDataset("ogbn-arxiv", "arxiv", "time"),
        OgbDataset("ogbn-products", "products", "sales_ranking", inverse=True),
        OgbDataset("ogbn-papers100M", "papers100M-bin", "time", binary=True),
    )
}

#: Names that :func:`gatsparse.data.load_ogb` accepts.
NAMES = tuple(DATASETS)


def check_name(name: str) -> str:
    """Returns OGB's spelling of a name.

    Raises:
        ValueError: If it is unknown.
    """
    known = {key.lower(): key for key in NAMES}
    if not isinstance(name, str) or name.lower() not in known:
        raise ValueError(f"name: expected one of {', '.join(NAMES)}, got {name!r}")
    return known[name.lower()]
