import pytest

from benchmarks.experiments.tasks import TASKS, Size, compare, inductive_data

SMALL = Size(num_graphs=5, num_nodes=40, epochs=3)


@pytest.mark.parametrize("task", TASKS)
def test_graphs_do_not_mix_the_masks(task: str):
    data = inductive_data(task, SMALL)
    masks = [data.train_mask, data.val_mask, data.test_mask]
    assert [int(mask.sum()) for mask in masks] == [40, 80, 80]
    src, dst = data["edge_index"]
    assert all(bool((mask[src] == mask[dst]).all()) for mask in masks)
    assert data["y"].shape == (200, 121 if task == "multi_label" else 1)


@pytest.mark.parametrize("task", TASKS)
def test_every_contender_has_a_row(task: str):
    rows = compare(task, seeds=2, size=SMALL, processes=1)
    assert [row.split(" | ")[1] for row in rows] == ["loop in PyG", "gatsparse", "scatter", "pyg"]
    # The same layers, seeds and steps: the kind "pyg" differs by rounding only.
    assert rows[3].split(" | ")[2] == rows[0].split(" | ")[2].rstrip(" |")
