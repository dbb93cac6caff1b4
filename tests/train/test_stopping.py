from __future__ import annotations

import math
from typing import Any, get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gatsparse.train import EarlyStopping
from gatsparse.train.stopping import StoppingRule

INF = math.inf
RULES = get_args(StoppingRule)


def run(
    rule: Any, patience: int, accs: list[float], losses: list[float], epochs: int = 10**9
) -> tuple[list[int], int]:
    """Returns the epochs that were kept, and the number of epochs run."""
    stopping = EarlyStopping(rule, patience, epochs)
    kept: list[int] = []
    for acc, loss in zip(accs, losses, strict=True):
        if stopping.update(acc, loss):
            kept.append(stopping.epoch)
            assert stopping.best_epoch == stopping.epoch
        if stopping.exhausted:
            break
    return kept, stopping.epoch


@pytest.mark.parametrize(
    ("accs", "patience", "kept", "epochs"),
    [
        ([0.1, 0.2, 0.3, 0.4], 2, [1, 2, 3, 4], 4),
        ([0.5, 0.5, 0.5, 0.6], 2, [1], 3),  # a tie is no improvement
        ([0.5, 0.4, 0.6, 0.6, 0.1, 0.9], 3, [1, 3, 6], 6),
        ([0.5, 0.4, 0.6, 0.6, 0.1, 0.9], 2, [1, 3], 5),
        ([0.0, 0.0], 2, [1], 2),
        ([0.0, 0.0], 1, [1], 2),
    ],
)
def test_val_score(accs: list[float], patience: int, kept: list[int], epochs: int):
    improving_losses = [1.0 / (i + 1) for i in range(len(accs))]  # not used by the rule
    assert run("val_score", patience, accs, improving_losses) == (kept, epochs)


@pytest.mark.parametrize(
    ("losses", "patience", "kept", "epochs"),
    [
        ([4.0, 3.0, 2.0, 1.0], 2, [1, 2, 3, 4], 4),
        ([1.0, 1.0, 1.0, 0.5], 2, [1], 3),
        ([2.0, 3.0, 1.0, 1.0, 5.0, 0.5], 3, [1, 3, 6], 6),
        ([2.0, 3.0, 1.0, 1.0, 5.0, 0.5], 2, [1, 3], 5),
    ],
)
def test_val_loss(losses: list[float], patience: int, kept: list[int], epochs: int):
    improving_accs = [i / len(losses) for i in range(len(losses))]
    assert run("val_loss", patience, improving_accs, losses) == (kept, epochs)


@pytest.mark.parametrize(
    ("accs", "losses", "patience", "kept", "epochs"),
    [
        # Both improve, then one of them at a time: the counter resets, nothing is kept.
        ([0.5, 0.6, 0.7, 0.6], [1.0, 0.9, 1.0, 0.8], 1, [1, 2], 4),
        # Ties count, for the counter and for what is kept.
        ([0.5, 0.5, 0.5], [1.0, 1.0, 1.0], 1, [1, 2, 3], 3),
        ([0.5, 0.5, 0.5, 0.4], [1.0, 1.1, 1.2, 1.3], 1, [1], 4),
        # A model is compared with the best accuracy and the best loss of all earlier epochs,
        # not with those of the model kept before.
        ([0.5, 0.9, 0.6, 0.9], [1.0, 1.5, 0.5, 0.7], 2, [1], 4),
        ([0.5, 0.9, 0.6, 0.9], [1.0, 1.5, 0.5, 0.5], 2, [1, 4], 4),
        # Neither improves.
        ([0.5, 0.4, 0.3, 0.9], [1.0, 1.1, 1.2, 0.1], 2, [1], 3),
        ([0.0, 0.0], [INF, 1.0], 1, [1, 2], 2),
    ],
)
def test_paper(accs: list[float], losses: list[float], patience: int, kept: list[int], epochs: int):
    assert run("paper", patience, accs, losses) == (kept, epochs)


@pytest.mark.parametrize(
    ("losses", "patience", "epochs", "kept", "last"),
    [
        # The first half, which includes epoch epochs // 2, never stops.
        ([1.0, 2.0, 3.0, 0.5, 0.4, 0.3], 2, 6, [1, 4, 5, 6], 6),
        ([1.0, 2.0, 3.0, 4.0, 4.0, 4.0], 2, 6, [1], 4),
        ([1.0, 2.0, 3.0, 4.0, 4.0], 2, 5, [1], 3),
        # The mean is that of the epochs before: 3 is not above (4 + 2) / 2, 2.9 is above it.
        ([9.0, 4.0, 2.0, 3.0, 2.0, 2.0], 2, 6, [1, 2, 3], 6),
        ([9.0, 4.0, 1.5, 2.9, 0.0, 0.0], 2, 6, [1, 2, 3], 4),
        # Fewer earlier epochs than the patience; no earlier epoch.
        ([2.0, 1.0, 1.6], 100, 3, [1, 2], 3),
        ([2.0, 1.6], 100, 2, [1, 2], 2),
        ([2.0, 2.5, 0.0], 100, 2, [1], 2),
        ([2.0], 100, 1, [1], 1),
    ],
)
def test_pyg(losses: list[float], patience: int, epochs: int, kept: list[int], last: int):
    assert run("pyg", patience, [0.0] * len(losses), losses, epochs) == (kept, last)


