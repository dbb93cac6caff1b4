"""Random splits."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from torch_geometric.data import Data


def random_split(
    data: Data, seed: int, *, num_train_per_class: int = 20, num_val_per_class: int = 30
) -> Data:
    r"""Draws the same number of training and of validation nodes from every class.

    All other nodes are test nodes. With the default numbers it is the split of Shchur et
    al., `Pitfalls of Graph Neural Network Evaluation <https://arxiv.org/abs/1811.05868>`_
    (2018), who split the largest connected component.

    Args:
        data (torch_geometric.data.Data): With labels :obj:`y` ``[N]``.
        seed (int): What the split depends on; torch's own generator is not touched.
        num_train_per_class (int, optional): Training nodes of each class. (default: ``20``)
        num_val_per_class (int, optional): Validation nodes of each class. (default: ``30``)

    Returns:
        torch_geometric.data.Data: The same, but for boolean :obj:`train_mask`,
        :obj:`val_mask` and :obj:`test_mask` ``[N]``; :obj:`data` itself is not changed.

    Raises:
        ValueError: If a class has too few nodes, or none is left for the test.
    """
    y = data.y
    assert isinstance(y, Tensor)
    needed = num_train_per_class + num_val_per_class
    generator = torch.Generator().manual_seed(seed)
    train, val, test = (torch.zeros_like(y, dtype=torch.bool) for _ in range(3))
    for label in y.unique().tolist():
        nodes = (y == label).nonzero().view(-1)
        if len(nodes) < needed:
            raise ValueError(
                f"data.y: expected at least {needed} nodes of class {label} "
                f"({num_train_per_class} to train, {num_val_per_class} to validate), "
                f"got {len(nodes)}"
            )
        nodes = nodes[torch.randperm(len(nodes), generator=generator)]
        train[nodes[:num_train_per_class]] = True
        val[nodes[num_train_per_class:needed]] = True
        test[nodes[needed:]] = True
    if not test.any():
        raise ValueError(f"data.y: expected a class of more than {needed} nodes to test, got none")
    split = copy.copy(data)
    split.train_mask, split.val_mask, split.test_mask = train, val, test
    return split
