"""Data of a configuration: a data set by name, a graph in files, or a graph of the user."""

from __future__ import annotations

import warnings
from copy import copy
from dataclasses import asdict

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.transforms import LargestConnectedComponents

from gatsparse.checks import check_instance
from gatsparse.config_types import ConfigError
from gatsparse.data import (
    OGB_NAMES,
    GraphFiles,
    GraphSchema,
    NodeIds,
    load,
    load_files,
    load_ogb,
    stochastic_block_model,
)
from gatsparse.data.graph_files.origin import task_of_labels, without_names_of_other_labels
from gatsparse.data.graph_set import check_graphs
from gatsparse.data.import_path import import_data, import_graphs, is_import_path
from gatsparse.data.labels import MASKS, WITHOUT_NODE_LABELS
from gatsparse.data.undirected import undirected
from gatsparse.train.config import TrainConfig
from gatsparse.train.memory import check_synthetic
from gatsparse.train.normalize import feature_shift, normalize, note_on_smaller_features


def load_task(config: TrainConfig, data: Data | None = None) -> Data:
    """Loads the data set, casts and normalises its features, and chooses its split.

    Args:
        config (TrainConfig): Its :obj:`dataset`, :obj:`root`, :obj:`split` and what follows them.
        data (torch_geometric.data.Data, optional): Data to use instead of the data set. They are
            not changed.

    Returns:
        torch_geometric.data.Data: Data of :func:`gatsparse.data.load` or
        :func:`gatsparse.data.load_files`, with masks ``[N]``.
        If at most a tenth of the features are nonzero, they are ``sparse_csr`` for models of kind
        ``"gatsparse"``. If they are normalised, :obj:`feature_shift` is the number that was
        subtracted from all of them, else it is None. With :obj:`split` ``"random"`` the masks are
        missing, and with ``"seed"`` they contain all splits: see :func:`task_of_seed`. With task
        graph_classification, data of :func:`gatsparse.data.join_graphs` with dense features, and
        with masks ``[G]`` if the data set has some.

    Raises:
        ConfigError: If the labels of the data were read from files for another task, or the data
            set has no such split, has edge weights or edge features that the model does not
            support, or would not fit into memory.
        DatasetNotFoundError, DatasetCorruptError: As in :func:`gatsparse.data.load`.
        GraphFileError: As in :func:`gatsparse.data.load_files`.
        ImportError: As in :func:`gatsparse.data.load_ogb`.

    Example:
        >>> from gatsparse.train import TrainConfig, load_task
        >>> load_task(TrainConfig("digits")).num_nodes
        1797
    """
    check_instance("config", config, TrainConfig, "a TrainConfig")
    if data is None:
        data = load_dataset(config)
    else:
        check_instance("data", data, Data, "torch_geometric.data.Data")
        _require_task(data, config)
        config = config.for_given_data(data)
        data = without_names_of_other_labels(copy(data))
    data = prepared(data, config)
    name = config.dataset_name
    if config.task in WITHOUT_NODE_LABELS:  # split by task_of_seed
        return data
    if config.split == "random":
        return without_masks(data)
    if any(data.get(key) is None for key in MASKS):
        raise ConfigError(
            f"split: expected {', '.join(MASKS)} in {name}, got none: set split to random to draw "
            "them"
        )
    if config.split == "seed":  # chosen by task_of_seed
        return data
    num_splits = 1 if data.train_mask.dim() == 1 else data.train_mask.size(1)
    if config.split >= num_splits:
        raise ConfigError(
            f"split: expected 0 <= split < {num_splits} of {name}, got {config.split}"
        )
    return choose_split(data, config.split, num_splits)


def prepared(data: Data, config: TrainConfig, shift: float | None = None) -> Data:
    """Casts and normalises the features, and adds or removes edges and nodes.

    Args:
        data (torch_geometric.data.Data): The data, which are changed.
        config (TrainConfig): The configuration.
        shift (float, optional): The :func:`feature_shift` of a training.
            (default: that of the data)

    Raises:
        ConfigError: If there are no features, edge features that the model does not support,
            negative features in a sparse matrix that is normalised, or one graph with task
            graph_classification.
    """
    if not isinstance(data.x, Tensor):
        raise ConfigError(f"dataset: expected features x [N, F] in {config.dataset_name}, got none")
    if config.task == "graph_classification":
        _require_graphs(data, config)
    _require_edge_features(data, config)
    dtype = getattr(torch, config.dtype)
    if data.edge_attr is not None:
        data.edge_attr = data.edge_attr.to(dtype)
    if config.undirected:
        data.edge_index, data.edge_attr = undirected(
            data["edge_index"], data.edge_attr, data.x.size(0)
        )
    if config.largest_component:
        data = _largest_component(data)
    data.x = data["x"].to(dtype)
    if config.normalizes_features:
        data.feature_shift = feature_shift(data["x"]) if shift is None else shift
        if shift is not None and (note := note_on_smaller_features(data["x"], shift)):
            data.notes = [*(data.get("notes") or ()), note]
        data.x = normalize(data["x"], data.feature_shift)
    else:
        data.feature_shift = None
    whole = config.mode == "full" and config.task != "graph_classification"
    if config.model.kind == "gatsparse" and whole:
        data.x = _sparse_if_it_pays(data.x)
    elif data.x.is_sparse_csr:
        data.x = data.x.to_dense()
    return data


