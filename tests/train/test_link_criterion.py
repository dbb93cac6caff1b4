from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import average_precision_score, roc_auc_score
from torch import Tensor
from torch_geometric.data import Data

from gatsparse.train import link_scores
from gatsparse.train.link_criterion import LinkCriterion, hits, mean_reciprocal_rank

POSITIVE = torch.tensor([3.0, 1.0])
NEGATIVE = torch.tensor([[2.0, 4.0, 0.0], [1.0, 0.0, -1.0]])


def data_of(num_negatives: int = 2) -> Data:
    links = torch.tensor([[0, 2], [1, 3]])
    negatives = torch.stack([links[0].repeat_interleave(num_negatives), torch.full((4,), 4)])
    data = Data(num_nodes=6)
    for name in ("train", "val", "test"):
        data[f"{name}_links"] = links
    data.val_negatives = data.test_negatives = negatives
    return data


def embeddings() -> Tensor:
    return torch.randn(6, 3, generator=torch.Generator().manual_seed(0))


def test_ranks_by_hand():
    # Rank 2 of 4, and a tie of the first two: rank 1.5.
    assert mean_reciprocal_rank(POSITIVE, NEGATIVE) == pytest.approx((1 / 2 + 1 / 1.5) / 2)
    assert hits(POSITIVE, NEGATIVE.flatten(), 1) == 0.0  # 4
    assert hits(POSITIVE, NEGATIVE.flatten(), 2) == 0.5  # 2
    assert hits(POSITIVE, NEGATIVE.flatten(), 3) == 0.5  # 1, a tie
    assert hits(POSITIVE, NEGATIVE.flatten(), 4) == 1.0


def test_ranks_equal_those_of_ogb():
    evaluator = pytest.importorskip("ogb.linkproppred").Evaluator
    generator = torch.Generator().manual_seed(0)
    positive = torch.randint(20, (30,), generator=generator).float()
    negative = torch.randint(20, (30, 40), generator=generator).float()
    found = evaluator("ogbl-citation2").eval({"y_pred_pos": positive, "y_pred_neg": negative})
    expected = found["mrr_list"].double().mean().item()
    # OGB computes in float32.
    assert mean_reciprocal_rank(positive, negative) == pytest.approx(expected, rel=1e-6)
    found = evaluator("ogbl-ddi").eval({"y_pred_pos": positive, "y_pred_neg": negative.flatten()})
    assert hits(positive, negative.flatten(), 20) == found["hits@20"]


def test_link_scores_are_inner_products(monkeypatch: pytest.MonkeyPatch):
    z, pairs = embeddings(), torch.randint(6, (2, 50))
    expected = (z @ z.t())[pairs[0], pairs[1]]
    torch.testing.assert_close(link_scores(z, pairs), expected)
    monkeypatch.setattr("gatsparse.train.link_criterion._PAIRS", 7)  # in parts
    torch.testing.assert_close(link_scores(z, pairs), expected)


@pytest.mark.parametrize(
    ("metric", "function"),
    [("roc_auc", roc_auc_score), ("average_precision", average_precision_score)],
)
def test_areas_are_those_of_scikit_learn(metric: str, function):
    data, z = data_of(), embeddings()
    pairs = torch.cat([data.val_links, data.val_negatives], dim=1)
    expected = function([1, 1, 0, 0, 0, 0], link_scores(z, pairs).numpy())
    assert LinkCriterion(metric, data).scores(z) == pytest.approx((expected, expected))


def test_validation_loss_weighs_links_and_negatives_equally():
    data, z = data_of(), embeddings()
    links, negatives = link_scores(z, data.val_links), link_scores(z, data.val_negatives)
    expected = (F.softplus(-links).mean() + F.softplus(negatives).mean()) / 2
    torch.testing.assert_close(LinkCriterion("roc_auc", data).val_loss(z), expected)


def test_training_examples_are_links_and_as_many_other_pairs():
    criterion = LinkCriterion("roc_auc", data_of())
    torch.manual_seed(0)
    pairs, truth = criterion.examples()
    again, _ = criterion.examples()
    assert truth.tolist() == [1, 1, 0, 0]
    assert torch.equal(pairs[:, :2], data_of().train_links)
    assert not {(0, 1), (1, 0), (2, 3), (3, 2)} & {
        tuple(pair) for pair in pairs[:, 2:].t().tolist()
    }
    assert not torch.equal(pairs, again)
    torch.manual_seed(0)
    expected = F.binary_cross_entropy_with_logits(link_scores(embeddings(), pairs), truth)
    torch.testing.assert_close(criterion.train_loss(embeddings()), expected)


def test_missing_parts_raise():
    data = data_of()
    del data.val_links
    with pytest.raises(ValueError, match=r"data\.val_links: expected pairs .* got NoneType"):
        LinkCriterion("roc_auc", data)


def test_negatives_that_do_not_fit_the_metric_raise():
    with pytest.raises(ValueError, match=r"val_negatives: expected at least 10 pairs .* got 4"):
        LinkCriterion("hits@10", data_of())
    data = data_of()
    LinkCriterion("mrr", data)
    data.test_negatives = data.test_negatives.roll(1, dims=1)
    with pytest.raises(ValueError, match=r"test_negatives: .* same_source=True"):
        LinkCriterion("mrr", data)
