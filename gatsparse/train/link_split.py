"""Links of a graph: their split, and pairs of nodes without a link."""

from __future__ import annotations

from copy import copy

import torch
from torch import Tensor
from torch_geometric.data import Data

from gatsparse.checks import check_instance, check_integer, check_share

_ROUNDS = 1000  # in which pairs that are linked are drawn again


def split_links(
    data: Data,
    seed: int,
    *,
    val_share: float = 0.05,
    test_share: float = 0.1,
    num_negatives: int = 1,
    same_source: bool = False,
) -> Data:
    r"""Splits the links of a graph into links to train, to validate and to test.

    A link is a pair of different nodes with an edge in either direction. All edges between two
    nodes, in both directions, are in the same part, so that no part contains the reverse of a link
    of another one. Self-loops stay in the graph and are not links.

    Args:
        data (torch_geometric.data.Data): With :obj:`edge_index` ``[2, E]`` and, if there are any,
            edge features :obj:`edge_attr` ``[E, ...]``.
        seed (int): Seed of the split and of the negatives; torch's own generator is not touched.
        val_share, test_share (float, optional): Shares of the links.
        num_negatives (int, optional): Pairs without a link for each validation and test link.
        same_source (bool, optional): Draw the negatives of a link with its first node, as the
            metric MRR needs them, instead of from all pairs of nodes.

    Returns:
        torch_geometric.data.Data: A shallow copy whose :obj:`edge_index` and :obj:`edge_attr` are
        those of the training links, with :obj:`train_links`, :obj:`val_links` and
        :obj:`test_links` ``[2, P]``, each link once, and :obj:`val_negatives` and
        :obj:`test_negatives` ``[2, P * num_negatives]``, which are grouped by link.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If a share is out of range, a part would have no link, or a node is linked to
            all others.

    Example:
        >>> from gatsparse.data import load
        >>> from gatsparse.train import split_links
        >>> data = split_links(load("digits"), seed=0)
        >>> data.train_links.size(1), data.val_links.size(1), data.test_links.size(1)
        (10488, 617, 1234)
    """
    check_instance("data", data, Data, "torch_geometric.data.Data")
    check_integer("seed", seed, 0, 2**64 - 1)
    check_share("val_share", val_share)
    check_share("test_share", test_share)
    check_integer("num_negatives", num_negatives)
    edge_index = data.edge_index
    if not isinstance(edge_index, Tensor) or edge_index.layout != torch.strided:
        raise TypeError("data.edge_index: expected a dense tensor [2, E]")
    num_nodes = int(data.num_nodes or 0)
    generator = torch.Generator().manual_seed(seed)
    is_link = edge_index[0] != edge_index[1]
    codes, link_of = pair_codes(edge_index[:, is_link], num_nodes).unique(return_inverse=True)
    num_val, num_test = (round(share * len(codes)) for share in (val_share, test_share))
    counts = {"train": len(codes) - num_val - num_test, "val": num_val, "test": num_test}
    if min(counts.values()) < 1:
        raise ValueError(
            f"data.edge_index: expected links to train, validate and test, got {len(codes)} links, "
            f"of which {counts['train']}, {num_val} and {num_test} in these parts: change "
            "val_share or test_share"
        )
    order = torch.randperm(len(codes), generator=generator)
    parts = dict(zip(counts, order.split(list(counts.values())), strict=True))

    split = copy(data)
    in_train = torch.zeros(len(codes), dtype=torch.bool)
    in_train[parts["train"]] = True
    kept = ~is_link
    kept[is_link] = in_train[link_of]
    split.edge_index = edge_index[:, kept]
    if data.edge_attr is not None:
        split.edge_attr = data.edge_attr[kept]
    for name, part in parts.items():
        links = torch.stack([codes[part] // num_nodes, codes[part] % num_nodes])
        split[f"{name}_links"] = links
        if name != "train":
            source = links[0].repeat_interleave(num_negatives) if same_source else None
            count = num_negatives * links.size(1)
            split[f"{name}_negatives"] = unlinked_pairs(codes, num_nodes, count, generator, source)
    return split


def pair_codes(pairs: Tensor, num_nodes: int) -> Tensor:
    """Returns a number for each pair of nodes ``[2, P]``, the same for both directions."""
    pairs = pairs.long()  # int32 does not hold the square of many numbers of nodes
    return pairs.amin(dim=0) * num_nodes + pairs.amax(dim=0)


def unlinked_pairs(
    codes: Tensor,
    num_nodes: int,
    count: int,
    generator: torch.Generator | None = None,
    source: Tensor | None = None,
) -> Tensor:
    """Draws pairs of different nodes without a link, each with the same probability.

    PyG's ``negative_sampling`` draws from Python's generator, which checkpoints do not save.

    Args:
        codes (Tensor): Sorted :func:`pair_codes` of the links, on the device of the pairs.
        num_nodes (int): Number of nodes.
        count (int): Number of pairs.
        generator (torch.Generator, optional): The generator. (default: torch's)
        source (Tensor, optional): First node of each pair. (default: drawn)

    Returns:
        Tensor: int64 ``[2, count]``.

    Raises:
        ValueError: If there are no such pairs, or too few to find them.
    """

    def draw(size: int) -> Tensor:
        return torch.randint(num_nodes, (size,), generator=generator, device=codes.device)

    pairs = torch.stack([draw(count) if source is None else source, draw(count)])
    wrong = torch.arange(count, device=codes.device)
    for _ in range(_ROUNDS):
        drawn = pairs[:, wrong]
        found = pair_codes(drawn, num_nodes)
        place = torch.searchsorted(codes, found).clamp(max=len(codes) - 1)
        wrong = wrong[(codes[place] == found) | (drawn[0] == drawn[1])]
        if len(wrong) == 0:
            return pairs
        if source is None:
            pairs[0, wrong] = draw(len(wrong))
        pairs[1, wrong] = draw(len(wrong))
    raise ValueError(
        "data.edge_index: expected nodes without a link for negative samples, got node "
        f"{int(pairs[0, wrong[0]])} with a link to almost every other node"
    )
