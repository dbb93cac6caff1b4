"""Accuracies that others published of the two-layer GAT, with their sources."""

from __future__ import annotations

from typing import NamedTuple


class Published(NamedTuple):
    """A mean over trainings, in percent.

    Args:
        mean, std (float): Of the test accuracy.
        runs (int): Number of trainings; of Shchur et al. that of splits, with 20 trainings each.
        source (str): Where it stands.
    """

    mean: float
    std: float
    runs: int
    source: str


_VELICKOVIC = "Veličković et al. 2018, table 2"
_FEY = "Fey & Lenssen 2019"
_SHCHUR = "Shchur et al. 2018"

#: By data set, of the fixed split as the authors' code trains.
PAPER = {
    "cora": (Published(83.0, 0.7, 100, _VELICKOVIC),),
    "citeseer": (Published(72.5, 0.7, 100, _VELICKOVIC),),
    "pubmed": (Published(79.0, 0.3, 100, _VELICKOVIC),),
}

#: By data set, of the fixed split as PyG's benchmark trains.
PYG = {
    "cora": (Published(83.1, 0.4, 100, f"{_FEY}, fixed split"),),
    "citeseer": (Published(70.8, 0.5, 100, f"{_FEY}, fixed split"),),
}

#: By data set, of random splits with 20 training nodes of each class. Those of Fey & Lenssen
#: have 500 validation and 1000 test nodes and are of the whole graph.
RANDOM = {
    "cora": (
        Published(81.8, 1.3, 100, f"{_SHCHUR}, random splits"),
        Published(80.8, 1.3, 100, f"{_FEY}, random splits"),
    ),
    "citeseer": (
        Published(71.4, 1.9, 100, f"{_SHCHUR}, random splits"),
        Published(68.9, 1.7, 100, f"{_FEY}, random splits"),
    ),
}
