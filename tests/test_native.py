"""The build: registered operators, instruction sets and ABI."""

import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest
import torch

from gatsparse import _native


def test_kernels_are_built():
    assert _native.available(), _native.MISSING
    assert _native.isas()[-1] == "baseline"
    assert Path(_native._C.__file__).name == "_C.abi3.so"
    assert ".abi3.so" in EXTENSION_SUFFIXES


def test_best_instruction_set_is_chosen():
    # torch reads the processor by its own code; ours must not be worse.
    best = {"AVX512": "avx512", "AVX2": "avx2"}.get(torch.backends.cpu.get_cpu_capability())
    assert best is None or best in _native.isas()


def test_unknown_instruction_set_raises():
    with (
        pytest.raises(ValueError, match=r"isa: expected one of .*, got 'mmx'"),
        _native.use_isa("mmx"),
    ):
        pass
    with pytest.raises(ValueError, match="'mmx' is not built in"):
        _native._C.use_isa("mmx")
    with pytest.raises(TypeError):
        _native._C.use_isa(3)


def test_schemas_are_implemented_on_cpu():
    for name in ("coo_to_csr", "csr_transpose", "gat", "gat_backward"):
        assert torch._C._dispatch_has_kernel_for_dispatch_key(f"gatsparse::{name}", "CPU")


def test_package_works_without_the_extension():
    """Runs a fresh interpreter in which gatsparse._C cannot be imported."""
    code = """
import sys
sys.modules["gatsparse._C"] = None
import torch, gatsparse
from gatsparse import _native
assert not _native.available() and "gatsparse._C" in _native.MISSING, _native.MISSING
assert _native.isas() == []
conv = gatsparse.GATConv(3, 2, heads=2)
x, edge_index = torch.randn(4, 3), torch.tensor([[0, 1, 2], [1, 2, 3]])
conv(x, edge_index).sum().backward()
conv.backend = "fused"
try:
    conv(x, edge_index)
except ValueError as error:
    assert "gatsparse._C" in str(error), error
else:
    raise AssertionError("fused served without kernels")
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_package_works_without_torch_scatter():
    code = """
import sys
sys.modules["torch_scatter"] = None
import torch, gatsparse
conv = gatsparse.GATConv(3, 2, heads=2, backend="scatter")
conv(torch.randn(4, 3), torch.tensor([[0, 1, 2], [1, 2, 3]])).sum().backward()
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
