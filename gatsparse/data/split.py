"""Random splits."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch

from gatsparse.checks import check_integer
from gatsparse.data.labels import node_labels

if TYPE_CHECKING:
    from torch_geometric.data import Data


def random_split(
    data: Data, seed: int, *, num_train_per_class: int = 20, num_val_per_class: int = 30
) -> Data:
    r"""Draws the same number of training and of validation nodes from every class.

    All other labelled nodes are test nodes; unlabelled nodes are in no mask. The default numbers
    are those of Shchur et al., `Pitfalls of Graph Neural Network Evaluation
    <https://arxiv.org/abs/1811.05868>`_ (2018), who split the largest connected component.

    Args:
        data (torch_geometric.data.Data): With labels :obj:`y` ``[N]`` or ``[N, 1]``; -1, -100 and
            NaN mean unlabelled.
        seed (int): Seed of the split; torch's own generator is not touched.
        num_train_per_class (int, optional): Training nodes of each class. (default: ``20``)
        num_val_per_class (int, optional): Validation nodes of each class. (default: ``30``)

    Returns:
        torch_geometric.data.Data: A shallow copy with boolean :obj:`train_mask`,
        :obj:`val_mask` and :obj:`test_mask` ``[N]``; :obj:`data` itself is not changed.

    Raises:
        TypeError: If :obj:`y` is not a tensor, or a number is not an integer.
        ValueError: If :obj:`y` has several labels per node or values that are not classes, a class
            has too few nodes, no test nodes are left, or a number is out of range.

    Example:
        >>> from gatsparse.data import load, random_split
        >>> data = random_split(load("digits"), seed=0)
        >>> int(data.train_mask.sum()), int(data.val_mask.sum())
        (200, 300)
    """
    check_integer("num_train_per_class", num_train_per_class)
    check_integer("num_val_per_class", num_val_per_class, 0)
    check_integer("seed", seed, -(2**63), 2**64 - 1)
    y = node_labels(data)
    needed = num_train_per_class + num_val_per_class
    generator = torch.Generator().manual_seed(seed)
    train, val, test = (torch.zeros_like(y, dtype=torch.bool) for _ in range(3))
    for label in y[y >= 0].unique().tolist():
        nodes = (y == label).nonzero().view(-1)
        if len(nodes) < needed:
            raise ValueError(
                f"data.y: expected at least {needed} nodes of class {label} "
                f"({num_train_per_class} to train, {num_val_per_class} to validate), "
                f"got {len(nodes)}"
            )
        nodes = nodes[torch.randperm(len(nodes), generator=generator).to(y.device)]
        train[nodes[:num_train_per_class]] = True
        val[nodes[num_train_per_class:needed]] = True
        test[nodes[needed:]] = True
    if not test.any():
        raise ValueError(f"data.y: expected a class of more than {needed} nodes to test, got none")
    split = copy.copy(data)
    split.train_mask, split.val_mask, split.test_mask = train, val, test
    return split
