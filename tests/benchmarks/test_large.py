import sys

import pytest

from benchmarks import large


@pytest.mark.skipif(sys.platform != "linux", reason="peaks of a process are read from /proc")
def test_main(tmp_path):
    large.main(
        [
            *("--nodes", "3000", "--edges", "30000", "--out", str(tmp_path)),
            *("--budgets", "1GB", "50MB", "1MB", "--memory-limit", "20"),
        ]
    )
    report = (tmp_path / "report.md").read_text()
    for row in ("structure", "by torch.argsort", "M edges/s", "step, gatsparse", "step, torch_"):
        assert row in report
    assert "within 50MB, features between layers on disk" in report
    assert "| inference within 1MB | failed: ValueError: max_memory: layer 1 needs" in report
