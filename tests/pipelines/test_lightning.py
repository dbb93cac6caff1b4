"""Our layers trained by Lightning, on PyG's data modules."""

import pytest
import torch
import torch.nn.functional as F
import torch_geometric.nn
from torch_geometric.data.lightning import LightningDataset, LightningNodeData

from tests.pipelines.twins import Net, assert_equal, every_layer, random_graph, sgd, twins

lightning = pytest.importorskip("pytorch_lightning")

# Raised by Lightning itself.
pytestmark = [
    pytest.mark.filterwarnings(f"ignore:{message}")
    for message in (
        r".isinstance\(treespec, LeafSpec\). is deprecated",
        "The '.*_dataloader' does not have many workers",
    )
]

CLASSES = 3


class Module(lightning.LightningModule):
    """Records the losses of its steps."""

    def __init__(self, conv):
        super().__init__()
        self.net = Net(conv, 6, CLASSES, edge_dim=3)
        self.losses = []

    def forward(self, data):
        return self.net(data.x, data.edge_index, data.edge_attr)

    def training_step(self, data, _):
        loss = F.cross_entropy(*self.predicted(data, "train_mask"))
        self.losses.append(loss.detach())
        return loss

    def validation_step(self, data, _):
        self.losses.append(F.cross_entropy(*self.predicted(data, "val_mask")))

    def predicted(self, data, mask):
        return self(data)[data[mask]], data.y[data[mask]]

    def configure_optimizers(self):
        return sgd(self)


class GraphModule(Module):
    def predicted(self, data, _):
        return torch_geometric.nn.global_mean_pool(self(data), data.batch), data.y


def assert_same_fit(models, make_data, num_losses):
    found = []
    for model in models:
        torch.manual_seed(1)
        trainer = lightning.Trainer(
            accelerator="cpu",
            max_epochs=2,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        trainer.fit(model, make_data())
        found.append([torch.stack(model.losses), *model.parameters()])
    assert len(found[1][0]) == num_losses
    assert_equal(found[1], found[0])


@every_layer
def test_nodes_of_one_graph(layer):
    labels = torch.randint(CLASSES, (40,))
    part = torch.arange(40) % 3
    graph = random_graph(40, 200, y=labels, train_mask=part == 0, val_mask=part == 1)
    assert_same_fit(twins(layer, Module), lambda: LightningNodeData(graph, loader="full"), 4)


@every_layer
def test_many_graphs(layer):
    graphs = [random_graph(k, 3 * k, y=torch.tensor([k % CLASSES])) for k in range(1, 21)]

    def data():
        return LightningDataset(graphs[:15], graphs[15:], batch_size=4, pin_memory=False)

    assert_same_fit(twins(layer, GraphModule), data, 12)
