"""The page about the model of a run."""

from __future__ import annotations

import pytest

from gatsparse.predict import explain_run, load_data
from gatsparse.train import ConfigError, ModelConfig


def test_page_has_ids_classes_and_curves(trained, tmp_path):
    run = trained()
    page = tmp_path / "page.html"
    explain_run(run, load_data(run), page, nodes=["item-7", "item-20"], removals=2)
    text = page.read_text()
    for shown in ("item-7", "item-20", "book", "shop, seed 0", 'id="curves"'):
        assert shown in text, shown


def test_unknown_ids_are_refused(trained, tmp_path):
    run = trained()
    with pytest.raises(ConfigError, match=r"^nodes: expected the id of a node, got 'item-999'"):
        explain_run(run, load_data(run), tmp_path / "page.html", nodes=["item-999"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": ModelConfig(kind="dense")}, "expected a model with sparse layers"),
        ({"task": "link_prediction"}, "expected a task of nodes, got link_prediction"),
    ],
)
def test_models_without_a_page(trained, tmp_path, options, message):
    run = trained(**options)
    with pytest.raises(ConfigError, match=rf"^run: {message}"):
        explain_run(run, load_data(run), tmp_path / "page.html")
