"""Typed description of a graph in files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from gatsparse.config_types import ConfigError, require, require_types
from gatsparse.data.places import expand

#: Columns that have a role unless the configuration says otherwise, the first that exists.
ID_COLUMNS = ("id", "node_id", "node")
LABEL_COLUMNS = ("label", "y", "labels", "class", "node_labels")
GRAPH_COLUMNS = ("graph", "graph_id")

SPLIT_COLUMNS = ("split",)

#: Ends of the names of files of features and labels; other names are those of columns.
FEATURE_SUFFIXES = (".npy", ".npz")
LABEL_SUFFIX = ".npy"

#: How a split is drawn.
Draw = Literal["random", "stratified", "time"]


def usual_role(name: str) -> str | None:
    """Returns what a column with this name usually contains, such as labels, or None."""
    usual = {"ids": ID_COLUMNS, "labels": LABEL_COLUMNS, "parts of a split": SPLIT_COLUMNS}
    return next((role for role, names in usual.items() if name in names), None)


@dataclass(frozen=True)
class GraphFiles:
    """A graph in files: a table of nodes and a table of edges.

    Tables are CSV, TSV and other text with a header (.csv, .tsv, .txt; also with .gz, .bz2, .xz or
    .zst), Parquet, .npy and .npz. Names of files are relative to the folder, so that another folder
    has files of its own: paths out of it are refused. A file elsewhere can be linked into it.

    Categories, means and standard deviations are learned from all nodes or edges of the graph of
    the training, also from those outside of the training set: its validation and test scores are
    transductive. Predictions on another graph use what was learned.

    Args:
        path: Folder of the files.
        nodes: Table with a row for each node. (default: the file nodes.* of the folder)
        edges: Table with a row for each edge; a list or folder of tables that are read in order.
            (default: the file or folder edges or edges.* of the folder)
        node_id: Column of the ids of the nodes: text, UUIDs or integers.
            (default: the column id, node_id or node; else rows are numbered from 0)
        source: Column of the sources of the edges. (default: recognised by its name)
        target: Column of the targets of the edges. (default: recognised by its name)
        label: Column of the labels, or several columns of numbers for tasks multi_label and
            regression. Nodes with an empty cell, or -1 among other numbers that are classes, have
            no label and are in no split that is drawn. With task graph_classification, a column of
            the table of graphs. (default: the column label or y)
        label_separator: Separator of the labels in a cell, for task multi_label. A cell with the
            separator alone is a node with none of the labels.
        features: Columns of the features, or a file with a row for each node: .npy, or .npz of
            scipy.sparse. (default: all columns without another role)
        ignore: Columns that are not features.
        categorical: Columns of numbers that are categories. Columns of text always are.
        missing: Missing numbers and missing or unknown categories are errors; or, with mean and
            zero, numbers become the mean of the column or 0, and categories become 0 in all
            features of the column.
        standardize: Subtract the mean of each column of numbers, and divide by its standard
            deviation.
        edge_features: Columns of numbers of the edges, such as a weight.
        graph: Column of the table of nodes with the graph of each node, for task
            graph_classification. (default: the column graph or graph_id)
        graphs: Table with a row for each graph: id, label and, if the split is given, split.
            (default: the file graphs.* of the folder)
        split: Column with train, val or test. (default: the column split, else drawn)
        train: File with the ids of the training nodes, one per line, or .npy.
        val: File with the ids of the validation nodes.
        test: File with the ids of the test nodes.
        draw: Draw the split: at random, with the same shares of every class, or by time.
        time: Column of times or numbers; the latest nodes become test nodes, with draw time.
        train_share: Share of training nodes of the labelled nodes, if drawn.
        val_share: Share of validation nodes, if drawn; all others are test nodes.
        split_seed: Seed of a split that is drawn.
        unknown_nodes: Edges of nodes that are not in the table of nodes are errors, or dropped and
            counted.
        self_loops: Keep edges from a node to itself, or drop and count them.
        duplicates: Edges that occur twice are kept, dropped and counted, or errors.

    Example:
        >>> from gatsparse.data import GraphFiles
        >>> GraphFiles("shop", label="kind", ignore=["name"], edge_features=["weight"]).missing
        'error'
    """

    path: Path
    nodes: str | None = None
    edges: str | list[str] | None = None
    node_id: str | None = None
    source: str | None = None
    target: str | None = None
    label: str | list[str] | None = None
    label_separator: str | None = None
    features: str | list[str] | None = None
    ignore: list[str] = field(default_factory=list)
    categorical: list[str] = field(default_factory=list)
    missing: Literal["error", "mean", "zero"] = "error"
    standardize: bool = False
    edge_features: list[str] = field(default_factory=list)
    graph: str | None = None
    graphs: str | None = None
    split: str | None = None
    train: str | None = None
    val: str | None = None
    test: str | None = None
    draw: Draw | None = None
    time: str | None = None
    train_share: float = 0.6
    val_share: float = 0.2
    split_seed: int = 0
    unknown_nodes: Literal["error", "drop"] = "error"
    self_loops: Literal["keep", "drop"] = "keep"
    duplicates: Literal["keep", "drop", "error"] = "keep"

    def __post_init__(self) -> None:
        require_types(self, "dataset.")
        require(self.path != "", "dataset.path", "the folder of the files", self.path)
        object.__setattr__(self, "path", expand(self.path))
        for key, name in self._file_names():
            if Path(name).anchor or ".." in Path(name).parts:
                raise ConfigError(
                    f"dataset.{key}: expected a name relative to dataset.path and without '..', "
                    f"got {name!r}: move the file into the folder, or link to it there"
                )
        for key in ("label", "features", "ignore", "categorical", "edge_features"):
            names = getattr(self, key)
            different = not isinstance(names, list) or len(names) == len(set(names))
            require(different, f"dataset.{key}", "different columns", names)
        for key in ("features", "categorical", "label", "node_id"):
            if both := sorted({*_listed(getattr(self, key))} & {*self.ignore}):
                raise ConfigError(
                    f"dataset.ignore: expected columns that are not in dataset.{key}, got "
                    f"{', '.join(map(repr, both))} in both: remove it from one of them"
                )
        unused = sorted({*self.categorical} - {*_listed(self.features)})
        if self.features is not None and unused:
            raise ConfigError(
                "dataset.categorical: expected columns in dataset.features, got "
                f"{', '.join(map(repr, unused))}: add it to dataset.features, or remove it"
            )
        different = self.source is None or self.source != self.target
        require(different, "dataset.target", "another column than dataset.source", self.target)
        ways = [
            name
            for name, used in (
                ("split", self.split is not None),
                ("train", any((self.train, self.val, self.test))),
                ("draw", self.draw is not None),
            )
            if used
        ]
        require(
            len(ways) <= 1,
            f"dataset.{ways[-1] if ways else 'split'}",
            "only one of split, train with val and test, or draw",
            ways,
        )
        if "train" in ways:
            for key in ("train", "val", "test"):
                require(getattr(self, key) is not None, f"dataset.{key}", "a file of ids", None)
        require(
            (self.time is not None) == (self.draw == "time"),
            "dataset.time",
            "a column if draw is time, else null",
            self.time,
        )
        shares = self.train_share, self.val_share
        require(
            min(shares) > 0 and sum(shares) < 1,
            "dataset.train_share",
            "positive shares with train_share + val_share < 1",
            shares,
        )
        require(0 <= self.split_seed < 2**63, "dataset.split_seed", ">= 0", self.split_seed)
        require(
            self.label_separator != "", "dataset.label_separator", "a text", self.label_separator
        )

    def _file_names(self) -> Iterator[tuple[str, str]]:
        """Yields the keys that name files, and the names."""
        for key in ("nodes", "edges", "graphs", "train", "val", "test"):
            names = getattr(self, key)
            for name in [names] if isinstance(names, str) else names or []:
                yield key, name
        for key, suffixes in (("features", FEATURE_SUFFIXES), ("label", LABEL_SUFFIX)):
            name = getattr(self, key)
            if isinstance(name, str) and name.endswith(suffixes):
                yield key, name


def _listed(names: str | list[str] | None) -> list[str]:
    return [names] if isinstance(names, str) else names or []