def load_dataset(config: TrainConfig, schema: GraphSchema | None = None) -> Data:
    """Returns the data of :obj:`dataset` as they are.

    Args:
        config (TrainConfig): The configuration.
        schema (GraphSchema, optional): As in :func:`gatsparse.data.load_files`.

    Raises:
        ConfigError, DatasetNotFoundError, DatasetCorruptError, GraphFileError, ImportError: As in
            :func:`load_task`.
    """
    dataset = config.dataset
    if dataset is None:
        raise ConfigError("dataset: expected the name of a data set or a folder of files, got null")
    if isinstance(dataset, GraphFiles):
        return load_files(dataset, config.task, schema)
    if is_import_path(dataset):
        try:
            of_graphs = config.task == "graph_classification"
            return copy((import_graphs if of_graphs else import_data)("dataset", dataset))
        except ValueError as error:
            raise ConfigError(str(error)) from error
    if dataset == "sbm":
        check_synthetic(config)
        return stochastic_block_model(**asdict(config.synthetic))
    if dataset in OGB_NAMES:
        return load_ogb(dataset, config.root)
    return load(dataset, config.root)


def _largest_component(data: Data) -> Data:
    """The largest connected component, with the ids of its nodes."""
    ids, count, notes = data.get("node_ids"), data["x"].size(0), data.get("notes") or []
    data.node = torch.arange(count)
    if data["x"].layout != torch.strided:  # PyG selects rows of dense tensors only
        data.x = data["x"].to_dense()
    data = LargestConnectedComponents()(data)
    if (dropped := count - len(data.node)) > 0:
        data.notes = [*notes, f"nodes outside of the largest component dropped: {dropped}"]
    if isinstance(ids, NodeIds) and len(ids) == count:
        data.node_ids = ids.take(data.node.numpy())
    del data.node
    return data


def without_masks(data: Data) -> Data:
    """Returns a shallow copy without the masks of a split."""
    data = copy(data)
    for key in MASKS:
        if key in data:
            del data[key]
    return data


def choose_split(data: Data, split: int, num_splits: int) -> Data:
    """Replaces masks of several splits ``[N, splits]`` by those of one, in place."""
    for key in MASKS:
        data[key] = data[key].view(-1, num_splits)[:, split].contiguous()
    return data


def _require_task(data: Data, config: TrainConfig) -> None:
    """Raises if labels were read for another task: those of classes are numbers of the classes."""
    task = task_of_labels(data)
    if task not in (None, config.task) and config.task != "link_prediction":
        raise ConfigError(
            f"task: expected {task}, for which load_files has read data.y, got {config.task}: call "
            f"load_files(files, {config.task!r})"
        )


def _require_edge_features(data: Data, config: TrainConfig) -> None:
    """Raises if the model cannot use the features or weights of the edges."""
    if data.get("edge_weight") is not None:
        raise ConfigError(
            f"dataset: {config.dataset_name} has edge_weight, which graph attention does not use: "
            "store the weights as edge_attr [E, 1]"
        )
    if data.edge_attr is not None and not config.model.takes_edge_features:
        raise ConfigError(
            f"dataset: {config.dataset_name} has edge_attr, which dense and paper_exact models do "
            "not use: choose another model.kind"
        )


def _require_graphs(data: Data, config: TrainConfig) -> None:
    """Raises if the data are not several graphs."""
    try:
        check_graphs(data)
    except ValueError as error:
        raise ConfigError(
            f"dataset: expected several graphs with task {config.task}, got {config.dataset_name}: "
            f"{error}"
        ) from error


def _sparse_if_it_pays(x: Tensor) -> Tensor:
    """The features as ``sparse_csr`` if at most a tenth of them are nonzero."""
    if x.layout != torch.strided:
        return x
    if 10 * int(x.count_nonzero()) > x.numel():
        return x
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta state")
        return x.to_sparse_csr()
