"""Memory that GAT's kernels read, in 32-byte sectors, next to the least that any kernel reads."""

import pytest
import torch

from gatsparse.graph import CSRGraph
from gatsparse.ops.fused import csr_arguments

pytest.importorskip("triton")

from gatsparse.ops.gat import cuda
from tests.gpu.gat_calls import pieces_of
from tests.ptx.device import emulated

NODES, MEAN_DEGREE = 256, 13.5


def power_law(generator: torch.Generator) -> CSRGraph:
    """A graph with heavy-tailed degrees at both ends."""
    weight = torch.rand(NODES, generator=generator).clamp(min=1e-6) ** -0.55
    num_edges = int(NODES * MEAN_DEGREE)
    ends = [
        torch.multinomial(weight, num_edges, replacement=True, generator=generator)
        for _ in range(2)
    ]
    return CSRGraph.from_edge_index(torch.stack(ends), num_nodes=NODES)


@pytest.mark.parametrize(
    ("H", "C", "forward", "backward"), [(8, 8, 1.4, 2.1), (4, 64, 1.2, 1.5)], ids=["8x8", "4x64"]
)
def test_sectors_read_next_to_the_rows_alone(H, C, forward, backward):
    generator = torch.Generator().manual_seed(3)
    graph = power_law(generator)
    csr, csr_t = csr_arguments(graph, True)
    x, grad_out = (torch.randn(NODES, H, C, generator=generator) for _ in range(2))
    att = torch.randn(1, H, C, generator=generator) * C**-0.5
    options = (csr, csr_t, False, 0.2, 0.0, None)
    with emulated(races=False, initialised=False) as device, pieces_of(128):
        _, *saved = cuda.gat(x, att, att, None, None, None, None, True, True, True, *options)
        cuda.gat_backward(grad_out, x, att, att, None, None, *saved, *options)
    floor = graph.num_edges * (H * C * 4 + 4) / 32
    for kernel, most in (("gat_forward", forward), ("gat_backward", backward)):
        sectors = device.counts[kernel].sectors
        read = sum(n for (access, _), n in sectors.items() if access == "ld.global")
        assert floor < read < most * floor, read / floor
