"""Layers are split by head where that is exact."""

import pytest
import torch
import torch_geometric.nn

import gatsparse
from gatsparse import inference
from gatsparse.inference import heads, infer, stage
from tests.inference.models import MODELS, F


@pytest.mark.parametrize("on_disk", [False, True])
@pytest.mark.parametrize("model", MODELS)
def test_any_number_of_heads_at_once_is_exact(task, model, on_disk, tmp_path, monkeypatch):
    x, edge_index = task
    model = MODELS[model]().double().eval()
    with torch.no_grad():
        expected = model(x, edge_index)
    monkeypatch.setattr(heads, "_ROWS_BYTES", 10_000)
    for some in (1, 2, 3):
        folder = tmp_path / str(some) if on_disk else None
        monkeypatch.setattr(inference, "heads_at_once", lambda *_: some)  # noqa: B023
        out = infer(model, x, edge_index, folder=folder, progress=True)
        torch.testing.assert_close(out, expected, rtol=1e-12, atol=1e-12)
        assert folder is None or sorted(path.name for path in folder.iterdir()) == [
            f"layer-{model.num_layers}.npy",
            "state.json",
        ]


def test_larger_budgets_allow_more_heads(task):
    x, _ = task
    layer = gatsparse.nn.PaperGAT(F, 16, 5, heads=8).eval()
    rows = stage.Rows(x.float())
    budgets = range(0, 2_000_000, 1000)
    found = [heads.heads_at_once(layer, 0, rows, budget, 0, False) for budget in budgets]
    assert found == sorted(found)
    assert set(found) == {0, 1, 4, 8}  # those that the operator pads to nothing more
    assert heads.heads_at_once(layer, 0, rows, 10**9, 10**9, False) == 0


def test_modified_layers_are_not_split_by_head(task):
    x, edge_index = task
    rows = stage.Rows(x)

    class Doubled(gatsparse.GATConv):
        def forward(self, *args, **kwargs):
            return 2 * super().forward(*args, **kwargs)

    plain, hooked, subclassed, scatter = (MODELS["GAT"]().double().eval() for _ in range(4))
    hooked.convs[0].lin.register_forward_hook(lambda _m, _x, out: 2 * out)
    subclassed.convs[0].__class__ = Doubled
    scatter.convs[0].backend = "scatter"
    assert heads.heads_at_once(plain, 0, rows, 10**9, 0, False) == 2
    for model in (hooked, subclassed, scatter):
        assert heads.heads_at_once(model, 0, rows, 10**9, 0, False) == 0
        with torch.no_grad():
            torch.testing.assert_close(infer(model, x, edge_index), model(x, edge_index))


def test_custom_projections_are_not_split_by_head(task):
    class Normalized(torch_geometric.nn.Linear):
        def forward(self, x):
            return torch.nn.functional.normalize(super().forward(x), dim=-1)

    x, edge_index = task
    model = MODELS["GAT"]().double().eval()
    model.convs[0].lin.__class__ = Normalized
    with torch.no_grad():
        torch.testing.assert_close(infer(model, x, edge_index), model(x, edge_index))


def test_custom_models_are_not_split_by_head(task):
    """Splitting a model that overrides both methods by head would skip its code."""

    class Scaled(gatsparse.GAT):
        def forward(self, x, edge_index, **options):
            return super().forward(2 * x, edge_index, **options)

        def inference_per_layer(self, layer, x, edge_index, batch_size):
            x = tuple(2 * t for t in x) if layer == 0 else x
            return super().inference_per_layer(layer, x, edge_index, batch_size)

    x, edge_index = task
    model = Scaled(F, 16, 2, 5, heads=2).double().eval()
    with torch.no_grad():
        torch.testing.assert_close(infer(model, x, edge_index), model(x, edge_index))
