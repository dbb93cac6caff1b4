import pytest
import torch

from gatsparse.nn import PaperGAT
from gatsparse.train import OptimConfig, SamplingConfig, TrainConfig, build_optimizer
from gatsparse.train.criterion import NodeCriterion
from gatsparse.train.full_batch import FullBatch
from gatsparse.train.loading import load_task
from gatsparse.train.objectives.classification import Classification
from gatsparse.train.sampled import SampledNodes
from gatsparse.train.task import checked_task
from tests.train.test_checkpoint import SYNTHETIC


def test_loss_of_an_epoch_is_the_mean_over_its_nodes():
    """Batches of unequal size with all neighbours, without dropout and almost without steps."""
    data = checked_task(load_task(TrainConfig("sbm", synthetic=SYNTHETIC, dtype="float64")))
    data.x = data.x if data.x.layout == torch.strided else data.x.to_dense()
    model = PaperGAT(8, 4, 4, heads=2, dropout=0.0).double()
    optimizer = build_optimizer(OptimConfig(lr=1e-12), model)
    num_train = int(data.train_mask.sum())
    sampling = SamplingConfig(batch_size=num_train - 1, num_neighbors=[-1, -1])
    criterion = NodeCriterion(Classification(), data)
    expected = FullBatch(model, data, optimizer, criterion, "gatsparse").epoch()
    found = SampledNodes(model, data, optimizer, Classification(), sampling).epoch()
    assert found == pytest.approx(expected, rel=1e-8)
