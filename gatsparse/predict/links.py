"""Probabilities of links between pairs of nodes."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gatsparse.checks import check_instance
from gatsparse.config_types import ConfigError
from gatsparse.data import GraphFileError, GraphFiles, NodeIds
from gatsparse.data.graph_files.edges import recognized_ends
from gatsparse.data.graph_files.files import edge_files, open_table
from gatsparse.data.places import expand
from gatsparse.extras import require_extra
from gatsparse.predict.pairs import read_pairs
from gatsparse.predict.predictions import Predictions, write_tables
from gatsparse.train import link_scores

_ROWS = 2**16  # of a block


@dataclass(frozen=True)
class LinkPredictions:
    """Probabilities of links, of a run of link prediction.

    Args:
        ids (NodeIds): Ids of the nodes.
        pairs (Tensor): ``[2, P]``.
        probabilities (Tensor): ``[P]``.

    Example:
        >>> from pathlib import Path
        >>> import torch
        >>> from gatsparse.data import NodeIds
        >>> from gatsparse.predict import LinkPredictions
        >>> pairs = torch.tensor([[0, 1], [2, 2]])
        >>> links = LinkPredictions(NodeIds(num_nodes=3), pairs, torch.tensor([0.9, 0.2]))
        >>> links.write("links.csv")
        >>> print(Path("links.csv").read_text().splitlines()[1])
        0,2,0.9
    """

    ids: NodeIds
    pairs: Tensor
    probabilities: Tensor

    def write(self, path: str | Path) -> None:
        """Writes a row with ``source``, ``target`` and ``p`` for each pair, see
        :meth:`Predictions.write`.
        """
        write_tables(path, (self._table(rows) for rows in torch.arange(len(self)).split(_ROWS)))

    def __len__(self) -> int:
        return self.pairs.size(1)

    def _table(self, rows: Tensor) -> Any:
        import pyarrow as pa

        source, target = (self.ids.take(ends[rows].long().numpy()).array() for ends in self.pairs)
        return pa.table({"source": source, "target": target, "p": self.probabilities[rows].numpy()})


def predict_links(predictions: Predictions, pairs: str | Path) -> LinkPredictions:
    r"""Returns the probability that each pair of nodes is linked.

    The messages are passed along all edges of the graph, also those that the training held out.

    Args:
        predictions (Predictions): Embeddings of the nodes, of a run with task link_prediction.
        pairs (str or Path): Table with the columns ``source`` and ``target``, or with those of the
            edges of the training.

    Raises:
        TypeError: If an argument is of a wrong type.
        ConfigError: If the run has another task.
        GraphFileError: If a node is unknown, a column is missing, or the file is damaged.

    Example:
        >>> from pathlib import Path
        >>> from gatsparse.predict import load_data, load_run, predict, predict_links
        >>> from gatsparse.train import TrainConfig, train
        >>> config = TrainConfig(
        ...     "digits", task="link_prediction", epochs=2, run_dir=Path("links"), progress=False
        ... )
        >>> _ = train(config)  # doctest: +ELLIPSIS
        memory: ...
        >>> run = load_run(next(Path("links").iterdir()))
        >>> _ = Path("pairs.csv").write_text("source,target\n3,5\n0,9\n")
        >>> predict_links(predict(run, load_data(run)), "pairs.csv").probabilities.shape
        torch.Size([2])
    """
    check_instance("predictions", predictions, Predictions, "Predictions")
    check_instance("pairs", pairs, (str, Path), "a path")
    run = predictions.run
    if run.config.task != "link_prediction":
        raise ConfigError(f"pairs: expected a run with task link_prediction, got {run.config.task}")
    require_extra("links between pairs", "large", "pyarrow")
    ids = predictions.ids
    try:
        ends = read_pairs(expand(pairs), ids, _trained_ends(run.config.dataset))
    except GraphFileError as error:
        raise GraphFileError(f"pairs: {error}") from error
    return LinkPredictions(ids, ends, link_scores(predictions.outputs, ends).sigmoid())


def _trained_ends(dataset: object) -> tuple[str | None, str | None]:
    """Columns of sources and targets in the edges of the training; None if they are unknown."""
    if not isinstance(dataset, GraphFiles):
        return None, None
    if dataset.source is None:
        with suppress(GraphFileError, OSError):  # the files may have been moved since
            table = open_table(edge_files(dataset)[0], edges=True)
            return recognized_ends(table) or (None, None)
    return dataset.source, dataset.target
