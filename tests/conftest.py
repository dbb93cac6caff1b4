import random

import hypothesis
import pytest
import torch

# Drawn examples differ in cost by orders of magnitude, so no deadline is set.
hypothesis.settings.register_profile("gatsparse", deadline=None, print_blob=True)
hypothesis.settings.load_profile("gatsparse")


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):  # of pytest-xdist: as many processes as cores
        torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _seed() -> None:
    # torch.manual_seed would record a stack for each kind of device that the machine lacks.
    torch.default_generator.manual_seed(0)
    # PyG names the code of a Sequential by this generator, and takes that of an earlier one of the
    # same name: two tests must not begin with the same state.
    random.seed()


@pytest.fixture
def threads():
    """Sets the number of threads, and restores it after the test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)
