"""The data of a training, as a configuration describes it."""

from __future__ import annotations

import warnings
from copy import copy
from dataclasses import asdict

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.transforms import LargestConnectedComponents, NormalizeFeatures

from gatsparse.checks import check_instance, check_integer
from gatsparse.config_types import ConfigError
from gatsparse.data import (
    OGB_NAMES,
    GraphFiles,
    load,
    load_files,
    load_ogb,
    random_split,
    stochastic_block_model,
)
from gatsparse.data.import_path import import_data, is_import_path
from gatsparse.data.labels import node_mask
from gatsparse.data.undirected import undirected
from gatsparse.train.config import TrainConfig
from gatsparse.train.memory import check_synthetic
from gatsparse.train.metrics import require_scorable
from gatsparse.train.objective import TASKS, Task, build_objective

MASKS = ("train_mask", "val_mask", "test_mask")


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
        ``"gatsparse"``. With :obj:`split` ``"random"`` the masks are missing, and with ``"seed"``
        they contain all splits: see :func:`task_of_seed`.

    Raises:
        ConfigError: If the data set has no such split, has edge weights or edge features that the
            model does not support, or would not fit into memory.
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
        data, named = _load(config)
    else:
        check_instance("data", data, Data, "torch_geometric.data.Data")
        data, named = copy(data), False
    name = config.dataset_name
    _require_edge_features(data, config)
    dtype = getattr(torch, config.dtype)
    if data.edge_attr is not None:
        data.edge_attr = data.edge_attr.to(dtype)
    if config.undirected:
        data.edge_index, data.edge_attr = undirected(
            data["edge_index"], data.edge_attr, data["x"].size(0)
        )
    if config.largest_component:
        data = _largest_component(data)
    if not isinstance(data.x, Tensor):
        raise ConfigError(f"dataset: expected features x [N, F] in {name}, got none")
    data.x = data.x.to(dtype)
    if named if config.normalize_features is None else config.normalize_features:
        _normalize_features(data)
    if config.model.kind == "gatsparse" and config.mode == "full":
        data.x = _sparse_if_it_pays(data.x)
    elif data.x.is_sparse_csr:
        data.x = data.x.to_dense()
    if config.split == "random":
        for key in MASKS:
            if key in data:
                del data[key]
        return data
    if config.split == "seed":  # chosen by task_of_seed
        return data
    masks = [data.get(key) for key in MASKS]
    if any(mask is None for mask in masks):
        raise ConfigError(
            f"split: expected {', '.join(MASKS)} in {name}, got none: set split to random to draw "
            "them"
        )
    num_splits = 1 if data.train_mask.dim() == 1 else data.train_mask.size(1)
    if config.split >= num_splits:
        raise ConfigError(
            f"split: expected 0 <= split < {num_splits} of {name}, got {config.split}"
        )
    return _choose_split(data, config.split, num_splits)


def _load(config: TrainConfig) -> tuple[Data, bool]:
    """The data set, and whether it is one that is known by name."""
    dataset = config.dataset
    if dataset is None:
        raise ConfigError("dataset: expected the name of a data set or a folder of files, got null")
    if isinstance(dataset, GraphFiles):
        return load_files(dataset, config.task), False
    if is_import_path(dataset):
        try:
            return copy(import_data("dataset", dataset)), False
        except ValueError as error:
            raise ConfigError(str(error)) from error
    if dataset == "sbm":
        check_synthetic(config)
        return stochastic_block_model(**asdict(config.synthetic)), True
    if dataset in OGB_NAMES:
        return load_ogb(dataset, config.root), True
    return load(dataset, config.root), True


def _largest_component(data: Data) -> Data:
    """The largest connected component, with the ids of its nodes."""
    ids, data.node = data.get("node_ids"), torch.arange(data["x"].size(0))
    data = LargestConnectedComponents()(data)
    if ids is not None:
        data.node_ids = ids.take(data.node.numpy())
    del data.node
    return data


