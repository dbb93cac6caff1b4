"""Data to which the model of a run is applied."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from torch import Tensor
from torch_geometric.data import Data

from gatsparse.checks import check_instance
from gatsparse.config_types import ConfigError
from gatsparse.data import GraphFiles, GraphSchema, NodeIds
from gatsparse.data.places import expand
from gatsparse.predict.model import FinishedRun
from gatsparse.train import TrainConfig, load_task, task_of_seed
from gatsparse.train.loading import choose_split, load_dataset, prepared
from gatsparse.train.run_folder import RunFolder

#: Keys of files that the model has learned, or that only a training uses.
_OF_THE_TRAINING = ("path", "features", "ignore", "categorical", "standardize", "edge_features")
_OF_THE_TRAINING += ("draw", "time", "train_share", "val_share", "split_seed")


def load_data(run: FinishedRun, data: str | Path | Data | None = None, **keys: Any) -> Data:
    """Loads data for the model of a run, prepared as for its training.

    Args:
        run (FinishedRun): The run.
        data (str, Path or torch_geometric.data.Data, optional): A folder of files with the columns
            of the training; labels and a split may be missing. For runs on other data sets, the
            name of one or ``"module:function"``. Or data in memory; those of
            :func:`gatsparse.data.load_files` must have been read with :obj:`run.schema`.
            (default: the data of the training)
        **keys (optional): Keys of :class:`gatsparse.data.GraphFiles` for the folder that differ
            from the training, such as ``unknown_nodes="drop"``, ``missing="zero"`` or
            ``nodes="shops.csv"``. Keys of features are those of the training.

    Returns:
        torch_geometric.data.Data: As :func:`gatsparse.train.load_task` returns them; of another
        graph without labels and masks, if it has none. Features are encoded and normalised with the
        categories, means and deviations of the training. If the seed has drawn a split, data with
        the features and labels of the training get it, and other data keep their masks. A split
        that :class:`gatsparse.data.GraphFiles` draws is not drawn again for a folder that is
        passed: all its labelled nodes are scored.

    Raises:
        ConfigError: If the data are not found, have other features or, with labels, other classes
            than the training, or have more or fewer ids than nodes; if the data of the training
            have changed, or they were passed in memory and :obj:`data` is None or a folder; or if a
            key does not exist or belongs to the training, or the folder does not have the labels
            that :obj:`label` names.
        GraphFileError: If a column is missing or has other values; the message names it.
        TypeError: If an argument is of a wrong type.

    Example:
        >>> from pathlib import Path
        >>> from gatsparse.predict import load_data, load_run
        >>> from gatsparse.train import TrainConfig, train
        >>> config = TrainConfig("digits", epochs=2, run_dir=Path("old_runs"), progress=False)
        >>> _ = train(config)  # doctest: +ELLIPSIS
        memory: ...
        >>> run = load_run(next(Path("old_runs").iterdir()))
        >>> load_data(run).num_nodes
        1797
    """
    check_instance("run", run, FinishedRun, "a FinishedRun")
    check_instance("data", data, (str, Path, Data, type(None)), "a path, a name, Data or None")
    is_folder = isinstance(data, (str, Path)) and isinstance(run.config.dataset, GraphFiles)
    _check_keys(keys, is_folder=is_folder)
    # Any data are normalised as those of the training.
    config = replace(run.config, normalize_features=run.config.normalizes_features)
    if data is None:
        if config.dataset is None:
            raise ConfigError(
                f"data: expected data, as {run.path} was trained on data in memory: pass them to "
                "gatsparse.predict.load_data in Python"
            )
        loaded = load_task(config)
        RunFolder(run.path).check_data(loaded)
        if config.task != "link_prediction":  # whose split leaves out edges
            loaded = task_of_seed(loaded, config, run.seed)
    else:
        if isinstance(data, Data):
            loaded = copy(data)
        else:
            config = replace(config, dataset=_other_dataset(run, data, keys))
            loaded = load_dataset(config, run.schema)
        loaded = _with_drawn_split(prepared(loaded, config, run.feature_shift), run, config)
    label = keys.get("label")
    if label is not None and loaded.get("y") is None and config.task != "link_prediction":
        raise ConfigError(
            f"dataset.label: expected columns of {data} or a file in it, got {label!r}"
        )
    check_fits(run, loaded)
    return _with_one_split(loaded, config, run.seed)


def _other_dataset(run: FinishedRun, data: str | Path, keys: Mapping[str, Any]) -> GraphFiles | str:
    trained = run.config.dataset
    if isinstance(trained, GraphFiles):
        return _files_of_another_graph(trained, expand(data), keys)
    if not isinstance(replace(run.config, dataset=str(data)).dataset, GraphFiles):
        return str(data)
    if trained is None:
        raise ConfigError(
            f"data: expected data in memory as in the training of {run.path}, got the folder "
            f"{data}: prepare its graph as that of the training, and pass it to "
            "gatsparse.predict.load_data in Python; or train on files, or on what load_files "
            "returns for the same task, unchanged"
        )
    raise ConfigError(
        f"data: expected the name of a data set or module:function, as in the training of "
        f"{run.path}, got the folder {data}, whose columns the model does not know"
    )


def _with_drawn_split(data: Data, run: FinishedRun, config: TrainConfig) -> Data:
    """Data with the nodes of the training get the split that its seed has drawn.

    Masks of their own would contain training nodes of the drawn split.
    """
    of_graphs = config.task == "graph_classification"
    if config.task == "link_prediction" or (config.split != "random" and not of_graphs):
        return data
    if RunFolder(run.path).has_nodes(data):
        return task_of_seed(data, config, run.seed)
    return data


def check_fits(run: FinishedRun, data: Data) -> None:
    """Raises :class:`ConfigError` unless data have the features and classes of a training, and as
    many ids as nodes.
    """
    if not isinstance(data.x, Tensor) or not isinstance(data.edge_index, Tensor):
        missing = "x" if not isinstance(data.x, Tensor) else "edge_index"
        raise ConfigError(f"data.{missing}: expected a tensor, got None")
    width = data.x.size(1)
    if width != run.sizes.in_channels:
        raise ConfigError(
            f"data: expected {run.sizes.in_channels} features of each node as in the training of "
            f"{run.path}, got {width}"
        )
    edge_attr = data.edge_attr
    found = None if edge_attr is None else edge_attr.view(len(edge_attr), -1).size(1)
    if found != run.sizes.edge_dim:
        raise ConfigError(
            f"data: expected {run.sizes.edge_dim or 'no'} features of each edge as in the training "
            f"of {run.path}, got {found or 'none'}"
        )
    _check_schema(run, data)
    ids, count = data.get("node_ids"), data.x.size(0)
    if isinstance(ids, NodeIds) and len(ids) != count:
        raise ConfigError(
            f"data.node_ids: expected {count} ids, one for each node, got {len(ids)}: set it to "
            "data.node_ids.take(nodes) with the numbers of the nodes that were selected, or delete "
            "it"
        )


def _check_schema(run: FinishedRun, data: Data) -> None:
    """Raises :class:`ConfigError` if features or classes have other meanings than in a training."""
    schema = data.get("schema")
    if run.schema is None or not isinstance(schema, GraphSchema):
        return
    cure = "pass the folder, or load_files(files, task, run.schema)"
    for key in ("columns", "edge_columns"):
        expected, found = getattr(run.schema, key), getattr(schema, key)
        if found != expected:
            names = [column.name for column in found if column not in expected]
            raise ConfigError(
                f"data.schema.{key}: expected the columns of the training of {run.path} with its "
                f"categories, means and deviations, got others ({', '.join(names)}): {cure}"
            )
    scored = data.get("y") is not None and run.config.task != "link_prediction"
    if scored and run.schema.classes and schema.classes not in ([], run.schema.classes):
        raise ConfigError(
            f"data.schema.classes: expected {run.schema.classes} as in the training of {run.path}, "
            f"got {schema.classes}: {cure}"
        )


def _with_one_split(data: Data, config: TrainConfig, seed: int) -> Data:
    """Data with the split of a run, if they have several."""
    mask = data.get("train_mask")
    if mask is None or mask.dim() == 1:
        return data
    split, count = seed if config.split == "seed" else config.split, mask.size(1)
    if not isinstance(split, int) or split >= count:
        raise ConfigError(f"data: expected masks [N] or of split {split}, got {count} splits")
    return choose_split(copy(data), split, count)


def _check_keys(keys: Mapping[str, Any], *, is_folder: bool) -> None:
    """Raises unless all keys may differ from those of the training."""
    allowed = [field.name for field in fields(GraphFiles) if field.name not in _OF_THE_TRAINING]
    for key, value in keys.items():
        if key == "path":
            raise ConfigError(
                f"dataset.path: expected no key for the folder, got {str(value)!r}: pass the "
                "folder as --data, or as data of load_data"
            )
        if key in _OF_THE_TRAINING:
            raise ConfigError(f"dataset.{key}: expected that of the training, got {value!r}")
        if key not in allowed:
            close = get_close_matches(key, allowed, n=1)
            raise ConfigError(
                f"dataset.{key}: expected one of {', '.join(allowed)}, got {key!r}"
                + (f": did you mean {close[0]}?" if close else "")
            )
        if not is_folder:
            raise ConfigError(
                f"dataset.{key}: expected a run on files and a folder as data, to read it with "
                f"{value!r}"
            )


def _files_of_another_graph(files: GraphFiles, path: Path, keys: Mapping[str, Any]) -> GraphFiles:
    """The same roles in another folder, in which a split and columns without a role may be missing.

    Names of files that the folder does not have are found by convention.
    """
    if not path.is_dir():
        raise ConfigError(f"data: expected a folder of files, got {path}")
    names = {}
    for key in ("nodes", "edges", "graphs"):
        value = getattr(files, key)
        parts = [value] if isinstance(value, str) else value or []
        existing = [part for part in parts if (path / part).exists()]
        if 0 < len(existing) < len(parts):
            raise ConfigError(f"data: expected the files {parts} in {path}, got only {existing}")
        if existing:
            names[key] = value
    without = {"train": None, "val": None, "test": None, "split": None, "draw": None, "time": None}
    cleared = replace(
        files, nodes=None, edges=None, graphs=None, ignore=[], categorical=[], **without
    )
    return replace(cleared, path=path, **(names | dict(keys)))
