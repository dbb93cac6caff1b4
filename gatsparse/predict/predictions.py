"""Predictions for the nodes of a graph, and their files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor
from torch_geometric.data import Data

from gatsparse.config_types import ConfigError
from gatsparse.data import NodeIds
from gatsparse.data.places import expand
from gatsparse.extras import require_extra
from gatsparse.files import write_atomically
from gatsparse.train.loading import MASKS

if TYPE_CHECKING:
    import pyarrow as pa

    from gatsparse.predict.model import FinishedRun

_ROWS = 2**16  # of a block


@dataclass(frozen=True)
class Predictions:
    """Outputs of a model for all nodes of a graph.

    Args:
        run (FinishedRun): The run of the model.
        data (torch_geometric.data.Data): The graph.
        outputs (Tensor): ``[N, K]``: logits, or scaled targets of a regression.

    Example:
        See :func:`predict`.
    """

    run: FinishedRun
    data: Data
    outputs: Tensor

    def scores(self) -> dict[str, float]:
        """Returns the metric of the run on the validation and test nodes (``"val"``, ``"test"``),
        as far as the data have labels and masks.
        """
        objective, y = self.run.objective, self.data.get("y")
        if y is None or any(self.data.get(mask) is None for mask in MASKS):
            return {}
        y = objective.labels(self.data)
        scores = {}
        for mask in MASKS[1:]:
            nodes = (self.data[mask] & objective.labelled(y)).nonzero().squeeze(1)
            if len(nodes) > 0:
                name = mask.removesuffix("_mask")
                scores[name] = objective.score(self.outputs[nodes], y[nodes])
        return scores

    def write(self, path: str | Path) -> None:
        """Writes a row for each node into a Parquet or CSV file.

        Its columns are ``id``; for classification ``class`` and the probability ``p_<class>`` of
        each class; for multi_label ``<label>`` as a boolean and ``p_<label>`` for each label; and
        for regression the value of each target. The file is complete or not there.

        Args:
            path (str or Path): The file; its name ends in ``.parquet`` or ``.csv``.

        Raises:
            ConfigError: If the name ends differently, or two columns would have the same name.
            ImportError: If pyarrow is missing.
            OSError: If the file cannot be written.
        """
        path = expand(path)
        check_format(path)
        check_names(self.run)
        require_extra("writing predictions", "large", "pyarrow")
        import pyarrow.csv
        import pyarrow.parquet

        def write(file: Any) -> None:
            blocks = self._blocks()
            first = next(blocks)
            is_csv = path.suffix.lower() == ".csv"
            new = pyarrow.csv.CSVWriter if is_csv else pyarrow.parquet.ParquetWriter
            with new(file, first.schema) as writer:
                writer.write_table(first)
                for block in blocks:
                    writer.write_table(block)

        write_atomically(path, write)

    def _blocks(self) -> Iterator[pa.Table]:
        ids = self.data.get("node_ids") or NodeIds(num_nodes=len(self.outputs))
        column = ids.array()
        for first in range(0, max(len(self.outputs), 1), _ROWS):
            outputs = self.outputs[first : first + _ROWS]
            yield self._table(column[first : first + _ROWS], outputs)

    def _table(self, ids: pa.Array, outputs: Tensor) -> pa.Table:
        import pyarrow as pa

        objective, classes = self.run.objective, self.run.classes
        predicted, shares = objective.predict(outputs), objective.probabilities(outputs)
        columns: dict[str, Any] = {"id": ids}
        if self.run.config.task == "classification":
            columns["class"] = pa.array(classes).take(pa.array(predicted.numpy()))
        else:
            flags = self.run.config.task == "multi_label"
            for name, values in zip(classes, predicted.unbind(1), strict=True):
                columns[name] = (values.bool() if flags else values).numpy()
        if shares is not None:
            for name, values in zip(classes, shares.unbind(1), strict=True):
                columns[f"p_{name}"] = values.contiguous().numpy()
        return pa.table(columns)


def check_format(path: Path) -> None:
    """Raises :class:`ConfigError` unless predictions can be written into a file of this name."""
    if path.suffix.lower() not in (".parquet", ".csv"):
        raise ConfigError(f"out: expected a file that ends in .parquet or .csv, got {path}")


def check_names(run: FinishedRun) -> None:
    """Raises :class:`ConfigError` if two columns of predictions would have the same name, such as
    ``id`` and a label that is called so.
    """
    task, classes = run.config.task, run.classes
    names = ["id", *(["class"] if task == "classification" else classes)]
    if task != "regression":
        names += [f"p_{name}" for name in classes]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ConfigError(
            f"run: expected different columns id, <label> and p_<label>, got {twice[0]!r} twice: "
            "rename the labels and train again, or call gatsparse.predict.predict"
        )