def _normalize_features(data: Data) -> None:
    """Divides the features of each node by their sum."""
    x = data["x"]
    if x.layout == torch.strided:
        data.x = NormalizeFeatures()(Data(x=x)).x
        return
    if bool((x.values() < 0).any()):
        raise ConfigError(
            "normalize_features: expected false for a sparse matrix with negative features"
        )
    row = torch.repeat_interleave(torch.arange(x.size(0)), x.crow_indices().diff())
    sums = torch.zeros(x.size(0), dtype=x.dtype).index_add_(0, row, x.values())
    values = x.values() / sums.clamp(min=1.0)[row]
    data.x = torch.sparse_csr_tensor(x.crow_indices(), x.col_indices(), values, x.shape)


def task_of_seed(data: Data, config: TrainConfig, seed: int) -> Data:
    """Returns the data of one seed, with its split.

    Args:
        data (torch_geometric.data.Data): Data of :func:`load_task`.
        config (TrainConfig): If its :obj:`split` is ``"random"``, the split is drawn here; if
            it is ``"seed"``, the seed is the number of the split.
        seed (int): The seed.

    Returns:
        torch_geometric.data.Data: The same data with masks ``[N]`` of this seed.

    Raises:
        ConfigError: If a class has too few nodes for a random split, the data set has no split with
            the number of the seed, or a split cannot be trained with this task, metric or class
            weights.

    Example:
        >>> from gatsparse.train import TrainConfig, load_task, task_of_seed
        >>> config = TrainConfig("digits", split="random")
        >>> int(task_of_seed(load_task(config), config, seed=3).train_mask.sum())
        200
    """
    check_instance("data", data, Data, "torch_geometric.data.Data")
    check_instance("config", config, TrainConfig, "a TrainConfig")
    check_integer("seed", seed, 0, 2**64 - 1)
    if config.split == "seed":
        num_splits = data.train_mask.view(data.num_nodes, -1).size(1)
        if seed >= num_splits:
            raise ConfigError(
                f"split: expected seeds below {num_splits}, the number of splits of "
                f"{config.dataset_name}, got {seed}"
            )
        data = _choose_split(copy(data), seed, num_splits)
    try:
        if config.split == "random":
            data = random_split(data, seed)
    except ValueError as error:
        raise ConfigError(f"split: {config.dataset_name} has no random split: {error}") from error
    try:
        build_objective(config, checked_task(data, config.task, config.chosen_metric))
    except ValueError as error:
        raise ConfigError(f"dataset: {config.dataset_name} cannot be trained: {error}") from error
    return data


def checked_task(data: Data, task: Task = "classification", metric: str = "accuracy") -> Data:
    """Returns a shallow copy with labels in the format of the task and masks of bool ``[N]``.

    Args:
        data (torch_geometric.data.Data): With features, edges, labels and three masks.
        task (str, optional): The task.
        metric (str, optional): The metric, which must be defined for the labels of each split.

    Raises:
        TypeError, ValueError: As in :meth:`~gatsparse.train.objective.Objective.labels`,
            :func:`~gatsparse.data.labels.node_mask` and
            :func:`~gatsparse.train.metrics.require_scorable`; if :obj:`x` or :obj:`edge_index` is
            missing.

    Warns:
        UserWarning: If training nodes are in the validation or test mask, too.
    """
    y = TASKS[task].labels(data)
    labelled = TASKS[task].labelled(y)
    for key in ("x", "edge_index"):
        if data.get(key) is None:
            hint = ": set edge_index from adj_t" if key == "edge_index" and "adj_t" in data else ""
            raise ValueError(f"data.{key}: expected a tensor, got None{hint}")
    checked = copy(data)
    for key in MASKS:
        checked[key] = node_mask(data, key, labelled)
        require_scorable(metric, y[checked[key]], key)
    for key in MASKS[1:]:
        shared = int((checked.train_mask & checked[key]).sum())
        if shared:
            warnings.warn(
                f"data.{key}: {shared} of its {int(checked[key].sum())} nodes are in train_mask, "
                "too: its scores include nodes that the model was trained on",
                stacklevel=2,
            )
    checked.y = y
    return checked


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


def _choose_split(data: Data, split: int, num_splits: int) -> Data:
    for key in MASKS:
        data[key] = data[key].view(-1, num_splits)[:, split].contiguous()
    return data


def _sparse_if_it_pays(x: Tensor) -> Tensor:
    """The features as ``sparse_csr`` if at most a tenth of them are nonzero."""
    if x.layout != torch.strided:
        return x
    if 10 * int(x.count_nonzero()) > x.numel():
        return x
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta state")
        return x.to_sparse_csr()
