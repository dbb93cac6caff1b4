"""Data to which the model of a run is applied."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from torch import Tensor
from torch_geometric.data import Data

from gatsparse.checks import check_instance
from gatsparse.config_types import ConfigError
from gatsparse.data import GraphFiles
from gatsparse.data.places import expand
from gatsparse.predict.model import FinishedRun
from gatsparse.train import TrainConfig, load_task, task_of_seed
from gatsparse.train.loading import choose_split, load_dataset, prepared, without_masks
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
            name of one or ``"module:function"``. Or data in memory.
            (default: the data of the training)
        **keys (optional): Keys of :class:`gatsparse.data.GraphFiles` for the folder that differ
            from the training, such as ``unknown_nodes="drop"``, ``missing="zero"`` or
            ``nodes="shops.csv"``. Keys of features are those of the training.

    Returns:
        torch_geometric.data.Data: As :func:`gatsparse.train.load_task` returns them; of another
        graph without labels and masks, if it has none. Features are encoded and normalised with the
        categories, means and deviations of the training. If the seed has drawn a split, data equal
        to those of the training get it, and other data keep their masks. A split that
        :class:`gatsparse.data.GraphFiles` draws is not drawn again for a folder that is passed: all
        its labelled nodes are scored.

    Raises:
        ConfigError: If the data are not found or have other features than the training, the data of
            the training have changed, or they were passed in memory and :obj:`data` is None or a
            folder, or if a key does not exist or belongs to the training.
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
    check_widths(run, loaded)
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
            "returns, unchanged"
        )
    raise ConfigError(
        f"data: expected the name of a data set or module:function, as in the training of "
        f"{run.path}, got the folder {data}, whose columns the model does not know"
    )


def _with_drawn_split(data: Data, run: FinishedRun, config: TrainConfig) -> Data:
    """The data of the training with the split that its seed has drawn; other data as they are.

    Masks of their own would contain training nodes of the drawn split.
    """
    of_graphs = config.task == "graph_classification"
    if config.task == "link_prediction" or (config.split != "random" and not of_graphs):
        return data
    drawn = data if of_graphs else without_masks(data)
    if RunFolder(run.path).has_data(drawn):
        return task_of_seed(drawn, config, run.seed)
    return data


def check_widths(run: FinishedRun, data: Data) -> None:
    """Raises :class:`ConfigError` unless data have the features of a training."""
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
        if key in _OF_THE_TRAINING:
            raise ConfigError(f"dataset.{key}: expected that of the training, got {value!r}")
        if key not in allowed:
            raise ConfigError(f"dataset.{key}: expected one of {', '.join(allowed)}")
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
