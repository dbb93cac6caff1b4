import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.experiments.paper import __main__ as command_line
from benchmarks.experiments.paper import runs
from benchmarks.experiments.paper.accuracies import position
from benchmarks.experiments.paper.comparison import verdict
from benchmarks.experiments.paper.protocols import (
    DATASETS,
    PROTOCOLS,
    SUFFIXES,
    TIMED,
    paper_config,
)
from benchmarks.experiments.paper.runs import PaperRuns, complete, find
from benchmarks.samples import Comparison, Estimate
from gatsparse.data import DatasetNotFoundError
from gatsparse.train import (
    ModelConfig,
    OptimConfig,
    TrainConfig,
    TrainingDivergedError,
    parse_config,
    train,
)
from gatsparse.train.config_file import config_yaml


@pytest.fixture
def trained(monkeypatch):
    """Returns the configurations that were trained, without training them.

    The accuracies of PyG's layers are two points lower.
    """
    configs = []

    def fake(config):
        if config.dataset == "pubmed":
            raise DatasetNotFoundError("pubmed is nowhere")
        configs.append(config)
        folder = config.run_dir / f"{config.dataset}-{config.model.kind}-{len(configs)}"
        write(folder, config, lower=0.02 if config.model.kind == "pyg" else 0.0)

    monkeypatch.setattr(runs, "train", fake)
    return configs


def write(folder, config, lower=0.0, seeds=None):
    """Writes a run folder."""
    seeds = config.all_seeds if seeds is None else seeds
    accuracies = [0.83 + 0.004 * (seed % 5 - 2) - lower for seed in seeds]
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(config_yaml(config))
    (folder / "environment.json").write_text(json.dumps({"code": "0123456789abcdef"}))
    summary = {
        "seeds": seeds,
        "epochs": [100] * len(seeds),
        "seconds": [30.0 if lower else 3.0] * len(seeds),
        "rules": {rule: {"test_score": accuracies} for rule in config.rules},
    }
    (folder / "summary.json").write_text(json.dumps(summary))


def table(folder, title):
    """Returns the lines of a table of the report."""
    part = (folder / "report.md").read_text().split(f"## {title}\n\n")[1].split("\n\n")[0]
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in part.splitlines()]
    return [dict(zip(lines[0], line, strict=True)) for line in lines[2:]]


def test_every_config_belongs_to_a_protocol():
    paths = {paper_config(dataset, suffix) for dataset in DATASETS for suffix in SUFFIXES}
    assert paths == set(paper_config("cora", "").parent.glob("*.yaml"))


@pytest.mark.parametrize("dataset", DATASETS)
def test_configs_have_the_recipes_of_the_protocols(dataset):
    original, pyg, random = (parse_config(paper_config(dataset, name)) for name in SUFFIXES)
    pubmed = dataset == "pubmed"
    model = ModelConfig(out_heads=8 if pubmed else 1)
    optim = OptimConfig(0.01, 0.001) if pubmed else OptimConfig(0.005, 5e-4)
    recipe = TrainConfig(
        dataset, normalize_features=True, model=model, optim=optim, patience=100, seeds=100
    )
    assert pyg == replace(recipe, epochs=1000, stopping="pyg")
    assert random == replace(pyg, split="random", largest_component=True)
    exact = replace(model, paper_exact=True)
    rules = ["paper", "val_score"]
    assert original == replace(recipe, model=exact, epochs=100_000, stopping=rules)


def test_configs_have_the_stopping_rules_of_the_protocols():
    for protocol in PROTOCOLS:
        assert protocol.rule in parse_config(paper_config("cora", protocol.suffix)).rules
    assert set(TIMED) <= set(SUFFIXES)


def test_run_of_a_training_is_found(tmp_path):
    config = TrainConfig("digits", epochs=2, seeds=2, run_dir=tmp_path, processes=1, progress=False)
    results = train(config)
    run = find(replace(config, seeds=7, root=Path("elsewhere"), progress=True))
    assert run is not None
    expected = [100 * result.test_score for result in results]
    assert run.accuracies("val_score") == pytest.approx(expected)
    assert [seed.epochs for seed in run.seeds.values()] == [2, 2]
    assert [seed.seconds for seed in run.seeds.values()] == [r.seconds for r in results]
    assert list(run.first(1).seeds) == [0]
    complete(config)
    assert len(list(tmp_path.iterdir())) == 1
    assert find(replace(config, epochs=3)) is None


