import pytest


@pytest.fixture(autouse=True)
def _one_thread(threads) -> None:
    """The graphs are small: a second thread would be waited for, and find nothing to do."""
    threads(1)
