from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch_geometric.data import Data

from gatsparse.train import split_links
from gatsparse.train.link_split import pair_codes, unlinked_pairs

N = 12


def pairs_of(edges: Tensor) -> set[frozenset[int]]:
    return {frozenset(pair) for pair in edges.t().tolist()}


@given(
    edges=st.lists(st.tuples(st.integers(0, N - 1), st.integers(0, N - 1)), min_size=30),
    seed=st.integers(0, 5),
)
def test_parts_share_no_pair_of_nodes(edges: list[tuple[int, int]], seed: int):
    """Of any directed graph, with duplicates, reverse edges and self-loops."""
    edges += [(i, (i + 1) % N) for i in range(N)]
    edge_index = torch.tensor(edges).t()
    data = Data(edge_index=edge_index, edge_attr=torch.arange(len(edges)), num_nodes=N)
    split = split_links(data, seed, val_share=0.2, test_share=0.3)
    parts = [pairs_of(split[f"{name}_links"]) for name in ("train", "val", "test")]
    links = pairs_of(edge_index[:, edge_index[0] != edge_index[1]])
    assert sum(map(len, parts)) == len(links)
    assert set.union(*parts) == links
    assert [len(part) for part in parts[1:]] == [round(0.2 * len(links)), round(0.3 * len(links))]
    # Every edge of the training links and every self-loop is kept, with its features and direction.
    loops = {pair for pair in pairs_of(edge_index) if len(pair) == 1}
    assert pairs_of(split["edge_index"]) == parts[0] | loops
    assert torch.equal(split["edge_index"], edge_index[:, split["edge_attr"]])
    kept = [frozenset(edge) in parts[0] | loops for edge in edges]
    assert split["edge_index"].size(1) == sum(kept)


def graph(num_nodes: int = 40, num_edges: int = 150) -> Data:
    generator = torch.Generator().manual_seed(0)
    edge_index = torch.randint(num_nodes, (2, num_edges), generator=generator)
    return Data(edge_index=edge_index, num_nodes=num_nodes)


@pytest.mark.parametrize("same_source", [False, True])
def test_negatives_are_no_links(same_source: bool):
    data = graph()
    split = split_links(data, 0, num_negatives=7, same_source=same_source)
    for name in ("val", "test"):
        links, negatives = split[f"{name}_links"], split[f"{name}_negatives"]
        assert negatives.size(1) == 7 * links.size(1)
        assert not pairs_of(negatives) & pairs_of(data["edge_index"])
        assert bool((negatives[0] != negatives[1]).all())
        assert torch.equal(negatives[0], links[0].repeat_interleave(7)) == same_source


def test_pairs_without_a_link_are_drawn_uniformly():
    """Of 5 nodes with 2 links, 8 pairs are left; each is drawn in both directions."""
    codes = pair_codes(torch.tensor([[0, 1], [3, 2]]), 5).unique()
    generator = torch.Generator().manual_seed(0)
    drawn = unlinked_pairs(codes, 5, 16_000, generator)
    counts = (drawn[0] * 5 + drawn[1]).bincount(minlength=25).double()
    # Binomial with mean 1000 and deviation 31: 5 deviations.
    assert torch.count_nonzero(counts) == 16
    assert float((counts[counts > 0] - 1000).abs().max()) < 5 * 31


def test_seed_fixes_the_split_without_changing_the_generator():
    torch.manual_seed(3)
    state = torch.get_rng_state()
    first, again, other = (split_links(graph(), seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    for key in ("edge_index", "train_links", "val_links", "val_negatives", "test_negatives"):
        assert torch.equal(first[key], again[key])
    assert not torch.equal(first["test_links"], other["test_links"])


def test_data_itself_is_not_changed():
    data = graph()
    before = data["edge_index"].clone()
    split_links(data, 0)
    assert torch.equal(data["edge_index"], before)
    assert "train_links" not in data


def test_too_few_links_raise():
    data = Data(edge_index=torch.tensor([[0, 1], [1, 0]]), num_nodes=3)
    with pytest.raises(ValueError, match=r"data\.edge_index: expected links .* got 1 links"):
        split_links(data, 0)
    with pytest.raises(ValueError, match=r"of which -.*change val_share or test_share"):
        split_links(graph(), 0, val_share=0.8, test_share=0.8)


def test_graphs_without_unlinked_pairs_raise():
    complete = torch.ones(6, 6).triu(1).nonzero().t()
    with pytest.raises(ValueError, match=r"data\.edge_index: .* link to almost every other node"):
        split_links(Data(edge_index=complete, num_nodes=6), 0, val_share=0.2)
