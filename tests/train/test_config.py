from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gatsparse.data import GraphFiles
from gatsparse.train import ConfigError, ModelConfig, OptimConfig, TrainConfig, parse_config
from gatsparse.train.config_file import config_yaml

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "config.yaml"
        path.write_text(text)
        return path

    return write


def test_defaults_are_the_recipe_of_the_paper(write):
    config = parse_config(write("dataset: cora"))
    assert config == TrainConfig("cora")
    assert config.model == ModelConfig("gatsparse", 8, 8, 1, 0.6, 0.2)
    assert config.optim == OptimConfig(0.005, 5e-4)
    assert (config.epochs, config.patience, config.stopping) == (200, 100, "val_score")
    assert config.normalize_features is None


@pytest.mark.parametrize("dataset", ["{folder}", "{{path: {folder}}}"])
@pytest.mark.parametrize("other", [False, True])
def test_keys_of_files_are_added_to_a_folder(write, tmp_path, dataset, other):
    folders = tmp_path / "shop", tmp_path / "other"
    for folder in folders:
        folder.mkdir()
    options = [f"--dataset={folders[1]}"] if other else []
    config = parse_config(
        write(f"dataset: {dataset.format(folder=folders[0])}"),
        [*options, "--dataset.missing", "mean"],
    )
    assert config.dataset == GraphFiles(folders[other], missing="mean")


@pytest.mark.parametrize("name", ["tolokers", "tolokers-sampled"])
def test_tolokers_configs_share_model_and_optimizer(name):
    config = parse_config(CONFIGS / f"{name}.yaml")
    full = parse_config(CONFIGS / "tolokers.yaml")
    assert (config.metric, config.split, config.all_seeds) == ("roc_auc", "seed", list(range(10)))
    assert (config.model, config.optim) == (full.model, full.optim)
    assert config.mode == ("full" if config == full else "sampled")


@pytest.mark.parametrize("name", ["cora", "citeseer", "pubmed", "digits"])
def test_shipped_configs_are_the_recipe_of_the_paper(name: str):
    config = parse_config(CONFIGS / f"{name}.yaml")
    assert (config.dataset, config.epochs, config.seeds) == (name, 200, [0])
    if name in ("cora", "citeseer"):
        assert config == TrainConfig(name, normalize_features=True)
    if name == "pubmed":
        assert config == TrainConfig(
            name,
            normalize_features=True,
            model=ModelConfig(out_heads=8),
            optim=OptimConfig(0.01, 0.001),
        )


def test_overrides_win_over_the_file_and_the_file_over_defaults(write):
    path = write("dataset: cora\nepochs: 7\nmodel:\n  heads: 4\n  kind: pyg\n")
    arguments = "--epochs 5 --model.kind dense --seeds [1,2] --root somewhere --progress false"
    config = parse_config(path, arguments.split())
    assert config == TrainConfig(
        "cora",
        root=Path("somewhere"),
        epochs=5,
        model=ModelConfig("dense", heads=4),
        seeds=[1, 2],
        progress=False,
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dataset: cora\nepoch: 3", "epoch"),
        ("dataset: cora\nmodel:\n  head: 3", "head"),
        ("dataset: cora\noptimizer:\n  lr: 3", "optimizer"),
        ("epochs: 3", "dataset"),
        ("dataset: karate", "dataset: expected one of cora, .*'karate'"),
        ("dataset: ''", "dataset: expected one of cora, .* a folder of files, .*''"),
        ("dataset: {path: ''}", "dataset.path: expected the folder of the files, got ''"),
        ("dataset: {label: kind}", "dataset.path: expected path, got None"),
        ("dataset: cora\nepochs: many", "epochs"),
        ("dataset: cora\nepochs: 1.5", "epochs"),
        ("dataset: cora\nseeds: 0", "seeds"),
        ("dataset: cora\nseeds: few", "seeds"),
        ("dataset: cora\nsplit: half", "split"),
        ("dataset: cora\nmodel: 3", "config.yaml"),
        ("dataset: cora\nmodel:\n  kind: gcn", "model.kind"),
        ("dataset: cora\nstopping: never", "stopping"),
        ("dataset: cora\nstopping: [paper, never]", "stopping"),
        ("dataset: cora\nstopping: []", "stopping"),
        ("dataset: cora\nprocesses: all", "processes"),
        ("dataset: [cora", "config.yaml"),
        ("3", "config.yaml"),
        ("", "config.yaml"),
    ],
)
def test_wrong_files_raise(write, text: str, message: str):
    with pytest.raises(ConfigError, match=message):
        parse_config(write(text))


@pytest.mark.parametrize("argument", ["--epoch", "--model.head", "--modl.heads"])
def test_unknown_override_raises(write, argument: str):
    with pytest.raises(ConfigError, match=argument):
        parse_config(write("dataset: cora"), [argument, "3"])


