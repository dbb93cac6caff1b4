"""The kernels that visit edges, compiled for every architecture; `python -m tests.gpu.report`
compiles all kernels and shapes.
"""

import pytest

pytest.importorskip("triton")

from tests.gpu.launches import CALLS, launches

ARCHITECTURES = ("sm_75", "sm_80", "sm_86", "sm_89", "sm_100", "sm_120", "gfx942")
GAT = ("gat_forward", "gat_backward")
GATV2 = ("gatv2_forward", "in_edges", "out_edges")
#: The oldest one and the one of AMD compile the kernels of GATv2, too.
ALL = ("sm_75", "gfx942")


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_kernels_compile_without_spills(arch):
    found = [launch for name in ("GAT 8x8", "GATv2 8x8") for launch in launches(CALLS[name])]
    found = {launch.kernel.__name__: launch for launch in found}
    for name in (*GAT, *GATV2) if arch in ALL else GAT:
        code = found[name].compiled(arch)
        assert code.spills == 0, name
        assert code.stack == 0, name
        assert code.asm["ptx" if arch.startswith("sm") else "amdgcn"]
