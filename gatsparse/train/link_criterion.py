"""Loss and scores of links."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch_geometric.data import Data

from gatsparse.train.link_split import pair_codes, unlinked_pairs
from gatsparse.train.metrics import metric_function

_PAIRS = 2**17  # whose embeddings are gathered at a time

#: Metrics of link prediction; the first is the default.
LINK_METRICS = ("roc_auc", "average_precision", "mrr", "hits@10", "hits@50", "hits@100")


def link_scores(embeddings: Tensor, pairs: Tensor) -> Tensor:
    """Returns the inner products of the embeddings of pairs of nodes: logits of a link.

    Args:
        embeddings (Tensor): ``[N, D]``, outputs of a model of task link_prediction.
        pairs (Tensor): ``[2, P]``, nodes.

    Example:
        >>> import torch
        >>> from gatsparse.train import link_scores
        >>> embeddings = torch.tensor([[1.0, 2.0], [3.0, 4.0], [0.0, 1.0]])
        >>> link_scores(embeddings, torch.tensor([[0, 0], [1, 2]]))
        tensor([11.,  2.])
    """
    parts = pairs.split(_PAIRS, dim=1)
    return torch.cat([(embeddings[src] * embeddings[dst]).sum(dim=1) for src, dst in parts])


class LinkCriterion:
    """Binary cross entropy of links and of pairs without a link, which are drawn for each epoch.

    Args:
        metric (str): One of :data:`LINK_METRICS`.
        data (torch_geometric.data.Data): Data of :func:`~gatsparse.train.split_links`.

    Raises:
        ValueError: If a part of the split is missing, or the negatives do not fit the metric.
    """

    def __init__(self, metric: str, data: Data) -> None:
        for key in ("train_links", "val_links", "val_negatives", "test_links", "test_negatives"):
            links = data.get(key)
            if not isinstance(links, Tensor) or links.dim() != 2 or links.size(0) != 2:
                got = list(links.shape) if isinstance(links, Tensor) else type(links).__name__
                raise ValueError(
                    f"data.{key}: expected pairs of nodes [2, P], got {got}: call "
                    "gatsparse.train.split_links"
                )
        self.metric, self.data = metric, data
        for name in ("val", "test"):
            _require_negatives(metric, *self._part(name), f"{name}_negatives")
        self.num_nodes = int(data.num_nodes or 0)
        self.codes = pair_codes(data.train_links, self.num_nodes).unique()
        self._classify = metric_function(metric) if metric in LINK_METRICS[:2] else None

    def examples(self) -> tuple[Tensor, Tensor]:
        """Returns the training links and as many pairs without a link, ``[2, 2 P]``, and whether
        they are links, ``[2 P]``.
        """
        links = self.data.train_links
        others = unlinked_pairs(self.codes, self.num_nodes, links.size(1))
        return torch.cat([links, others], dim=1), _truth(links.size(1), others.size(1), links)

    def train_loss(self, outputs: Tensor) -> Tensor:
        """Returns the loss of the training links."""
        pairs, truth = self.examples()
        return pair_loss(outputs, pairs, truth)

    def val_loss(self, outputs: Tensor) -> Tensor:
        """Returns the mean of the losses of the validation links and of their negatives."""
        links, negatives = self._part("val")
        ones, zeros = outputs.new_ones(links.size(1)), outputs.new_zeros(negatives.size(1))
        return (pair_loss(outputs, links, ones) + pair_loss(outputs, negatives, zeros)) / 2

    def scores(self, outputs: Tensor) -> tuple[float, float]:
        """Returns the scores of the validation and of the test links."""
        val, test = (self._score(outputs, *self._part(name)) for name in ("val", "test"))
        return val, test

    def _part(self, name: str) -> tuple[Tensor, Tensor]:
        data: Any = self.data
        return data[f"{name}_links"], data[f"{name}_negatives"]

    def _score(self, outputs: Tensor, links: Tensor, negatives: Tensor) -> float:
        of_links, of_others = link_scores(outputs, links), link_scores(outputs, negatives)
        if self._classify is not None:
            truth = _truth(len(of_links), len(of_others), links)
            return self._classify(truth, torch.cat([of_links, of_others]))
        if self.metric == "mrr":
            return mean_reciprocal_rank(of_links, of_others.view(len(of_links), -1))
        return hits(of_links, of_others, _hits_at(self.metric))


def pair_loss(outputs: Tensor, pairs: Tensor, truth: Tensor) -> Tensor:
    """Returns the mean binary cross entropy of pairs of nodes and of whether they are linked."""
    scores = link_scores(outputs, pairs)
    return F.binary_cross_entropy_with_logits(scores, truth.to(scores.dtype))


def mean_reciprocal_rank(positive: Tensor, negative: Tensor) -> float:
    """Returns the mean of 1 / rank of each link among its negatives, as OGB's evaluator.

    Args:
        positive (Tensor): Scores of the links ``[P]``.
        negative (Tensor): Scores of the negatives of each link ``[P, n]``; of equal scores, half
            count as higher.
    """
    higher = (negative > positive[:, None]).sum(dim=1)
    at_least = (negative >= positive[:, None]).sum(dim=1)
    return (1 / (1 + (higher + at_least).double() / 2)).mean().item()


def hits(positive: Tensor, negative: Tensor, count: int) -> float:
    """Returns the share of links with a higher score than all but :obj:`count` - 1 negatives, as
    OGB's evaluator.

    Args:
        positive (Tensor): Scores of the links ``[P]``.
        negative (Tensor): Scores of all negatives, at least :obj:`count`.
        count (int): The number after ``hits@``.
    """
    return (positive > negative.topk(count).values[-1]).double().mean().item()


def _hits_at(metric: str) -> int:
    return int(metric.removeprefix("hits@"))


def _truth(num_links: int, num_others: int, pairs: Tensor) -> Tensor:
    """Whether pairs are links, float32 on the device of :obj:`pairs`."""
    truth = torch.zeros(num_links + num_others, device=pairs.device)
    truth[:num_links] = 1
    return truth


def _require_negatives(metric: str, links: Tensor, negatives: Tensor, key: str) -> None:
    count, found = links.size(1), negatives.size(1)
    if metric == "mrr":
        grouped = count > 0 and found > 0 and found % count == 0
        if not grouped or bool((negatives[0].view(count, -1) != links[0][:, None]).any()):
            raise ValueError(
                f"data.{key}: expected pairs with the first node of each link for metric mrr: "
                "call split_links with same_source=True"
            )
    elif metric.startswith("hits@") and found < _hits_at(metric):
        raise ValueError(
            f"data.{key}: expected at least {_hits_at(metric)} pairs for metric {metric}, "
            f"got {found}: increase num_negatives"
        )
