"""The protocols under which the accuracy of GAT was published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.experiments.paper import published
from benchmarks.experiments.paper.published import Published

_CONFIGS = Path(__file__).parents[3] / "configs"

DATASETS = ("cora", "citeseer", "pubmed")


@dataclass(frozen=True)
class Protocol:
    """Configuration of a training, and the rule that selects its epoch.

    Args:
        name (str): Description of the protocol.
        suffix (str): Suffix of the names of its configurations.
        rule (str): Rule of early stopping, see :class:`gatsparse.train.EarlyStopping`.
        published (dict): Published accuracies, by data set.
    """

    name: str
    suffix: str
    rule: str
    published: Mapping[str, tuple[Published, ...]]


PROTOCOLS = (
    Protocol("original code, its own stopping rule", "", "paper", published.PAPER),
    Protocol("original code, accuracy only", "", "val_score", published.PAPER),
    Protocol("PyG's benchmark (1000 epochs, lowest validation loss)", "-pyg", "pyg", published.PYG),
    Protocol("random splits", "-random", "pyg", published.RANDOM),
)

#: Suffixes of all configurations of a data set.
SUFFIXES = tuple(dict.fromkeys(protocol.suffix for protocol in PROTOCOLS))

#: Names, by suffix, of the recipes whose time is compared with that of PyG's layers.
TIMED = {"": "original code", "-pyg": "PyG's benchmark"}


def paper_config(dataset: str, suffix: str) -> Path:
    """Returns the path of a protocol's configuration."""
    return _CONFIGS / "paper" / f"{dataset}{suffix}.yaml"


def short_config(dataset: str) -> Path:
    """Returns the path of the configuration with 200 epochs."""
    return _CONFIGS / f"{dataset}.yaml"
