from dataclasses import replace

import pytest

from benchmarks import plan
from benchmarks.config import Accuracy, Timing
from benchmarks.plan import Task
from tests.benchmarks import fakes

ENVIRONMENT = {"cpu": "a", "threads": 2}


@pytest.fixture
def config(tmp_path):
    accuracy = Accuracy(seeds=2, contenders=("gatsparse", "pyg"))
    return fakes.config(tmp_path, rounds=2, accuracy=accuracy)


def test_contenders_take_turns(config):
    tasks = plan.tasks(config, "cora")
    steps = [(task.round, task.contender) for task in tasks if task.measurement == "step"]
    assert steps == [(turn, name) for turn in range(2) for name in fakes.CONTENDERS]


def test_requirements_come_first(config):
    tasks = plan.tasks(config, "cora")
    for position, task in enumerate(tasks):
        requirement = plan.requirement(task)
        assert requirement is None or requirement in tasks[:position]


def test_who_is_trained(config):
    tasks = plan.tasks(config, "cora")
    trained = [(task.contender, task.round) for task in tasks if task.measurement == "accuracy"]
    assert trained == [("gatsparse", 0), ("pyg", 0), ("gatsparse", 1), ("pyg", 1)]


def test_no_rounds_and_no_seeds(config):
    config = replace(config, rounds=0, accuracy=Accuracy(seeds=0))
    assert {task.measurement for task in plan.tasks(config, "cora")} == {"reference", "gate"}


@pytest.mark.parametrize(
    ("change", "measurements"),
    [
        ({"seed": 1}, {"reference", "gate"}),
        ({"inference": Timing(seconds=9.0)}, {"inference"}),
        ({"step": Timing(repetitions=9)}, {"step"}),
        ({"accuracy": Accuracy(epochs=9)}, {"accuracy"}),
        ({"accuracy": Accuracy(seeds=9)}, set()),
        ({"rounds": 9}, set()),
        ({"time_limit": 9.0}, {"reference", "gate", "inference", "step", "accuracy"}),
    ],
)
def test_a_key_changes_with_what_the_result_depends_on(config, change, measurements):
    def keys(config):
        tasks = [
            Task("cora", "pyg", name)
            for name in ("reference", "gate", "inference", "step", "accuracy")
        ]
        return {task.measurement: plan.key(task, config, ENVIRONMENT) for task in tasks}

    before, after = keys(config), keys(replace(config, **change))
    assert {name for name in before if before[name] != after[name]} == measurements


def test_a_key_changes_with_the_environment(config):
    task = Task("cora", "pyg", "step")
    assert plan.key(task, config, ENVIRONMENT) == plan.key(task, config, dict(ENVIRONMENT))
    other = {**ENVIRONMENT, "threads": 1}
    assert plan.key(task, config, ENVIRONMENT) != plan.key(task, config, other)


@pytest.mark.parametrize(
    ("fallback", "missing", "expected"),
    [
        ("digits", {"cora", "citeseer"}, ["digits"]),
        ("digits", {"cora"}, ["citeseer", "digits"]),
        ("citeseer", {"cora"}, ["citeseer"]),
        ("digits", set(), ["cora", "citeseer"]),
        (None, {"cora"}, ["citeseer"]),
    ],
)
def test_fallback(config, fallback, missing, expected):
    config = replace(config, datasets=("cora", "citeseer"), fallback=fallback)
    assert plan.datasets(config, lambda name: name not in missing) == expected
