import pytest
import torch

from gatsparse.data import rmat
from tests.inference.models import E, F, N


@pytest.fixture
def task():
    torch.manual_seed(0)
    return torch.randn(N, F, dtype=torch.float64), rmat(N, E, seed=1)
