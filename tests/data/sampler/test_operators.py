"""The operators of a walk check their arguments."""

import pytest
import torch


def test_neighbor_sample_checks_its_arguments():
    rowptr, col = torch.tensor([0, 1, 2]), torch.tensor([0, 1], dtype=torch.int32)
    neighbor_sample, all_of = torch.ops.gatsparse.neighbor_sample, (-1, False, 0, 0)
    nodes = torch.tensor([1, 0, 1])
    ptr, source, edge = neighbor_sample([rowptr, col, col], nodes, *all_of)
    assert [t.tolist() for t in (ptr, source, edge)] == [[0, 1, 2, 3], [1, 0, 1], [1, 0, 1]]
    for bad in (-1, 2, 2**40, -(2**63)):
        with pytest.raises(RuntimeError, match="dst: index out of range"):
            neighbor_sample([rowptr, col, col], torch.tensor([0, bad]), *all_of)
    for bad in ([0, 3, 2], [0, -(2**50), 2], [2, 1, 2]):
        with pytest.raises(RuntimeError, match="dst: index out of range"):
            neighbor_sample([torch.tensor(bad), col, col], torch.tensor([0, 1]), *all_of)
    with pytest.raises(RuntimeError, match="perm: unexpected dtype"):
        neighbor_sample([rowptr, col, col.long()], nodes, *all_of)
    with pytest.raises(RuntimeError, match="expected \\[rowptr, col, perm\\], got 2"):
        neighbor_sample([rowptr, col], nodes, *all_of)


def test_relabel_checks_nodes_before_it_writes():
    local = torch.full((3,), -1, dtype=torch.int32)
    for bad in (-1, 3, 2**40):
        with pytest.raises(RuntimeError, match="node: index out of range"):
            torch.ops.gatsparse.relabel(torch.tensor([0, 1, bad]), 0, local)
    with pytest.raises(RuntimeError, match="next: the nodes do not fit int32"):
        torch.ops.gatsparse.relabel(torch.tensor([0]), 2**31 - 1, local)
    assert local.tolist() == [-1, -1, -1]
    number, new = torch.ops.gatsparse.relabel(torch.tensor([2, 0, 2]), 5, local)
    assert (number.tolist(), new.tolist(), local.tolist()) == ([5, 6, 5], [2, 0], [6, -1, 5])
