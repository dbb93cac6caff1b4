"""Training, validation and test graphs of one seed."""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np
import torch
from torch_geometric.data import Data

from gatsparse.checks import check_instance, check_integer
from gatsparse.data.graph_set import graph_labels
from gatsparse.train.graph_config import GraphConfig


def split_graphs(data: Data, seed: int, config: GraphConfig | None = None) -> Data:
    """Draws training, validation and test graphs among the labelled graphs.

    Args:
        data (torch_geometric.data.Data): Data of :func:`gatsparse.data.join_graphs`.
        seed (int): Seed of the split; torch's own generator is not touched.
        config (GraphConfig, optional): Its :obj:`draw` and its shares.

    Returns:
        torch_geometric.data.Data: A shallow copy with :obj:`train_mask`, :obj:`val_mask` and
        :obj:`test_mask`, bool ``[G]``.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If labels are missing, or a part would have no graph, or with draw stratified
            fewer graphs than classes.

    Example:
        >>> import torch
        >>> from gatsparse.data import join_graphs
        >>> from gatsparse.train import split_graphs
        >>> from torch_geometric.data import Data
        >>> edge = torch.tensor([[0], [1]])
        >>> graphs = [Data(x=torch.ones(2, 1), edge_index=edge, y=i % 2) for i in range(40)]
        >>> data = split_graphs(join_graphs(graphs), seed=0)
        >>> int(data.train_mask.sum()), int(data.val_mask.sum()), int(data.test_mask.sum())
        (32, 4, 4)
    """
    from sklearn.model_selection import train_test_split

    config = GraphConfig() if config is None else config
    check_instance("config", config, GraphConfig, "a GraphConfig")
    check_integer("seed", seed, 0, 2**32 - 1)
    y = graph_labels(data).numpy()
    graphs = np.flatnonzero(y >= 0)
    num_train, num_val = (round(n * len(graphs)) for n in (config.train_share, config.val_share))
    num_test = len(graphs) - num_train - num_val
    if min(num_train, num_val, num_test) < 1:
        raise ValueError(
            f"expected graphs to train, validate and test, got {len(graphs)} labelled graphs, of "
            f"which {num_train}, {num_val} and {num_test} in these parts: change "
            "graph.train_share and graph.val_share, or label more graphs"
        )
    stratified = config.draw == "stratified"

    def take(part: np.ndarray, count: int) -> Any:
        classes = y[part] if stratified else None
        return train_test_split(part, test_size=count, random_state=seed, stratify=classes)

    try:
        rest, test = take(graphs, num_test)
        train, val = take(rest, num_val)
    except ValueError as error:  # a class with one graph, or more classes than graphs
        reason = str(error).rstrip(".")
        raise ValueError(f"{reason}: set graph.draw to random to ignore the classes") from error
    split = copy(data)
    for key, part in (("train_mask", train), ("val_mask", val), ("test_mask", test)):
        split[key] = torch.zeros(len(y), dtype=torch.bool)
        split[key][torch.from_numpy(part)] = True
    return split
