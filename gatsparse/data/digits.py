"""The data set that needs no file: handwritten digits as a graph of nearest neighbours."""

from __future__ import annotations

import numpy as np
import torch
from torch_geometric.data import Data
from torch_geometric.utils import index_to_mask, to_undirected

_NUM_NEIGHBOURS = 10
_NUM_TRAIN_PER_CLASS = 20
_NUM_VAL = 500
_NUM_TEST = 1000


def digits() -> Data:
    r"""Scikit-learn's 1,797 handwritten digits, each linked to its 10 nearest neighbours.

    The features are the 64 pixels, divided by 16 to be in :math:`[0, 1]`. Neighbours are
    nearest in Euclidean distance, and every link goes in both directions. The fixed split
    has the sizes of Planetoid: 20 nodes per class for training, 500 for validation and
    1,000 for testing; the other 97 nodes are unused.

    Returns:
        torch_geometric.data.Data: The same on every machine, bit for bit; 10 classes.
    """
    from sklearn.datasets import load_digits

    pixels, y = map(np.asarray, load_digits(return_X_y=True))
    num_nodes = y.shape[0]
    train, val, test = _split(y)
    return Data(
        x=torch.from_numpy(pixels / 16).float(),
        edge_index=_nearest_neighbours(pixels),
        y=torch.from_numpy(y).long(),
        train_mask=index_to_mask(torch.from_numpy(train), num_nodes),
        val_mask=index_to_mask(torch.from_numpy(val), num_nodes),
        test_mask=index_to_mask(torch.from_numpy(test), num_nodes),
    )


def _nearest_neighbours(pixels: np.ndarray) -> torch.Tensor:
    # Pixels are whole numbers, so these squares are exact and often tie: a stable sort
    # breaks ties by node index, where a library's neighbour search may do it in any way.
    squares = (pixels**2).sum(axis=1)
    distances = squares[:, None] + squares[None, :] - 2 * pixels @ pixels.T
    np.fill_diagonal(distances, np.inf)
    neighbours = np.argsort(distances, axis=1, kind="stable")[:, :_NUM_NEIGHBOURS]
    sources = torch.from_numpy(neighbours).flatten()
    targets = torch.arange(len(pixels)).repeat_interleave(_NUM_NEIGHBOURS)
    return to_undirected(torch.stack([sources, targets]), num_nodes=len(pixels))


def _split(y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    # Unlike newer generators, RandomState promises the same numbers in every version.
    order = np.random.RandomState(0).permutation(y.size)
    train = np.concatenate(
        [order[y[order] == label][:_NUM_TRAIN_PER_CLASS] for label in np.unique(y)]
    )
    rest = order[~np.isin(order, train)]
    return train, rest[:_NUM_VAL], rest[_NUM_VAL : _NUM_VAL + _NUM_TEST]
