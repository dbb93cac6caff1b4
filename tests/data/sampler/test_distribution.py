"""Samples have the distribution that the sampler documents."""

import random
from itertools import pairwise
from math import comb

import pytest
import torch
from scipy.stats import chi2, chi2_contingency, chisquare, ks_2samp
from torch_geometric.data import Data, HeteroData

from gatsparse import CSRGraph
from gatsparse.data import rmat
from gatsparse.data.sampler import NeighborSampler
from tests.data.sampler.samples import nodes_of, sample


def star(degree):
    """Edge e leads from node e + 1 to node 0."""
    edges = torch.stack([torch.arange(1, degree + 1), torch.zeros(degree, dtype=torch.int64)])
    return CSRGraph.from_edge_index(edges, degree + 1)


def draws(degree, count, times, replace=False, seed=0):
    """``[times, count]``: edges that a node of this degree drew."""
    out = sample(star(degree), [count], [0] * times, replace=replace, seed=seed)
    return out.edge.view(times, count)


def uniform(counts, together=1):
    """p-value of equal expected counts; :obj:`together` different ones are drawn at once."""
    n = counts.numel()
    variance = (1 - together / n) * n / (n - 1)  # of each, relative to that of single draws
    return chi2.sf(chisquare(counts.numpy()).statistic / variance, n - 1)


def of_edges(drawn, degree):
    return torch.bincount(drawn.flatten(), minlength=degree)


def of_subsets(drawn, degree):
    """How often each subset was drawn; large subsets are counted by the edges they leave out."""
    if drawn.size(1) > degree // 2:
        left = torch.ones(len(drawn), degree, dtype=torch.bool).scatter_(1, drawn, False)
        drawn = left.nonzero()[:, 1].view(len(drawn), -1)
    counts = drawn.sort(dim=1).values.unique(dim=0, return_counts=True)[1]
    absent = comb(degree, drawn.size(1)) - counts.numel()
    return torch.cat([counts, counts.new_zeros(absent)])


def likely(p):
    return 1e-4 < p < 1 - 1e-4


@pytest.mark.parametrize(
    ("degree", "count", "times"),
    [
        (2, 1, 20000),
        (7, 3, 20000),
        (100, 32, 3000),
        (100, 33, 3000),
        (100, 99, 20000),
        (5000, 10, 10000),
        (5000, 600, 300),
    ],
)
def test_edges_are_equally_likely(degree, count, times):
    drawn = draws(degree, count, times)
    assert bool((drawn.sort(dim=1).values.diff(dim=1) > 0).all())
    assert likely(uniform(of_edges(drawn, degree), count))


@pytest.mark.parametrize(("degree", "count"), [(5, 2), (6, 4), (34, 32), (35, 33)])
def test_subsets_are_equally_likely(degree, count):
    assert likely(uniform(of_subsets(draws(degree, count, 20000), degree)))


@pytest.mark.parametrize(("degree", "count", "times"), [(3, 7, 5000), (5000, 40, 3000)])
def test_draws_with_replacement_are_uniform_and_independent(degree, count, times):
    drawn = draws(degree, count, times, replace=True)
    assert likely(uniform(of_edges(drawn, degree)))
    if degree == 3:
        assert all(likely(uniform(of_edges(drawn[:, k], degree))) for k in range(count))
        assert all(likely(independent(*drawn.T[[k, k + 1]])) for k in range(count - 1))


def test_statistics_detect_biased_draws():
    biased = (torch.rand(20000) ** 1.1 * 7).long()
    assert uniform(of_edges(biased, 7)) < 1e-4
    run = (torch.randint(5, (20000, 1)) + torch.arange(2)) % 5  # neighbours on a circle
    assert likely(uniform(of_edges(run[:, 0], 5)))
    assert uniform(of_subsets(run, 5)) < 1e-4
    even = torch.arange(20000) % 7
    assert uniform(of_edges(even, 7)) > 1 - 1e-4
    lasting = torch.randint(4, (20000,))
    lasting[1::2] = torch.where(torch.rand(10000) < 0.05, lasting[::2], lasting[1::2])
    assert independent(lasting[::2], lasting[1::2]) < 1e-4


def independent(first, second):
    """p-value of the independence of two rows of draws of 0, 1, ..."""
    size = int(max(first.max(), second.max())) + 1
    table = torch.bincount(size * first + second, minlength=size * size).view(size, size)
    return chi2_contingency(table.numpy()).pvalue


