"""Interrupted, killed and crashed runs, and their continuation by a second run."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from torch_geometric.data import Data

from gatsparse.predict import load_run
from gatsparse.train import (
    DamagedFileError,
    ModelConfig,
    ProcessDiedError,
    TrainConfig,
    load_task,
    parse_config,
    run_folder,
    train,
)
from gatsparse.train.side_by_side import _ctrl_c_deferred, side_by_side

SECONDS = 60.0


def open_run_folder(config: TrainConfig) -> Any:
    return run_folder.open_run_folder(config, load_task(config))


def config_of(folder: Path, **options: Any) -> TrainConfig:
    """Returns a configuration of four seeds on digits, each some tenths of a second long."""
    return TrainConfig(
        "digits",
        **{
            "model": ModelConfig(hidden_channels=4, heads=2),
            "stopping": ["paper", "pyg"],
            "epochs": 30,
            "seeds": 4,
            "processes": 1,
            "run_dir": folder / "runs",
            "progress": False,
            **options,
        },
    )


def command(config: TrainConfig, file: Path) -> list[str]:
    """Returns a command that runs :obj:`config` in a process that Ctrl-C can interrupt."""
    options = [f"--processes={config.processes}", f"--run_dir={config.run_dir}"]
    file.write_text(
        "dataset: digits\nmodel: {hidden_channels: 4, heads: 2}\nstopping: [paper, pyg]\n"
        "epochs: 30\nseeds: 4\n"
    )
    program = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from gatsparse_cli import main; sys.exit(main())"
    )
    return [sys.executable, "-c", program, "train", str(file), *options]


def wait_until(condition: Callable[[], Any]) -> Any:
    end = time.monotonic() + SECONDS
    while not (value := condition()):
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.005)
    return value


def folders(config: TrainConfig) -> list[Path]:
    return sorted(config.run_dir.iterdir())


def numbers(folder: Path) -> dict[str, Any]:
    """Returns the summary without times, which differ from run to run."""
    summary = json.loads((folder / "summary.json").read_text())
    return {key: value for key, value in summary.items() if "seconds" not in key}


def rows(folder: Path) -> list[str]:
    return [path.read_text() for path in sorted(folder.glob("seed-*.jsonl"))]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of an uninterrupted run."""
    config = config_of(tmp_path_factory.mktemp("whole"))
    train(config)
    (folder,) = folders(config)
    return folder


def assert_equal_to(whole: Path, folder: Path) -> None:
    assert numbers(folder) == numbers(whole)
    assert rows(folder) == rows(whole)
    assert not list(folder.glob(".*.tmp"))


@pytest.mark.parametrize("processes", [2, 9])
def test_results_do_not_depend_on_the_number_of_processes(
    whole: Path, tmp_path: Path, processes: int
):
    config = config_of(tmp_path, processes=processes)
    results = train(config)
    (folder,) = folders(config)
    assert_equal_to(whole, folder)
    assert [result.rules["pyg"].test_score for result in results] == (
        numbers(whole)["rules"]["pyg"]["test_score"]
    )