def test_run_with_the_most_seeds_is_used(tmp_path):
    config = TrainConfig("cora", seeds=9, run_dir=tmp_path)
    write(tmp_path / "cora-gatsparse-1", config)
    write(tmp_path / "cora-gatsparse-2", config, seeds=[0, 1])
    write(tmp_path / "cora-pyg-1", replace(config, model=ModelConfig("pyg")))
    broken = tmp_path / "cora-gatsparse-3"
    write(broken, config)
    (broken / "config.yaml").write_text("dataset: cora\nno_such_key: 1")
    run = find(config)
    assert run is not None
    assert run.folder.name == "cora-gatsparse-1"
    assert len(run.seeds) == 9


def test_only_missing_seeds_are_trained(tmp_path, trained):
    config = TrainConfig("cora", seeds=3, run_dir=tmp_path)
    complete(config)
    complete(config)
    complete(replace(config, seeds=2))
    complete(replace(config, seeds=4))
    assert [item.seeds for item in trained] == [3, 4]


def test_run_trains_all_protocols_and_reports(tmp_path, trained, capsys):
    arguments = ["run", "--out", str(tmp_path), "--seeds", "10", "--epochs", "7"]
    assert command_line.main([*arguments, "--datasets", "cora", "citeseer"]) == 0
    assert len(trained) == 2 * len(SUFFIXES)
    assert {config.epochs for config in trained} == {7}
    assert {config.run_dir.name for config in trained} >= {"cora", "cora-pyg", "citeseer-random"}
    assert "accuracies.png" in capsys.readouterr().out

    lines = table(tmp_path, "Accuracy")
    assert [line["protocol"] for line in lines if line["data set"] == "cora"] == [
        protocol.name for protocol in PROTOCOLS
    ]
    first = lines[0]
    assert first["n"] == "10"
    assert first["accuracy (%)"] == "83.00 ± 0.60"
    assert first["95 % CI of the mean"] == "82.57 to 83.43"
    assert first["published (%)"] == "83.0 ± 0.7, 100"
    assert first["published mean lies"] == "inside"
    assert first["difference, 95 % CI"].startswith(("+0.00 (-0.4", "-0.00 (-0.4"))
    (fey,) = (
        line
        for line in lines
        if line["source"] == "Fey & Lenssen 2019, fixed split" and line["data set"] == "citeseer"
    )
    assert fey["published mean lies"] == "below"
    assert fey["difference, 95 % CI"].startswith("+12.20 (")
    assert (tmp_path / "accuracies.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("trained")
def test_missing_data_set_is_skipped(tmp_path, capsys):
    arguments = ["run", "--out", str(tmp_path), "--datasets", "pubmed", "cora", "--seeds", "2"]
    assert command_line.main(arguments) == 1
    assert capsys.readouterr().err.count("pubmed is nowhere") == 1
    assert {line["data set"] for line in table(tmp_path, "Accuracy")} == {"cora", ""}


def test_failed_training_does_not_stop_the_others(tmp_path, trained, monkeypatch, capsys):
    train_fake = runs.train

    def failing(config):
        if config.run_dir.name == "cora-pyg":
            raise TrainingDivergedError("the loss is nan")
        if config.run_dir.name == "cora-random":
            return  # without its seeds
        train_fake(config)

    monkeypatch.setattr(runs, "train", failing)
    arguments = ["run", "--out", str(tmp_path), "--datasets", "cora", "--seeds", "2"]
    assert command_line.main(arguments) == 1
    assert len(trained) == len(SUFFIXES) - 2
    text = (tmp_path / "report.md").read_text()
    assert "- cora-pyg, gatsparse: TrainingDivergedError: the loss is nan" in text
    assert "missing [0, 1]" in text
    assert "the loss is nan" in capsys.readouterr().err
    assert table(tmp_path, "Accuracy")


@pytest.mark.usefixtures("trained")
@pytest.mark.parametrize(
    ("name", "content"), [("environment.json", "{"), ("summary.json", "{}"), ("summary.json", "[]")]
)
def test_damaged_run_folder_is_named(tmp_path, capsys, name, content):
    arguments = ["--out", str(tmp_path), "--datasets", "cora"]
    assert command_line.main(["run", *arguments, "--seeds", "2"]) == 0
    path = next((tmp_path / "cora").glob(f"*/{name}"))
    path.write_text(content)
    assert command_line.main(["report", *arguments]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: {path.parent}: expected a run folder")
    assert error.count("\n") == 1


def test_compare_trains_both_kinds_of_layers_and_reports(tmp_path, trained):
    assert command_line.main(["compare", "--out", str(tmp_path), "--datasets", "cora"]) == 0
    gatsparse, pyg = trained
    assert gatsparse == replace(pyg, model=replace(pyg.model, kind="gatsparse"))
    assert (gatsparse.all_seeds, gatsparse.epochs, gatsparse.rules) == (
        list(range(30)),
        200,
        ["val_score"],
    )
    (line,) = table(tmp_path, "gatsparse and PyG")
    assert line["gatsparse (%), n"] == "83.00 ± 0.58, 30"
    assert line["PyG (%), n"] == "81.00 ± 0.58, 30"
    assert line["difference, 95 % CI"] == "+2.00 (+1.70 to +2.30)"
    assert line["Welch's t"] == "< 0.001"
    text = (tmp_path / "report.md").read_text()
    assert "cora: gatsparse and PyG are told apart at the level of 5 % by Welch's t and" in text


@pytest.mark.usefixtures("trained")
def test_constant_accuracies_are_not_compared(tmp_path):
    assert command_line.main(["compare", "--out", str(tmp_path), "--seeds", "2"]) == 0
    for path in tmp_path.glob("*/*/summary.json"):
        summary = json.loads(path.read_text())
        summary["rules"]["val_score"]["test_score"] = [0.5, 0.5]
        path.write_text(json.dumps(summary))
    assert command_line.main(["report", "--out", str(tmp_path), "--datasets", "cora"]) == 0
    assert "nothing to test" in (tmp_path / "report.md").read_text()


P_VALUES = st.floats(0, 1)


@given(st.tuples(P_VALUES, P_VALUES, P_VALUES))
def test_verdict_names_the_significant_tests(values):
    text = verdict("cora", Comparison(Estimate(0.1, -0.2, 0.4), *values, detectable=0.43))
    told = text.partition("told apart")[2].partition("5 % by ")[2].partition(";")[0].split(".")[0]
    names = ("Welch's t", "Mann-Whitney U", "Kolmogorov-Smirnov")
    assert [name in told for name in names] == [value < 0.05 for value in values]
    assert ("does not show that they are equal" in text) == (min(values) >= 0.05)
    assert ("0.43" in text) == (min(values) >= 0.05)
    assert "between -0.20 and +0.40 points" in text


def test_time_scales_up_the_few_seeds_of_pyg(tmp_path, trained):
    common = ["--out", str(tmp_path), "--datasets", "cora"]
    assert command_line.main(["run", *common, "--seeds", "10"]) == 0
    assert command_line.main(["time", *common]) == 0
    assert [config.model for config in trained[-2:]] == [ModelConfig("pyg")] * 2
    assert [len(config.all_seeds) for config in trained[-2:]] == [3, 3]
    lines = table(tmp_path, "Time")
    assert [line["recipe"] for line in lines] == list(TIMED.values())
    assert (lines[0]["seeds"], lines[0]["PyG's seeds"]) == ("10", "3")
    assert (lines[0]["gatsparse (min)"], lines[0]["PyG, scaled up (min)"]) == ("0.5", "5")
    assert (lines[0]["ratio"], lines[0]["ratio per epoch"]) == ("10.00x", "10.00x")


@pytest.mark.usefixtures("trained")
def test_report_of_one_seed_has_no_interval(tmp_path):
    common = ["--out", str(tmp_path), "--datasets", "cora"]
    command_line.main(["run", *common, "--seeds", "10"])
    assert command_line.main(["report", *common, "--seeds", "1"]) == 0
    first = table(tmp_path, "Accuracy")[0]
    assert (first["n"], first["published mean lies"]) == ("1", "-")


def test_report_without_runs_fails(tmp_path, capsys):
    assert command_line.main(["report", "--out", str(tmp_path)]) == 1
    assert "expected runs of cora, citeseer, pubmed, got none" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [["--seeds", "0"], ["--datasets", "karate"]])
def test_wrong_options_raise(wrong):
    with pytest.raises(SystemExit):
        command_line.main(["run", *wrong])


def test_unknown_key_is_reported(tmp_path, capsys):
    assert command_line.main(["run", "--out", str(tmp_path), "--epoch", "3"]) == 1
    assert "--epoch" in capsys.readouterr().err


def test_ctrl_c_keeps_the_finished_seeds(tmp_path, monkeypatch, capsys):
    def interrupted(_config):
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "train", interrupted)
    assert command_line.main(["run", "--out", str(tmp_path)]) == 130
    assert "continues the run" in capsys.readouterr().out


@given(st.lists(st.floats(0, 100), min_size=3, max_size=3).map(sorted))
def test_position_of_a_published_mean(values):
    low, middle, high = values
    assert position(middle, Estimate(middle, low, high)) == "inside"
    assert position(low - 1, Estimate(middle, low, high)) == "below"
    assert position(high + 1, Estimate(middle, low, high)) == "above"


def test_overrides_reach_all_configs(tmp_path):
    paper_runs = PaperRuns(tmp_path, ("--epochs", "3"))
    configs = [*runs.of_tables(paper_runs, DATASETS), *runs.of_comparison(paper_runs, DATASETS)]
    assert {config.epochs for config in configs} == {3}
    assert len({config.run_dir for config in configs}) == len(DATASETS) * (len(SUFFIXES) + 1)
