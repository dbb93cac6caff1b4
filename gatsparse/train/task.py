"""The data of a training, as a configuration describes it."""

from __future__ import annotations

import warnings
from copy import copy
from dataclasses import asdict

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.transforms import LargestConnectedComponents, NormalizeFeatures
from torch_geometric.utils import to_undirected

from gatsparse.checks import check_instance, check_integer
from gatsparse.data import OGB_NAMES, load, load_ogb, random_split, stochastic_block_model
from gatsparse.data.labels import node_mask
from gatsparse.train.config import TrainConfig
from gatsparse.train.errors import ConfigError
from gatsparse.train.link_criterion import LinkCriterion
from gatsparse.train.link_split import split_links
from gatsparse.train.memory import check_synthetic
from gatsparse.train.metrics import require_scorable
from gatsparse.train.objective import NODE_TASKS, Task, build_objective

MASKS = ("train_mask", "val_mask", "test_mask")


def load_task(config: TrainConfig) -> Data:
    """Loads the data set, casts and normalises its features, and chooses its split.

    Args:
        config (TrainConfig): Its :obj:`dataset`, :obj:`root`, :obj:`split` and what follows them.

    Returns:
        torch_geometric.data.Data: Data of :func:`gatsparse.data.load`, with masks ``[N]``.
        If at most a tenth of the features are nonzero, they are ``sparse_csr`` for models of kind
        ``"gatsparse"``. With :obj:`split` ``"random"`` the masks are missing, and with ``"seed"``
        they contain all splits: see :func:`task_of_seed`.

    Raises:
        ConfigError: If the data set has no such split, has edge weights or edge features that the
            model does not support, or would not fit into memory.
        DatasetNotFoundError, DatasetCorruptError: As in :func:`gatsparse.data.load`.
        ImportError: As in :func:`gatsparse.data.load_ogb`.

    Example:
        >>> from gatsparse.train import TrainConfig, load_task
        >>> load_task(TrainConfig("digits")).num_nodes
        1797
    """
    check_instance("config", config, TrainConfig, "a TrainConfig")
    if config.dataset == "sbm":
        check_synthetic(config)
        data = stochastic_block_model(**asdict(config.synthetic))
    elif config.dataset in OGB_NAMES:
        data = load_ogb(config.dataset, config.root)
    else:
        data = load(config.dataset, config.root)
    _require_edge_features(data, config)
    dtype = getattr(torch, config.dtype)
    if data.edge_attr is not None:
        data.edge_attr = data.edge_attr.to(dtype)
    if config.undirected:
        _make_undirected(data)
    if config.largest_component:
        data = LargestConnectedComponents()(data)
    data.x = data["x"].to(dtype)
    if config.normalize_features:
        data = NormalizeFeatures()(data)
    if config.model.kind == "gatsparse" and config.mode == "full":
        data.x = _sparse_if_it_pays(data["x"])
    if config.task == "link_prediction" or config.split == "seed":  # split by task_of_seed
        return data
    if config.split == "random":
        for key in MASKS:
            del data[key]
        return data
    num_splits = 1 if data.train_mask.dim() == 1 else data.train_mask.size(1)
    if config.split >= num_splits:
        raise ConfigError(
            f"split: expected 0 <= split < {num_splits} of {config.dataset}, got {config.split}"
        )
    return _choose_split(data, config.split, num_splits)


def task_of_seed(data: Data, config: TrainConfig, seed: int) -> Data:
    """Returns the data of one seed, with its split.

    Args:
        data (torch_geometric.data.Data): Data of :func:`load_task`.
        config (TrainConfig): If its :obj:`split` is ``"random"``, the split is drawn here; if
            it is ``"seed"``, the seed is the number of the split.
        seed (int): The seed.

    Returns:
        torch_geometric.data.Data: The same data with masks ``[N]`` of this seed; with task
        link_prediction, data of :func:`split_links`.

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
    if config.task == "link_prediction":
        return _link_task(data, config, seed)
    if config.split == "seed":
        num_splits = data.train_mask.view(data.num_nodes, -1).size(1)
        if seed >= num_splits:
            raise ConfigError(
                f"split: expected seeds below {num_splits}, the number of splits of "
                f"{config.dataset}, got {seed}"
            )
        data = _choose_split(copy(data), seed, num_splits)
    try:
        if config.split == "random":
            data = random_split(data, seed)
    except ValueError as error:
        raise ConfigError(f"split: {config.dataset} has no random split: {error}") from error
    try:
        build_objective(config, checked_task(data, config.task, config.chosen_metric))
    except ValueError as error:
        raise ConfigError(f"dataset: {config.dataset} cannot be trained: {error}") from error
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
    y = NODE_TASKS[task].labels(data)
    labelled = NODE_TASKS[task].labelled(y)
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
            f"dataset: {config.dataset} has edge_weight, which graph attention does not use: "
            "store the weights as edge_attr [E, 1]"
        )
    if data.edge_attr is not None and not config.model.takes_edge_features:
        raise ConfigError(
            f"dataset: {config.dataset} has edge_attr, which dense and paper_exact models do not "
            "use: choose another model.kind"
        )


def _make_undirected(data: Data) -> None:
    """Adds the reverse of every edge; features of duplicate edges are averaged."""
    edge_index, edge_attr, num_nodes = data["edge_index"], data.edge_attr, data.num_nodes
    if edge_attr is None:
        data.edge_index = to_undirected(edge_index, num_nodes=num_nodes)
    else:
        data.edge_index, data.edge_attr = to_undirected(
            edge_index, edge_attr, num_nodes, reduce="mean"
        )


def _link_task(data: Data, config: TrainConfig, seed: int) -> Data:
    link, mrr = config.link, config.chosen_metric == "mrr"
    try:
        split = split_links(
            data,
            seed if isinstance(config.split, str) else config.split,
            val_share=link.val_share,
            test_share=link.test_share,
            num_negatives=link.num_negatives or (100 if mrr else 1),
            same_source=mrr,
        )
        LinkCriterion(config.chosen_metric, split)
    except ValueError as error:
        raise ConfigError(f"dataset: {config.dataset} cannot be trained: {error}") from error
    return split


def _choose_split(data: Data, split: int, num_splits: int) -> Data:
    for key in MASKS:
        data[key] = data[key].view(-1, num_splits)[:, split].contiguous()
    return data


def _sparse_if_it_pays(x: Tensor) -> Tensor:
    """The features as ``sparse_csr`` if at most a tenth of them are nonzero."""
    if 10 * int(x.count_nonzero()) > x.numel():
        return x
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta state")
        return x.to_sparse_csr()
