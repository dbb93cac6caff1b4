from __future__ import annotations

from pathlib import Path

import pytest

from gatsparse.data.ogb import evaluator, load_ogb
from gatsparse.train import build_model, load_task, parse_config, train
from tests.data.ogb.files import (
    write,
)

RECIPES = sorted((Path(__file__).parents[3] / "configs" / "ogb").glob("*.yaml"))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
@pytest.mark.parametrize("mode", ["full", "sampled"])
def test_recipe_trains_to_the_accuracy_of_ogb(places, recipe: Path, mode: str, tmp_path: Path):
    """Trains on a small data set in the same format; OGB's evaluator gives the same accuracy."""
    overrides = ["--root", str(places["root"]), "--run_dir", str(tmp_path), "--mode", mode]
    overrides += ["--epochs", "2", "--sampling.max_memory", "100MB", "--threads", "1"]
    config = parse_config(recipe, overrides)
    write(places["root"], config.dataset)
    task = load_task(config)
    expected = load_ogb(config.dataset, places["root"], undirected=config.undirected)
    assert task["edge_index"].equal(expected["edge_index"])
    (result,) = train(config)
    model = build_model(config.model, task).eval()
    model.load_state_dict(result.state_dict)
    found = model(task["x"], task["edge_index"]).argmax(dim=1)
    test = task["test_mask"]
    assert result.epochs == 2
    assert result.test_score == pytest.approx(
        evaluator(config.dataset)(task["y"][test], found[test])
    )
