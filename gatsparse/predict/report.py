"""The page that explains the model of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch_geometric.data import Data

from gatsparse.checks import check_instance, check_integer
from gatsparse.config_types import ConfigError
from gatsparse.data import NodeIds
from gatsparse.predict.data import check_widths
from gatsparse.predict.model import FinishedRun, require_node_task
from gatsparse.train.run_folder import RunFolder


def explain_run(
    run: FinishedRun,
    data: Data,
    path: str | Path,
    *,
    nodes: Sequence[str | int] = (),
    removals: int = 200,
) -> None:
    """Writes a page about a model, with the curves of its training.

    Args:
        run (FinishedRun): The run.
        data (torch_geometric.data.Data): Data of :func:`load_data`.
        path (str or Path): The page, see :func:`gatsparse.explain.write_report`.
        nodes (list of str or int, optional): Ids of nodes to explain; integers are ids, too.
            (default: as in :func:`gatsparse.explain.explain`)
        removals (int, optional): As in :func:`gatsparse.explain.explain`.

    Raises:
        ConfigError: If there is no node with one of the ids, or the model is dense or predicts
            links or graphs.
        ImportError: If a package of ``pip install 'gatsparse[report]'`` is missing.
        OSError: If the page cannot be written.
        TypeError: If an argument is of a wrong type.
        ValueError: As in :func:`gatsparse.explain.explain`.

    Example:
        >>> from pathlib import Path
        >>> from gatsparse.predict import explain_run, load_data, load_run
        >>> from gatsparse.train import TrainConfig, train
        >>> config = TrainConfig("digits", epochs=2, run_dir=Path("few_runs"), progress=False)
        >>> _ = train(config)  # doctest: +ELLIPSIS
        memory: ...
        >>> run = load_run(next(Path("few_runs").iterdir()))
        >>> explain_run(run, load_data(run), "digits.html", nodes=[7], removals=5)
        >>> Path("digits.html").exists()
        True
    """
    check_instance("run", run, FinishedRun, "a FinishedRun")
    check_instance("data", data, Data, "torch_geometric.data.Data")
    check_instance("path", path, (str, Path), "a path")
    _check_ids(nodes)
    check_integer("removals", removals, 0)
    from gatsparse.explain import explain, write_report
    from gatsparse.explain.requested import requested_nodes

    require_node_task(run)
    if run.config.task == "graph_classification":
        raise ConfigError("run: expected a model of nodes, got task graph_classification")
    check_widths(run, data)
    if run.config.model.kind == "dense":
        raise ConfigError("run: expected a model with sparse layers, got model.kind dense")
    ids = data.get("node_ids") or NodeIds(num_nodes=data["x"].size(0))
    try:
        texts = [str(node) for node in nodes]
        chosen = requested_nodes(texts, len(ids), ids) if texts else None
    except ValueError as error:
        raise ConfigError(str(error)) from error
    explanation = explain(
        run.model,
        data,
        node_ids=ids,
        class_names=run.classes,
        nodes=chosen,
        removals=removals,
        task=run.config.task,
    )
    epochs, _ = RunFolder(run.path).epochs(run.seed)
    write_report(
        explanation,
        path,
        title=f"{run.config.dataset_name}, seed {run.seed}",
        curves=[asdict(epoch) for epoch in epochs],
        config=run.config,
    )


def _check_ids(nodes: Any) -> None:
    if (
        not isinstance(nodes, Sequence)
        or isinstance(nodes, (str, bytes))
        or not all(isinstance(node, (str, int)) for node in nodes)
    ):
        raise TypeError(f"nodes: expected a list of ids, got {nodes!r}")
