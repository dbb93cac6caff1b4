import pytest


@pytest.fixture(autouse=True)
def _one_thread(threads) -> None:
    """The graphs are too small for a second thread."""
    threads(1)
