from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.config import Accuracy, Timing, parse, save
from benchmarks.contenders import CONTENDERS
from tests.benchmarks import fakes

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.mark.parametrize("name", ["bench", "accuracy"])
def test_configs_of_the_project(name):
    config = parse(CONFIGS / f"{name}.yaml")
    assert set(config.contenders) <= set(CONTENDERS)
    assert set(config.accuracy.contenders) <= set(config.contenders)


def test_bench_has_all_contenders():
    assert set(parse(CONFIGS / "bench.yaml").contenders) == set(CONTENDERS)


def test_overrides():
    config = parse(CONFIGS / "bench.yaml", "--datasets", "[digits]", "--step.seconds", "0.5")
    assert config.datasets == ("digits",)
    assert config.step.seconds == 0.5


def test_round_trip(tmp_path):
    config = fakes.config(tmp_path, threads=1, step=Timing(0.0, 0.5, 7))
    save(config, tmp_path / "config.yaml")
    assert parse(tmp_path / "config.yaml") == config


@pytest.mark.parametrize("text", ["contender: [pyg]", "step: {second: 1}", "rounds: many"])
def test_bad_file(tmp_path, text):
    path = tmp_path / "bench.yaml"
    save(fakes.config(tmp_path), path)
    kept = [line for line in path.read_text().splitlines() if line.split(":")[0] not in text]
    path.write_text("\n".join([*kept, text]))
    with pytest.raises(ValueError, match=f"bench.yaml: (.|\n)*{text.split(':')[0]}"):
        parse(path)


def test_no_file(tmp_path):
    with pytest.raises(ValueError, match=r"bench\.yaml"):
        parse(tmp_path / "bench.yaml")


def test_unknown_key_on_the_command_line(capsys):
    assert main(["run", str(CONFIGS / "bench.yaml"), "--contender", "[pyg]"]) == 1
    assert "--contender" in capsys.readouterr().err


def test_unknown_option_of_other_commands(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["report", str(tmp_path), "--rounds", "3"])
    assert "--rounds" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("key", "value"), [("rounds", -1), ("threads", 0), ("memory_limit", -1.0), ("datasets", ())]
)
def test_out_of_range(tmp_path, key, value):
    with pytest.raises(ValueError, match=f"{key}: expected"):
        replace(fakes.config(tmp_path), **{key: value})


def test_out_of_range_in_sections():
    with pytest.raises(ValueError, match="repetitions: expected >= 1, got 0"):
        Timing(repetitions=0)
    with pytest.raises(ValueError, match="epochs: expected >= 1, got 0"):
        Accuracy(epochs=0)
