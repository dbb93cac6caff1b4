import pytest
import torch

from tests.graph.expected import ZOO, check_graph


@pytest.mark.parametrize("name", ZOO)
def test_reverse_flips_every_edge(name):
    edge_index, size = ZOO[name]
    graph = ZOO[name].csr()
    reverse = graph.reverse()
    assert graph.reverse() is reverse
    check_graph(reverse, edge_index.flip(0), size[::-1])


@pytest.mark.parametrize("count", [0, 1, 2, 5])
@pytest.mark.parametrize("name", ZOO)
def test_repeat_equals_concatenated_copies(name, count):
    edge_index, size = ZOO[name]
    graph = ZOO[name].csr()
    shift = torch.tensor(size)[:, None]
    copies = [edge_index + b * shift for b in range(count)]
    expected = torch.cat(copies, dim=1) if copies else edge_index[:, :0]
    check_graph(graph.repeat(count), expected, (count * size[0], count * size[1]))
    more = graph.repeat(7)
    assert graph.repeat(7) is more
    assert more.csr_t.ptr.numel() == 7 * size[0] + 1
    check_graph(graph.repeat(count), expected, (count * size[0], count * size[1]))


def test_repeat_rejects_negative_counts():
    with pytest.raises(ValueError, match=r"count: expected 0 .. 2\*\*63 - 1, got -1"):
        ZOO["random"].csr().repeat(-1)


def test_to_and_repr():
    graph = ZOO["random"].csr()
    assert graph.to("cpu") is graph
    meta = graph.to("meta")
    assert meta.device.type == "meta"
    assert meta.size == graph.size
    assert repr(graph) == "CSRGraph(num_src=60, num_dst=60, num_edges=500, device='cpu')"