@pytest.mark.parametrize(
    ("signum", "moment"),
    [(signal.SIGINT, "seed-0.json"), (signal.SIGKILL, "environment.json")],
)
def test_run_continues_after_a_signal(
    whole: Path,
    tmp_path: Path,
    signum: signal.Signals,
    moment: str,
    capfd: pytest.CaptureFixture[str],
):
    config = config_of(tmp_path, processes=2)
    with subprocess.Popen(
        command(config, tmp_path / "config.yaml"), stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stderr is not None
        wait_until(lambda: list(config.run_dir.glob(f"*/{moment}")))
        wait_until(lambda: len(helpers(process.pid)) == 2)
        family = psutil.Process(process.pid).children(recursive=True)
        if signum == signal.SIGINT:  # to all of them, as a terminal does
            os.killpg(process.pid, signum)
        else:
            process.kill()
        errors = process.stderr.read().decode()
        code = process.wait(SECONDS)
    assert not psutil.wait_procs(family, timeout=SECONDS)[1]
    assert code == (130 if signum == signal.SIGINT else -signal.SIGKILL)
    assert "Traceback" not in errors
    assert ("interrupted" in errors) == (signum == signal.SIGINT)

    (folder,) = folders(config)
    finished = list(folder.glob("seed-*.json"))
    before = {path: path.stat().st_mtime_ns for path in finished}
    assert len(finished) < 4
    train(config)
    assert folders(config) == [folder]
    assert f"continuing run folder {folder}: {len(finished)} of 4 seed(s) finished, " in (
        capfd.readouterr().out
    )
    assert_equal_to(whole, folder)
    assert {path: path.stat().st_mtime_ns for path in finished} == before


def helpers(pid: int) -> list[psutil.Process]:
    """Returns the training processes, which the forkserver of a process has started."""
    return [helper for server in psutil.Process(pid).children() for helper in server.children()]


def test_same_command_continues_a_killed_run(whole: Path, tmp_path: Path):
    config = config_of(tmp_path)
    arguments = command(config, tmp_path / "config.yaml")
    with subprocess.Popen(arguments) as process:
        wait_until(lambda: list(config.run_dir.glob("*/seed-1.json")))
        process.kill()
    assert subprocess.run(arguments, timeout=SECONDS).returncode == 0
    (folder,) = folders(config)
    assert_equal_to(whole, folder)


@pytest.fixture
def small(task: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainConfig:
    """A fast run of two seeds in this process."""
    monkeypatch.setattr("gatsparse.train.loading.load", lambda *_: task.clone())
    return config_of(tmp_path, epochs=3, seeds=[8, 5])


class Killed(BaseException):
    """Simulates a kill of the process."""


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_run_continues_after_a_kill_at_any_file(
    small: TrainConfig, moment: str, monkeypatch: pytest.MonkeyPatch
):
    train(small)
    (reference,) = folders(small)
    owner = os if moment == "fsync" else Path
    original = getattr(owner, moment)
    # Shift of the features, configuration and environment; for each seed its model, result, summary
    # and synced rows.
    written = 3 + 2 * (3 + (moment == "fsync"))
    for survived in range(written):
        config = replace(small, run_dir=small.run_dir.with_name(f"{moment}-{survived}"))
        calls = iter(range(written))

        def write(*args: Any, calls: Any = calls, survived: int = survived) -> Any:
            if next(calls) == survived:
                raise Killed
            return original(*args)

        with monkeypatch.context() as patch:
            patch.setattr(owner, moment, write)
            with pytest.raises(Killed):
                train(config)
        train(config)
        *useless, folder = folders(config)
        assert len(useless) == (survived < 3)  # killed before all three were written
        assert numbers(folder) == numbers(reference)
        assert rows(folder) == rows(reference)
        assert not list(folder.glob(".*.tmp"))


@pytest.fixture
def interrupted(small: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> TrainConfig:
    """A configuration whose run folder holds the first seed."""
    with monkeypatch.context() as patch:
        patch.setattr("gatsparse.train.TextOutput.seed_finished", stop)
        with pytest.raises(KeyboardInterrupt):
            train(small)
    return small


def stop(*_: Any) -> None:
    raise KeyboardInterrupt


def test_finished_run_is_not_continued(interrupted: TrainConfig):
    train(interrupted)
    assert len(folders(interrupted)) == 1
    train(interrupted)
    assert len(folders(interrupted)) == 2


def test_damaged_model_is_trained_again(interrupted: TrainConfig):
    train(interrupted)
    (folder,) = folders(interrupted)
    before, model = numbers(folder), folder / "seed-5.pt"
    model.write_bytes(model.read_bytes()[:100])
    with pytest.raises(DamagedFileError) as error:
        load_run(folder)
    cure = re.search(r"delete (\S+) and run gatsparse train (\S+) ", str(error.value))
    assert cure is not None
    Path(cure[1]).unlink()
    train(parse_config(cure[2]))
    assert folders(interrupted) == [folder]
    assert numbers(folder) == before
    load_run(folder)


def test_newest_unfinished_run_is_continued(
    interrupted: TrainConfig, monkeypatch: pytest.MonkeyPatch
):
    (first,) = folders(interrupted)
    with monkeypatch.context() as patch:
        patch.setattr("gatsparse.train.TextOutput.seed_finished", stop)
        with pytest.raises(KeyboardInterrupt):
            train(replace(interrupted, resume=False))
    (second,) = set(folders(interrupted)) - {first}
    train(interrupted)
    assert len(numbers(second)["seeds"]) == 2
    assert len(numbers(first)["seeds"]) == 1
    train(interrupted)
    assert len(numbers(first)["seeds"]) == 2


@pytest.mark.parametrize(
    ("changes", "continued"),
    [
        ({"progress": True}, True),
        ({"processes": 2}, True),
        ({"resume": False}, False),
        ({"seeds": [8, 5, 6]}, False),
        ({"epochs": 4}, False),
        ({"threads": 2}, False),
        ({"stopping": "paper"}, False),
        ({"model": ModelConfig(hidden_channels=4, heads=2, dropout=0.5)}, False),
    ],
)
def test_which_changes_prevent_resuming(interrupted: TrainConfig, changes: Any, continued: bool):
    with open_run_folder(replace(interrupted, **changes)) as folder:
        assert folder.continued == continued
    assert len(folders(interrupted)) == 2 - continued


@pytest.mark.parametrize("key", ["code", "torch", "kernels_isa"])
def test_changed_environment_prevents_resuming(interrupted: TrainConfig, key: str):
    file = folders(interrupted)[0] / "environment.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), key: "another"}))
    with open_run_folder(interrupted) as folder:
        assert not folder.continued


def test_number_of_seeds_equals_a_list_of_seeds(small: TrainConfig):
    with open_run_folder(replace(small, seeds=3, stopping="paper")) as first:
        pass
    with open_run_folder(replace(small, seeds=[0, 1, 2], stopping=["paper"])) as second:
        assert (second.path, second.continued) == (first.path, True)


def test_unreadable_configuration_prevents_resuming(interrupted: TrainConfig):
    (folders(interrupted)[0] / "config.yaml").write_text("dataset: digits\nnew: 3\n")
    with open_run_folder(interrupted) as folder:
        assert not folder.continued


def test_run_on_data_in_memory_is_continued(
    interrupted: TrainConfig, task: Data, monkeypatch: pytest.MonkeyPatch
):
    config = replace(interrupted, dataset=None, run_dir=interrupted.run_dir / "memory")
    with monkeypatch.context() as patch:
        patch.setattr("gatsparse.train.TextOutput.seed_finished", stop)
        with pytest.raises(KeyboardInterrupt):
            train(config, task)
    train(config, task)
    assert len(folders(config)) == 1


def test_simultaneous_runs_have_different_folders(interrupted: TrainConfig):
    with open_run_folder(interrupted) as first, open_run_folder(interrupted) as second:
        assert first.continued
        assert not second.continued
        with (first.path / ".lock").open() as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with open_run_folder(interrupted) as third:
        assert third.path == second.path


def ends_itself() -> Callable[[int], None]:
    return lambda _: os._exit(3)


def divides() -> Callable[[int], float]:
    return lambda seed: 1 / seed


def test_crashed_process_raises():
    with pytest.raises(ProcessDiedError, match="seed 7: its process died"):
        list(side_by_side(ends_itself, [7], 1, 1))


def test_error_in_a_process_is_raised():
    with pytest.raises(ZeroDivisionError):
        list(side_by_side(divides, [0], 1, 1))


def test_ctrl_c_waits_until_the_processes_have_started():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    steps: list[int] = []

    def start() -> None:
        with _ctrl_c_deferred():
            signal.raise_signal(signal.SIGINT)
            steps.append(1)

    try:
        with pytest.raises(KeyboardInterrupt):
            start()
        assert steps == [1]
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_every_seed_runs_once():
    assert sorted(side_by_side(divides, [5, 3, 4, 1], 2, 1)) == [1, 3, 4, 5]


def test_run_continues_after_a_process_is_killed(whole: Path, tmp_path: Path):
    config = config_of(tmp_path, processes=2)
    before = helpers(os.getpid()) if psutil.Process().children() else []

    def kill() -> None:
        wait_until(lambda: list(config.run_dir.glob("*/seed-*.json")))
        helper = next(helper for helper in helpers(os.getpid()) if helper not in before)
        helper.kill()

    thread = threading.Thread(target=kill)
    thread.start()
    with pytest.raises(ProcessDiedError, match=r"seed \d: its process died"):
        train(config)
    thread.join()
    wait_until(lambda: not [helper for helper in helpers(os.getpid()) if helper not in before])
    (folder,) = folders(config)
    assert 1 <= len(list(folder.glob("seed-*.json"))) < 4
    train(config)
    assert folders(config) == [folder]
    assert_equal_to(whole, folder)