def train_eval_of_pyg(losses: list[float], patience: int, epochs: int) -> tuple[int, int]:
    """Runs the loop of ``benchmark/citation/train_eval.py``; returns best and last epoch."""
    best_val_loss, best, history = INF, 0, []
    epoch = 0
    for epoch in range(1, epochs + 1):
        val_loss = losses[epoch - 1]
        if val_loss < best_val_loss:
            best_val_loss, best = val_loss, epoch
        history.append(val_loss)
        if patience > 0 and epoch > epochs // 2:
            before = torch.tensor(history[-(patience + 1) : -1])
            if val_loss > before.mean().item():
                break
    return best, epoch


def execute_cora(accs: list[float], losses: list[float], patience: int) -> tuple[int, int]:
    """Runs the loop of the authors' ``execute_cora.py``; returns saved and last epoch."""
    vacc_mx, vlss_mn, curr_step, saved = 0.0, INF, 0, 0
    for epoch, (acc, loss) in enumerate(zip(accs, losses, strict=True), start=1):
        if acc >= vacc_mx or loss <= vlss_mn:
            if acc >= vacc_mx and loss <= vlss_mn:
                saved = epoch
            vacc_mx, vlss_mn = max(acc, vacc_mx), min(loss, vlss_mn)
            curr_step = 0
        else:
            curr_step += 1
            if curr_step == patience:
                return saved, epoch
    return saved, len(accs)


def first_best(values: list[float], patience: int) -> tuple[int, int]:
    """Returns the epoch of the largest value until the patience is exhausted, and the last one."""
    for end in range(1, len(values) + 1):
        best = values.index(max(values[:end])) + 1
        if end - best >= patience:
            return best, end
    return values.index(max(values)) + 1, len(values)


# Few values, so that ties are common.
HISTORIES = st.lists(
    st.tuples(st.sampled_from([0.0, 0.3, 0.5, 0.6, 1.0]), st.sampled_from([0.1, 0.7, 1.0, 1.1])),
    min_size=1,
    max_size=30,
) | st.lists(st.tuples(st.floats(0, 1), st.floats(0, 10, width=32)), min_size=1, max_size=30)


@given(HISTORIES, st.integers(1, 8))
def test_every_rule_equals_a_plain_loop(history: list[tuple[float, float]], patience: int):
    accs, losses = map(list, zip(*history, strict=True))
    epochs = len(history)
    expected = {
        "val_score": first_best(accs, patience),
        "val_loss": first_best([-loss for loss in losses], patience),
        "paper": execute_cora(accs, losses, patience),
        "pyg": train_eval_of_pyg(losses, patience, epochs),
    }
    assert set(expected) == set(RULES)
    for rule, (best, last) in expected.items():
        kept, seen = run(rule, patience, accs, losses, epochs)
        assert (rule, kept[-1], seen) == (rule, best, last)


@pytest.mark.parametrize("rule", RULES)
def test_nothing_is_kept_before_the_first_epoch(rule: Any):
    stopping = EarlyStopping(rule, 1, 2)
    assert (stopping.best_epoch, stopping.epoch, stopping.exhausted) == (0, 0, False)


@pytest.mark.parametrize("rule", RULES)
@given(
    results=st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([0.0, 1.0, 3.0]))),
    patience=st.integers(1, 3),
)
def test_restored_rule_judges_like_the_original(rule, results, patience):
    original = EarlyStopping(rule, patience, epochs=8)
    for result in results:
        if original.exhausted:
            break
        restored = EarlyStopping(rule, patience, epochs=8)
        restored.load_state_dict(original.state_dict())
        assert restored.update(*result) == original.update(*result)
        assert restored.state_dict() == original.state_dict()


@pytest.mark.parametrize("rule", RULES)
def test_update_after_the_last_epoch_raises(rule: Any):
    stopping = EarlyStopping(rule, 1, 1)
    stopping.update(0.5, 1.0)
    assert stopping.exhausted
    with pytest.raises(RuntimeError, match=f"{rule}: stopped after epoch 1"):
        stopping.update(0.6, 0.5)
    assert (stopping.best_epoch, stopping.epoch) == (1, 1)
