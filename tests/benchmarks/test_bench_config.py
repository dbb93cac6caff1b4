from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
import yaml

from benchmarks import plan
from benchmarks.__main__ import main
from benchmarks.config import Accuracy, Layer, PowerLaw, Recipe, Sweep, Timing, parse, save
from benchmarks.contenders import CONTENDERS, LAYER_CONTENDERS, Library
from gatsparse.data import NAMES
from tests.benchmarks import fakes

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.mark.parametrize("name", ["bench", "accuracy", "kernels", "kernels-scaling"])
def test_shipped_configs_name_known_contenders_and_graphs(name):
    config = parse(CONFIGS / f"{name}.yaml")
    assert set(config.contenders) <= set(CONTENDERS)
    assert set(plan.layer_contenders(config)) <= set(LAYER_CONTENDERS)
    assert set(plan.graphs(config)) <= {*config.graphs, *NAMES}
    assert not config.datasets or set(config.accuracy.contenders) <= set(config.contenders)
    assert set(config.recipe.contenders) <= set(config.contenders)


def test_bench_has_all_contenders():
    of_models = {name for name, item in CONTENDERS.items() if not isinstance(item, Library)}
    assert set(parse(CONFIGS / "bench.yaml").contenders) == of_models


def test_bench_times_the_recipe_with_gatsparse_first():
    recipe = parse(CONFIGS / "bench.yaml").recipe
    assert recipe.epochs == 200
    assert recipe.contenders[0] == "gatsparse"
    assert {"pyg", "dense-concat"} <= set(recipe.contenders)


def test_kernels_has_all_shapes_of_both_layers():
    config = parse(CONFIGS / "kernels.yaml")
    for layer in get_args(Layer):
        assert plan.shapes(config, layer) == ["8x8", "1x64", "4x32", "4x64", "3x250", "8x16"]


def test_overrides_replace_values_of_the_file():
    config = parse(CONFIGS / "bench.yaml", "--datasets", "[digits]", "--step.seconds", "0.5")
    assert config.datasets == ("digits",)
    assert config.step.seconds == 0.5


def test_round_trip(tmp_path):
    config = fakes.config(tmp_path, threads=1, step=Timing(0.0, 0.5, 7), recipe=Recipe(("pyg",)))
    save(config, tmp_path / "config.yaml")
    assert parse(tmp_path / "config.yaml") == config


def test_round_trip_of_layers(tmp_path):
    config = fakes.layer_config(tmp_path)
    save(config, tmp_path / "config.yaml")
    assert parse(tmp_path / "config.yaml") == config


@pytest.mark.parametrize(
    "text",
    [
        "contender: [pyg]",
        "step: {second: 1}",
        "recipe: {contender: [pyg]}",
        "rounds: many",
        "graphs: {P: {num_nodes: 1, num_edge: 1}}",
        "layers: [{graphs: [P], layers: [GAT], shape: [8x8], shapes: [8x8]}]",
        "layers: [{graphs: [P], layers: [GTA], shapes: [8x8]}]",
    ],
)
def test_bad_file_raises(tmp_path, text):
    path = tmp_path / "bench.yaml"
    save(fakes.config(tmp_path), path)
    values = yaml.safe_load(path.read_text()) | yaml.safe_load(text)
    path.write_text(yaml.safe_dump(values))
    with pytest.raises(ValueError, match=f"bench.yaml: (.|\n)*{text.split(':')[0]}"):
        parse(path)


def test_missing_file_raises(tmp_path):
    with pytest.raises(ValueError, match=r"bench\.yaml"):
        parse(tmp_path / "bench.yaml")


def test_unknown_key_on_the_command_line_is_reported(capsys):
    assert main(["run", str(CONFIGS / "bench.yaml"), "--contender", "[pyg]"]) == 1
    assert "--contender" in capsys.readouterr().err


def test_unknown_option_of_other_commands_raises(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["report", str(tmp_path), "--rounds", "3"])
    assert "--rounds" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("rounds", -1),
        ("threads", 0),
        ("memory_limit", -1.0),
        ("in_channels", 0),
        ("datasets", ()),
        ("graphs", {"a b": PowerLaw(1, 1)}),
    ],
)
def test_values_out_of_range_raise(tmp_path, key, value):
    with pytest.raises(ValueError, match=f"{key}: expected"):
        replace(fakes.config(tmp_path), **{key: value})


def test_values_out_of_range_in_sections_raise():
    with pytest.raises(ValueError, match="repetitions: expected >= 1, got 0"):
        Timing(repetitions=0)
    with pytest.raises(ValueError, match="epochs: expected >= 1, got 0"):
        Accuracy(epochs=0)
    with pytest.raises(ValueError, match="limit: expected >= 0, got -1"):
        Recipe(limit=-1)
    with pytest.raises(ValueError, match="num_nodes: expected >= 1, got 0"):
        PowerLaw(num_nodes=0, num_edges=1)


@pytest.mark.parametrize("shape", ["8", "0x8", "8x", "8X8", "8x8x8", " 8x8"])
def test_bad_shape_raises(shape):
    with pytest.raises(ValueError, match=f"shapes: expected HEADSxCHANNELS.*got '{shape}'"):
        Sweep(("P",), ("GAT",), (shape,))