def test_keys_of_files_need_their_path(write):
    with pytest.raises(ConfigError, match=r"^dataset\.path: expected the folder .*, got null"):
        parse_config(write("dataset: cora"), ["--dataset.label", "kind"])
    config = parse_config(write("dataset: cora"), ["--dataset.label=kind", "--dataset.path=shop"])
    assert config.dataset == GraphFiles("shop", label="kind")


def test_missing_file_raises(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"no-such\.yaml"):
        parse_config(tmp_path / "no-such.yaml")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ModelConfig(heads=0), r"model\.heads: expected >= 1, got 0"),
        (lambda: ModelConfig(out_heads=0), r"model\.out_heads"),
        (lambda: ModelConfig(hidden_channels=-8), r"model\.hidden_channels"),
        (lambda: ModelConfig(dropout=1.5), r"model\.dropout: .* got 1\.5"),
        (lambda: ModelConfig(dropout=-0.1), r"model\.dropout"),
        (lambda: ModelConfig(dropout=float("nan")), r"model\.dropout"),
        (lambda: ModelConfig(negative_slope=-1.0), r"model\.negative_slope"),
        (lambda: ModelConfig(architecture="wide"), r"model\.architecture: expected paper or deep"),
        (lambda: ModelConfig("dense", architecture="deep"), r"model\.architecture: expected paper"),
        (lambda: ModelConfig(architecture="deep", out_heads=2), r"model\.out_heads: expected 1"),
        (lambda: OptimConfig(lr=0.0), r"optim\.lr"),
        (lambda: OptimConfig(weight_decay=-1.0), r"optim\.weight_decay"),
        (lambda: TrainConfig("cora", epochs=0), "epochs"),
        (lambda: TrainConfig("cora", patience=0), "patience"),
        (lambda: TrainConfig("cora", split=-1), "split"),
        (lambda: TrainConfig("cora", stopping=[]), "stopping"),
        (lambda: TrainConfig("cora", stopping=["paper", "paper"]), "stopping"),
        (lambda: TrainConfig("cora", threads=0), "threads"),
        (lambda: TrainConfig("cora", processes=0), "processes"),
        (lambda: TrainConfig("cora", seeds=0), "seeds"),
        (lambda: TrainConfig("cora", seeds=[]), "seeds"),
        (lambda: TrainConfig("cora", seeds=[1, 1]), "seeds"),
        (lambda: TrainConfig("cora", seeds=[-1]), "seeds"),
    ],
)
def test_values_out_of_range_raise(make, message: str):
    with pytest.raises(ConfigError, match=message):
        make()


@pytest.mark.parametrize(
    ("config", "key"),
    [
        (TrainConfig("cora"), "dtype"),
        (TrainConfig("cora"), "split"),
        (TrainConfig("cora"), "stopping"),
        (ModelConfig(), "kind"),
    ],
)
def test_wrong_choices_raise(config: Any, key: str):
    with pytest.raises(ConfigError, match=f"{key}: expected .* got 'none'"):
        replace(config, **{key: "none"})


@pytest.mark.parametrize(
    ("text", "rules"), [("pyg", ["pyg"]), ("[pyg]", ["pyg"]), ("[paper, pyg]", ["paper", "pyg"])]
)
def test_one_rule_or_several(write, text: str, rules: list[str]):
    path = write(f"dataset: cora\nstopping: {text}")
    assert parse_config(path).rules == rules
    assert parse_config(write("dataset: cora"), ["--stopping", text]).rules == rules


@pytest.mark.parametrize(("text", "seeds"), [("3", [0, 1, 2]), ("[3]", [3]), ("[5, 2]", [5, 2])])
def test_seeds_as_a_number_or_a_list(write, text: str, seeds: list[int]):
    path = write(f"dataset: cora\nseeds: {text}")
    assert parse_config(path).all_seeds == seeds
    assert parse_config(write("dataset: cora"), ["--seeds", text]).all_seeds == seeds


@pytest.mark.parametrize(("text", "split"), [("2", 2), ("random", "random")])
def test_split_as_a_number_or_random(write, text: str, split: Any):
    assert parse_config(write(f"dataset: cora\nsplit: {text}")).split == split


@pytest.mark.parametrize("root", [None, Path("a folder")])
@pytest.mark.parametrize(
    "options",
    [
        {"split": 3, "stopping": "paper", "seeds": [5, 6], "processes": None},
        {"split": "random", "stopping": ["pyg", "val_score"], "seeds": 5, "processes": 3},
    ],
)
def test_yaml_round_trip(write, root: Path | None, options: Any):
    config = TrainConfig(
        "tolokers",
        root=root,
        largest_component=True,
        normalize_features=False,
        dtype="float64",
        model=ModelConfig("pyg", 4, 2, 3, 0.1, 0.3),
        optim=OptimConfig(1e-7, 0.0),
        epochs=3,
        patience=2,
        threads=2,
        run_dir=Path("elsewhere"),
        resume=False,
        progress=False,
        **options,
    )
    assert parse_config(write(config_yaml(config))) == config
