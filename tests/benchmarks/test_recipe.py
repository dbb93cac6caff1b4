from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import recipe
from benchmarks.config import Recipe
from benchmarks.contenders import CONTENDERS
from gatsparse.train import TrainConfig, load_task

TIMES = st.floats(1e-3, 1e3)


@given(first=TIMES, others=TIMES, done=st.integers(2, 50), more=st.integers(0, 200))
def test_additional_time_of_the_first_epoch_counts_once(first, others, done, more):
    seconds = first + (done - 1) * others
    expected = first + (done + more - 1) * others
    assert recipe.whole(first, seconds, done, done + more) == pytest.approx(expected)


@given(first=TIMES, epochs=st.integers(1, 200))
def test_one_epoch_is_scaled_up(first, epochs):
    assert recipe.whole(first, first, 1, epochs) == pytest.approx(epochs * first)


@given(first=TIMES, others=TIMES, epochs=st.integers(2, 200))
def test_finished_training_is_not_scaled(first, others, epochs):
    assert recipe.whole(first, first + others, epochs, epochs) == first + others


@pytest.fixture(scope="module")
def data():
    return load_task(TrainConfig("digits"))


@pytest.fixture
def training():
    return TrainConfig("digits", epochs=6, patience=6)


@pytest.fixture
def clock(monkeypatch):
    """Advances the clock by a second at every reading."""
    ticks = iter(range(10**6))
    monkeypatch.setattr("benchmarks.recipe.time.perf_counter", lambda: float(next(ticks)))


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("name", ["gatsparse", "pyg", "dense-broadcast"])
def test_short_training_is_finished(data, training, name):
    kind = CONTENDERS[name].kind
    epochs = 2 if kind == "dense" else training.epochs
    training = replace(training, epochs=epochs, model=replace(training.model, kind=kind))
    found = recipe.train(CONTENDERS[name], data, training, Recipe(limit=1e6, seconds=0))
    assert found.epochs == training.epochs
    assert found.accuracy is not None
    assert 0 < found.accuracy < 1
    assert found.first_epoch < found.seconds


def test_long_training_is_stopped_early(data, training):
    found = recipe.train(CONTENDERS["gatsparse"], data, training, Recipe(limit=0, seconds=0))
    assert (found.epochs, found.accuracy) == (2, None)
    assert 0 < found.first_epoch < found.seconds


def test_training_is_not_stopped_before_the_minimum_seconds(data, training):
    found = recipe.train(CONTENDERS["gatsparse"], data, training, Recipe(limit=0, seconds=1e6))
    assert found.epochs == training.epochs


def test_accuracy_depends_on_the_seed(data, training):
    found = [
        recipe.train(CONTENDERS["gatsparse"], data, training, Recipe(seed=seed)).accuracy
        for seed in (0, 0, 1)
    ]
    assert found[0] == found[1] != found[2]
