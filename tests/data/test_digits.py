from __future__ import annotations

import torch
from sklearn.datasets import load_digits
from sklearn.neighbors import NearestNeighbors

from gatsparse.data import load


def test_sizes_and_splits():
    data = load("digits")
    x, y = data["x"], data["y"]
    assert (data.num_nodes, data.num_features, int(y.max()) + 1) == (1797, 64, 10)
    assert (x.dtype, float(x.min()), float(x.max())) == (torch.float32, 0.0, 1.0)
    assert torch.bincount(y[data.train_mask]).tolist() == [20] * 10
    assert (int(data.val_mask.sum()), int(data.test_mask.sum())) == (500, 1000)
    masks = torch.stack([data.train_mask, data.val_mask, data.test_mask])
    assert masks.sum(dim=0).max() == 1


def test_graph_is_reproducible():
    data = load("digits")
    position = torch.arange(1, data.num_edges + 1)
    assert data.num_edges == 24678
    assert int((data["edge_index"] * position).sum()) == 660_008_675_325
    assert data.train_mask.nonzero()[:5, 0].tolist() == [6, 14, 18, 34, 37]
    assert data.val_mask.nonzero()[:5, 0].tolist() == [1, 2, 4, 5, 8]


def test_links_the_nearest_neighbours():
    data = load("digits")
    assert data.is_undirected()
    assert not data.has_self_loops()
    pixels, _ = load_digits(return_X_y=True)
    distances, _ = NearestNeighbors(n_neighbors=10).fit(pixels).kneighbors()
    radius = torch.from_numpy(distances[:, -1])
    points = torch.from_numpy(pixels)
    lengths = torch.cdist(points, points)
    linked = torch.zeros(1797, 1797, dtype=torch.bool)
    sources, targets = data["edge_index"]
    linked[targets, sources] = True
    nearer = (lengths < radius[:, None] - 1e-6).fill_diagonal_(False)
    assert linked[nearer].all()
    reach = torch.maximum(radius[:, None], radius[None, :]) + 1e-6
    assert (lengths[linked] <= reach[linked]).all()
    assert linked.sum(dim=1).min() >= 10
