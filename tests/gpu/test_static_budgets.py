"""The table of static budgets is complete, and holds for the installed version of Triton."""

import pytest

pytest.importorskip("triton")

import triton

from tests.gpu.static_budgets import Key, launches_by_key, measured, read

TABLE = read()
VERSIONS = ["3.6.0", "3.7.1", "3.8.0", "3.9.0"]


@pytest.fixture(scope="module")
def launched():
    return dict(launches_by_key())


@pytest.mark.parametrize("version", VERSIONS)
def test_every_kernel_has_a_budget(version, launched):
    assert list(TABLE[version]) == list(launched)


@pytest.mark.parametrize("version", VERSIONS)
def test_no_budget_allows_spills_or_shared_memory_in_loops_over_edges(version):
    for key, budget in TABLE[version].items():
        assert (budget.spills, budget.stack) == (0, 0), key
        assert budget.shared_stores == 0 or budget.instructions == 0, key


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_needs_about_as_many_instructions(version):
    for key, budget in TABLE[version].items():
        assert budget.instructions <= 1.25 * TABLE["3.7.1"][key].instructions, key


@pytest.mark.parametrize(
    "key",
    [
        Key("GAT 8x8", "gat_forward"),
        Key("GAT 8x8", "gat_backward"),
        Key("GATv2 8x8", "gatv2_forward"),
    ],
    ids=lambda key: key.kernel,
)
def test_kernels_are_within_their_budgets(key, launched):
    assert triton.__version__ in TABLE, "run python -m tests.gpu.static_budgets"
    most, found = TABLE[triton.__version__][key], measured(launched[key])
    assert found.registers <= most.registers
    assert (found.spills, found.stack, found.shared_stores) == (0, 0, 0)
    assert 0 < found.instructions <= most.instructions
    assert found.loads == most.loads
