import pytest
import torch
from torch_geometric.data import Data

from gatsparse.data.labels import node_labels, node_mask


@pytest.mark.parametrize(
    "y",
    [
        torch.tensor([0, 2, -1, -100]),
        torch.tensor([[0], [2], [-100], [-1]]),
        torch.tensor([0.0, 2.0, torch.nan, -1.0]),
    ],
)
def test_unlabelled_nodes_get_minus_one(y):
    assert node_labels(Data(y=y)).tolist() == [0, 2, -1, -1]


def test_mask_of_unlabelled_nodes_raises():
    y = torch.tensor([0, 1, -1])
    data = Data(train_mask=torch.tensor([1, 1, 0]), val_mask=torch.tensor([False, True, True]))
    assert node_mask(data, "train_mask", y >= 0).tolist() == [True, True, False]
    with pytest.raises(ValueError, match="each node in val_mask, got 1 of 2 without"):
        node_mask(data, "val_mask", y >= 0)
