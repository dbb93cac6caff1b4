"""Predictions for the nodes of a graph, or for graphs, and their files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch_geometric.data import Data

from gatsparse.checks import check_instance
from gatsparse.config_types import ConfigError
from gatsparse.data import NodeIds
from gatsparse.data.places import expand
from gatsparse.extras import require_extra
from gatsparse.files import check_suffix, write_atomically
from gatsparse.predict.model import FinishedRun, require_node_task
from gatsparse.train.objectives.classification import Classification

if TYPE_CHECKING:
    import pyarrow as pa

#: Ends of the names of files of predictions.
SUFFIXES = (".parquet", ".csv")

_ROWS = 2**16  # of a block


@dataclass(frozen=True)
class Predictions:
    """Outputs of a model for all nodes of a graph, or for all graphs.

    Args:
        run (FinishedRun): The run of the model.
        data (torch_geometric.data.Data): The graph.
        outputs (Tensor): ``[N, K]``: logits, or scaled targets of a regression. With task
            graph_classification ``[G, K]``.

    Example:
        >>> from pathlib import Path
        >>> from gatsparse.predict import load_data, load_run, predict
        >>> from gatsparse.train import TrainConfig, train
        >>> config = TrainConfig("digits", epochs=2, run_dir=Path("new_runs"), progress=False)
        >>> _ = train(config)  # doctest: +ELLIPSIS
        memory: ...
        >>> run = load_run(next(Path("new_runs").iterdir()))
        >>> predict(run, load_data(run)).write("digits.csv")
        >>> Path("digits.csv").read_text().splitlines()[0][:24]
        '"id","class","p_0","p_1"'
    """

    run: FinishedRun
    data: Data
    outputs: Tensor

    def scores(self) -> dict[str, float]:
        """Returns the metric of the run on the validation and the test nodes or graphs (``"val"``,
        ``"test"``) or, without masks, on all that have a label (``"all"``); empty without labels.

        Raises:
            TypeError, ValueError: If the labels are not labels of the task.
        """
        require_node_task(self.run)
        if self.data.get("y") is None:
            return {}
        objective = self.run.objective
        y = objective.labels(self.data)
        masks = {name: self.data.get(f"{name}_mask") for name in ("val", "test")}
        if any(mask is None for mask in masks.values()):
            masks = {"all": torch.ones(len(y), dtype=torch.bool)}
        scores = {}
        for name, mask in masks.items():
            nodes = (mask & objective.labelled(y)).nonzero().squeeze(1)
            if len(nodes) > 0:
                scores[name] = objective.score(self.outputs[nodes], y[nodes])
        return scores

    def write(self, path: str | Path) -> None:
        """Writes a row for each node or graph into a Parquet or CSV file.

        Its columns are ``id``; for classification ``class`` and the probability ``p_<class>`` of
        each class; for multi_label ``<label>`` as a boolean and ``p_<label>`` for each label; and
        for regression the value of each target. The file is written atomically.

        Args:
            path (str or Path): The file; its name ends in ``.parquet`` or ``.csv``.

        Raises:
            ConfigError: If the name ends differently, or two columns would have the same name.
            ImportError: If pyarrow is missing.
            OSError: If the file cannot be written.
        """
        check_instance("path", path, (str, Path), "a path")
        require_node_task(self.run)
        check_names(self.run)
        blocks = range(0, max(len(self.outputs), 1), _ROWS)
        column = self.ids.array()
        write_tables(
            path,
            (
                self._table(column[first : first + _ROWS], self.outputs[first : first + _ROWS])
                for first in blocks
            ),
        )

    @property
    def ids(self) -> NodeIds:
        """Ids of the nodes, or of the graphs; their numbers if there are no ids."""
        key = "graph_ids" if self.run.config.task == "graph_classification" else "node_ids"
        return self.data.get(key) or NodeIds(num_nodes=len(self.outputs))

    def _table(self, ids: pa.Array, outputs: Tensor) -> pa.Table:
        import pyarrow as pa

        objective, classes = self.run.objective, self.run.classes
        predicted, shares = objective.predict(outputs), objective.probabilities(outputs)
        columns: list[tuple[str, Any]] = [("id", ids)]
        if isinstance(objective, Classification):
            columns.append(("class", pa.array(classes).take(pa.array(predicted.numpy()))))
        else:
            flags = self.run.config.task == "multi_label"
            for name, values in zip(classes, predicted.unbind(1), strict=True):
                columns.append((name, (values.bool() if flags else values).numpy()))
        if shares is not None:
            for name, values in zip(classes, shares.unbind(1), strict=True):
                columns.append((f"p_{name}", values.contiguous().numpy()))
        names, arrays = zip(*columns, strict=True)
        return pa.table([pa.array(array) for array in arrays], names=list(names))


def write_tables(path: str | Path, tables: Iterator[pa.Table]) -> None:
    """Writes tables with the same columns one after another into a Parquet or CSV file.

    Raises:
        ConfigError, ImportError, OSError: As in :meth:`Predictions.write`.
    """
    path = expand(path)
    check_suffix(path, SUFFIXES)
    require_extra("writing predictions", "large", "pyarrow")
    import pyarrow.csv
    import pyarrow.parquet

    def write(file: Any) -> None:
        first = next(tables)
        is_csv = path.suffix.lower() == ".csv"
        new = pyarrow.csv.CSVWriter if is_csv else pyarrow.parquet.ParquetWriter
        with new(file, first.schema) as writer:
            writer.write_table(first)
            for table in tables:
                writer.write_table(table)

    write_atomically(path, write)


def check_names(run: FinishedRun) -> None:
    """Raises :class:`ConfigError` if two columns of predictions would have the same name, such as
    ``id`` and a label that is called so.
    """
    classes = run.classes
    names = ["id", *(["class"] if isinstance(run.objective, Classification) else classes)]
    if run.config.task != "regression":
        names += [f"p_{name}" for name in classes]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ConfigError(
            f"run: expected different columns id, <label> and p_<label>, got {twice[0]!r} twice: "
            "rename the labels and train again, or call gatsparse.predict.predict"
        )