def four_each():
    """Nodes 0 and 1 have in-edges 0 .. 3 and 4 .. 7, from nodes 2 .. 5."""
    return CSRGraph.from_edge_index(
        torch.tensor([[2, 3, 4, 5, 2, 3, 4, 5], [0, 0, 0, 0, 1, 1, 1, 1]]), 6
    )


def test_nodes_of_a_sample_are_independent():
    drawn = sample(four_each(), [1], [0, 1] * 10000, seed=1).edge.view(-1, 2) % 4
    assert likely(independent(*drawn.T))
    assert likely(independent(drawn[:-1, 1], drawn[1:, 0]))


def test_successive_samples_are_independent():
    sampler = NeighborSampler(four_each(), [1], seed=1)
    outs = [sampler.sample_from_nodes(nodes_of([0] * 5000)).edge for _ in range(4)]
    assert all(likely(independent(*two)) for two in pairwise(outs))


def test_hops_are_independent():
    sources = [1, 2, 3, 4] + 4 * [5, 6, 7, 8]
    targets = 4 * [0] + [i for i in (1, 2, 3, 4) for _ in range(4)]
    graph = CSRGraph.from_edge_index(torch.tensor([sources, targets]), 9)
    sampler = NeighborSampler(graph, [1, 1], seed=1)
    edges = [sampler.sample_from_nodes(nodes_of([0])).edge for _ in range(3000)]
    first, second = torch.stack(edges).T % 4
    assert likely(uniform(of_edges(first, 4)))
    assert likely(uniform(of_edges(second, 4)))
    assert likely(independent(first, second))


def test_edge_types_are_independent():
    data = HeteroData()
    data["a"].num_nodes, data["b"].num_nodes = 4, 1
    for name in "rs":
        data["a", name, "b"].edge_index = torch.tensor([[0, 1, 2, 3], [0, 0, 0, 0]])
    out = sample(data, [1], [0] * 10000, "b", seed=1)
    assert likely(independent(*out.edge.values()))


class PlainSampler:
    """The algorithm that PyG documents: nodes draw in-edges uniformly, hop by hop."""

    def __init__(self, edge_index, num_neighbors, replace):
        self.in_edges, self.source = {}, edge_index[0].tolist()
        for e, i in enumerate(edge_index[1].tolist()):
            self.in_edges.setdefault(i, []).append(e)
        self.num_neighbors, self.replace, self.random = num_neighbors, replace, random.Random(0)

    def numbers(self, seeds):
        """Numbers of new nodes and of edges of each hop."""
        known, frontier, found = set(seeds), list(seeds), []
        for count in self.num_neighbors:
            drawn = [e for i in frontier for e in self.draw(self.in_edges.get(i, []), count)]
            frontier = list(dict.fromkeys(self.source[e] for e in drawn))
            frontier = [j for j in frontier if j not in known]
            known.update(frontier)
            found += [len(frontier), len(drawn)]
        return found

    def draw(self, edges, count):
        if self.replace:
            return self.random.choices(edges, k=count) if edges else []
        return self.random.sample(edges, min(count, len(edges)))


SKEWED = rmat(500, 4000, seed=6)
COMMON = torch.bincount(SKEWED[1]).topk(4).indices.tolist()


def numbers(replace):
    """``[300, 4]`` from our sampler: nodes and edges of the first and of the second hop."""
    sampler = NeighborSampler(
        Data(edge_index=SKEWED, num_nodes=500), [6, 5], replace=replace, seed=0
    )
    outs = [sampler.sample_from_nodes(nodes_of(COMMON)) for _ in range(300)]
    return torch.tensor(
        [[n for k in (0, 1) for n in (o.num_sampled_nodes[k + 1], o.num_sampled_edges[k])]
         for o in outs]
    )  # fmt: skip


def plain_numbers(replace):
    plain = PlainSampler(SKEWED, [6, 5], replace)
    return torch.tensor([plain.numbers(COMMON) for _ in range(300)])


def ks(first, second):
    """Smallest p-value of the Kolmogorov-Smirnov tests of the columns."""
    return min(ks_2samp(*two).pvalue for two in zip(first.T.numpy(), second.T.numpy(), strict=True))


@pytest.mark.parametrize("replace", [False, True])
def test_numbers_of_nodes_and_edges_match_a_plain_sampler(replace):
    ours = numbers(replace)
    assert ours.unique(dim=0).size(0) > 50
    assert ks(ours, plain_numbers(replace)) > 1e-3
    assert ks(ours, plain_numbers(not replace)) < 1e-4
