"""A run of two data sets whose rows are made up."""

import pytest

from benchmarks.config import Accuracy
from benchmarks.measure import environment
from tests.benchmarks import fakes


@pytest.fixture(scope="session")
def machine():
    return environment(threads=2)


@pytest.fixture
def config(tmp_path):
    return fakes.config(
        tmp_path,
        datasets=("cora", "citeseer"),
        rounds=3,
        accuracy=Accuracy(seeds=3, contenders=("gatsparse", "scatter", "pyg")),
    )
