from dataclasses import replace

import pytest

from benchmarks import plan
from benchmarks.config import Accuracy, PowerLaw, Recipe, Sweep, Timing
from benchmarks.plan import Task
from tests.benchmarks import fakes

ENVIRONMENT = {"cpu": "a", "threads": 2}
SHAPES = ("8x8", "1x4")
MEASUREMENTS = {"reference", "gate", "inference", "step", "recipe", "accuracy"}


@pytest.fixture
def config(tmp_path):
    accuracy = Accuracy(seeds=2, contenders=("gatsparse", "pyg"))
    return fakes.config(tmp_path, rounds=2, accuracy=accuracy, recipe=Recipe(("pyg", "scatter")))


def test_contenders_are_interleaved(config):
    tasks = plan.tasks(config, "cora")
    steps = [(task.round, task.contender) for task in tasks if task.measurement == "step"]
    assert steps == [(turn, name) for turn in range(2) for name in fakes.CONTENDERS]


def test_requirements_precede_their_tasks(config):
    tasks = plan.tasks(config, "cora")
    for position, task in enumerate(tasks):
        assert set(plan.requirements(task)) <= set(tasks[:position])


def test_accuracy_contenders_are_trained(config):
    tasks = plan.tasks(config, "cora")
    trained = [(task.contender, task.round) for task in tasks if task.measurement == "accuracy"]
    assert trained == [("gatsparse", 0), ("pyg", 0), ("gatsparse", 1), ("pyg", 1)]


def test_recipe_contenders_are_timed(config):
    config = replace(config, recipe=replace(config.recipe, seed=7))
    tasks = plan.tasks(config, "cora")
    timed = [(task.contender, task.round) for task in tasks if task.measurement == "recipe"]
    assert timed == [("scatter", 7), ("pyg", 7)]


def test_no_rounds_and_no_seeds_leave_the_gates(config):
    config = replace(config, rounds=0, accuracy=Accuracy(seeds=0), recipe=Recipe())
    assert {task.measurement for task in plan.tasks(config, "cora")} == {"reference", "gate"}


@pytest.mark.parametrize(
    ("change", "measurements"),
    [
        ({"seed": 1}, {"reference", "gate"}),
        ({"inference": Timing(seconds=9.0)}, {"inference"}),
        ({"step": Timing(repetitions=9)}, {"step"}),
        ({"accuracy": Accuracy(epochs=9)}, {"accuracy"}),
        ({"accuracy": Accuracy(seeds=9)}, set()),
        ({"recipe": Recipe(epochs=9)}, {"recipe"}),
        ({"recipe": Recipe(seconds=9.0)}, {"recipe"}),
        ({"recipe": Recipe(("pyg",))}, set()),
        ({"rounds": 9}, set()),
        ({"time_limit": 9.0}, MEASUREMENTS),
    ],
)
def test_key_changes_with_relevant_settings_only(config, change, measurements):
    def keys(config):
        tasks = [Task("cora", "pyg", name) for name in MEASUREMENTS]
        return {task.measurement: plan.key(task, config, ENVIRONMENT) for task in tasks}

    before, after = keys(config), keys(replace(config, **change))
    assert {name for name in before if before[name] != after[name]} == measurements


def test_key_changes_with_the_environment(config):
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
def test_fallback_replaces_missing_data_sets(config, fallback, missing, expected):
    config = replace(config, datasets=("cora", "citeseer"), fallback=fallback)
    assert plan.datasets(config, lambda name: name not in missing) == expected


@pytest.fixture
def layers(tmp_path):
    return fakes.layer_config(tmp_path, rounds=2)


def test_contenders_of_a_layer_are_interleaved(layers):
    tasks = [task for task in plan.layer_tasks(layers, "E1000") if task[0] == "E1000 GAT 8x8"]
    forward = [(task.round, task.contender) for task in tasks if task.measurement == "forward"]
    asked_first = [(turn, name) for turn in range(2) for name in ("gatsparse", "scatter", "pyg")]
    assert forward == asked_first  # and what is asked for again is not made again


def test_each_layer_is_measured_in_each_shape(layers):
    tasks = plan.layer_tasks(layers, "E100000")
    timed = {task.dataset for task in tasks if task.measurement == "forward+backward"}
    assert timed == {f"E100000 {name} {shape}" for name in ("GAT", "GATv2") for shape in SHAPES}
    assert {task.contender for task in tasks} == {"gatsparse", "pyg"}


def test_operator_is_measured_for_gatsparse_only(layers):
    tasks = plan.layer_tasks(layers, "E1000")
    operators = {task.contender for task in tasks if task.measurement.startswith("operator")}
    assert operators == {"gatsparse"}


def test_graphs_and_gates_precede_layers(layers):
    tasks = [plan.graph("E1000"), *plan.layer_tasks(layers, "E1000")]
    for position, task in enumerate(tasks):
        assert set(plan.requirements(task)) <= set(tasks[:position])
    timed = Task("E1000 GAT 8x8", "pyg", "forward")
    assert plan.requirements(timed) == (plan.graph("E1000"), Task("GAT", "pyg", "layer gate"))
    assert plan.source(timed) == plan.graph("E1000")


def test_no_rounds_time_no_layers(layers):
    tasks = plan.layer_tasks(replace(layers, rounds=0), "E1000")
    assert {task.measurement for task in tasks} == {"layer gate"}


def test_first_sweep_gives_the_timing(layers):
    first, second = Timing(warmup=0.1), Timing(warmup=0.2)
    sweeps = zip(layers.layers, (first, second), strict=True)
    sweeps = tuple(replace(sweep, timing=timing) for sweep, timing in sweeps)
    layers = replace(layers, layers=sweeps)
    assert plan.timing(Task("E1000 GAT 8x8", "pyg", "forward"), layers) == first
    assert plan.timing(Task("E1000 GATv2 8x8", "pyg", "forward"), layers) == second
    assert plan.timing(Task("E100000 GAT 8x8", "pyg", "forward"), layers) == second
    assert plan.timing(Task("E100000 GAT 8x8", "scatter", "forward"), layers) is None


TIMED = {"forward", "forward+backward", "operator", "operator backward"}


@pytest.mark.parametrize(
    ("change", "measurements"),
    [
        ({"seed": 1}, {"graph", "layer gate", *TIMED}),
        ({"in_channels": 9}, TIMED),
        ({"graphs": {"E1000": PowerLaw(9, 9)}}, {"graph", *TIMED}),
        ({"graphs": {**fakes.GRAPHS, "E9": PowerLaw(9, 9)}}, set()),
        ({"rounds": 9, "step": Timing(seconds=9.0)}, set()),
        ({"layers": (Sweep(("E1000",), ("GAT",), SHAPES, None, Timing(9.0)),)}, TIMED),
        ({"layers": (Sweep(("E1000",), ("GAT",), ("8x8",)),)}, {"layer gate"}),
    ],
)
def test_key_of_a_layer_changes_with_relevant_settings_only(layers, change, measurements):
    def keys(config):
        tasks = [plan.graph("E1000"), Task("GAT", "pyg", "layer gate")]
        tasks += [Task("E1000 GAT 8x8", "gatsparse", name) for name in TIMED]
        return {task.measurement: plan.key(task, config, ENVIRONMENT) for task in tasks}

    before, after = keys(layers), keys(replace(layers, **change))
    assert {name for name in before if before[name] != after[name]} == measurements
