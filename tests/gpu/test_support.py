"""Whether Triton can be imported, which decides whether a call on a GPU uses the kernels."""

import sys
import warnings
from pathlib import Path

import pytest
import torch

from gatsparse.gpu import support


@pytest.fixture(autouse=True)
def _fresh():
    support._reason.cache_clear()
    yield
    support._reason.cache_clear()


def test_triton_that_cannot_be_imported_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "triton.py").write_text("raise ImportError('no libtriton.so')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "triton", raising=False)
    assert "Triton, which cannot be imported (no libtriton.so): " in (
        support.triton_missing() or ""
    )


def test_triton_of_this_environment_is_found():
    pytest.importorskip("triton")
    assert support.triton_missing() is None


def test_answer_is_a_constant_for_torch_compile():
    def step(x: torch.Tensor) -> torch.Tensor:
        return x + 1 if support.triton_missing() else x * 2

    x = torch.ones(2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = torch.compile(step, fullgraph=True, backend="eager")(x)
    assert torch.equal(found, step(x))
