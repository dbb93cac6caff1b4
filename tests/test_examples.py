"""The examples reach results far above chance after a few epochs on real data."""

import runpy
import shlex
from pathlib import Path

import pytest
import torch

from gatsparse.data import DatasetNotFoundError

EXAMPLES = sorted(Path(__file__).parent.parent.joinpath("examples").glob("*.py"))
every_layer_and_dataset = pytest.mark.parametrize(
    ("dataset", "layer"), [("cora", "GATConv"), ("digits", "GATv2Conv")]
)


@pytest.fixture(autouse=True)
def _one_thread(threads):
    """Runs with one thread: these graphs are small."""
    threads(1)


def run(name, *arguments):
    """Returns the result of the example's ``main``."""
    (path,) = (path for path in EXAMPLES if path.stem == name)
    try:
        return runpy.run_path(str(path))["main"](arguments)
    except DatasetNotFoundError as error:
        pytest.skip(str(error))


def commands():
    """Returns all commands in the docstrings of the examples."""
    lines = (line.strip() for path in EXAMPLES for line in path.read_text().splitlines())
    return [line for line in lines if line.startswith("python examples/")]


@pytest.mark.parametrize("command", commands())
def test_documented_commands_run(command):
    _, path, *arguments = shlex.split(command)
    run(Path(path).stem, *arguments, "--epochs=1")


def test_every_example_documents_a_command():
    documented = {Path(shlex.split(command)[1]).stem for command in commands()}
    assert documented == {path.stem for path in EXAMPLES}


@every_layer_and_dataset
def test_node_classification(dataset, layer):
    arguments = (f"--dataset={dataset}", f"--layer={layer}", "--epochs=40")
    assert run("node_classification", *arguments) > 0.7


def test_node_classification_with_layers_of_pyg():
    assert run("node_classification", "--dataset=digits", "--pyg", "--epochs=20") > 0.7


def test_graph_classification():
    assert run("graph_classification", "--epochs=5") > 0.65


def test_heterogeneous():
    assert run("heterogeneous", "--layer=GATv2Conv", "--epochs=60") > 0.6


@every_layer_and_dataset
def test_link_prediction(dataset, layer):
    arguments = (f"--dataset={dataset}", f"--layer={layer}", "--epochs=30")
    assert run("link_prediction", *arguments) > 0.8


@every_layer_and_dataset
def test_explanation(dataset, layer):
    arguments = (f"--dataset={dataset}", f"--layer={layer}", "--epochs=60")
    result = run("explanation", *arguments)
    assert result.accuracy > 0.7
    assert min(result.attended) > 0.7
    near = result.explained > 0
    assert 0 < near.sum() < near.numel()
    torch.testing.assert_close(result.attention[near], result.explained[near])
