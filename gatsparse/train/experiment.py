"""A training for every seed, with its progress on the screen and its files on disk."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

import joblib
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from torch_geometric import seed_everything

from gatsparse.train.checkpoint import Checkpoint
from gatsparse.train.fitting import (
    TrainingDivergedError,
    build_model,
    fit,
    load_task,
    task_of_seed,
)
from gatsparse.train.memory import check_memory
from gatsparse.train.run_folder import open_run_folder
from gatsparse.train.side_by_side import side_by_side
from gatsparse.train.summary import headline, summarize

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from rich.progress import TaskID
    from torch_geometric.data import Data

    from gatsparse.train.config import TrainConfig
    from gatsparse.train.fitting import Epoch, FitResult
    from gatsparse.train.run_folder import RunFolder


def train(config: TrainConfig) -> list[FitResult]:
    """Trains once for every seed, and writes a :class:`RunFolder`.

    A seed gives the same result, bit for bit, whatever was trained before or is trained
    beside it: alone, in any order, in any number of processes, after an interruption.

    With several processes, a script that calls this must be importable: guard the call by
    ``if __name__ == "__main__":``, as :mod:`multiprocessing` asks for.

    Returns:
        list of FitResult: In the order of the seeds.

    Raises:
        ConfigError, DatasetNotFoundError, DatasetCorruptError: As :func:`load_task` and
            :func:`check_memory`.
        TrainingDivergedError: As :func:`fit`.
        ProcessDiedError: If the process of a seed is killed or crashes.
        OSError: If the run folder cannot be written.
    """
    data = load_task(config)
    task_of_seed(data, config, config.all_seeds[0])  # whether there is one
    console = Console(highlight=False)
    console.print(check_memory(config, data), soft_wrap=True)
    with open_run_folder(config) as folder, _progress(config, console) as progress:
        results = {
            seed: folder.load_result(seed) for seed in config.all_seeds if folder.is_finished(seed)
        }
        waiting = [seed for seed in config.all_seeds if seed not in results]
        if folder.continued:
            done = f"{len(results)} of {len(config.all_seeds)} seed(s)"
            console.print(f"continuing run folder {folder.path} with {done}", soft_wrap=True)
        else:
            console.print(f"run folder: {folder.path}", soft_wrap=True)
        processes = _num_processes(config, len(waiting))
        if processes > 1:
            training = _train_side_by_side(waiting, config, folder, processes, progress)
        else:
            training = _train_in_turn(waiting, config, data, folder, progress)
        with closing(training):
            for seed in training:
                results[seed] = folder.load_result(seed)
                folder.save_summary(summarize(config, results))
                console.print(_line(seed, results[seed]), soft_wrap=True)
        if not waiting:  # interrupted between the last seed and its summary
            folder.save_summary(summarize(config, results))
    console.print(headline(summarize(config, results)), soft_wrap=True)
    return [results[seed] for seed in config.all_seeds]


def _train_seed(
    seed: int,
    config: TrainConfig,
    data: Data,
    folder: RunFolder,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> None:
    """Trains one seed, and puts its files into the folder."""
    epochs: list[Epoch] = []

    def keep(epoch: Epoch) -> None:
        epochs.append(epoch)
        if on_epoch is not None:
            on_epoch(epoch)

    data = task_of_seed(data, config, seed)
    seed_everything(seed)
    checkpoint = Checkpoint(folder.checkpoint(seed), config.checkpoint_seconds)
    try:
        result = fit(
            build_model(config.model, data), data, config, on_epoch=keep, checkpoint=checkpoint
        )
    except TrainingDivergedError as error:
        raise TrainingDivergedError(f"seed {seed}, {error}") from error
    finally:
        folder.save_epochs(seed, epochs)
    folder.save_result(seed, result)
    checkpoint.remove()


def _train_in_turn(
    seeds: list[int], config: TrainConfig, data: Data, folder: RunFolder, progress: Progress
) -> Generator[int, None, None]:
    before = torch.get_num_threads()
    torch.set_num_threads(config.threads)
    try:
        for seed in seeds:
            task = progress.add_task(f"seed {seed}", total=config.epochs, state="")

            def show(epoch: Epoch, task: TaskID = task) -> None:
                state = f"loss {epoch.train_loss:.4f}, val {epoch.val_acc:.1%}"
                progress.update(task, completed=epoch.epoch, state=state)

            _train_seed(seed, config, data, folder, show)
            progress.remove_task(task)
            yield seed
    finally:
        torch.set_num_threads(before)


def _train_side_by_side(
    seeds: list[int], config: TrainConfig, folder: RunFolder, processes: int, progress: Progress
) -> Generator[int, None, None]:
    total = len(config.all_seeds)
    task = progress.add_task(
        "seeds", total=total, completed=total - len(seeds), state=f"{processes} processes"
    )
    prepare = partial(_prepare, config, folder)
    with closing(side_by_side(prepare, seeds, processes, config.threads)) as finished:
        for seed in finished:
            progress.advance(task)
            yield seed


def _prepare(config: TrainConfig, folder: RunFolder) -> Callable[[int], None]:
    return partial(_train_seed, config=config, data=load_task(config), folder=folder)


def _num_processes(config: TrainConfig, num_seeds: int) -> int:
    if config.processes is not None:
        return min(config.processes, num_seeds)
    return min(joblib.cpu_count(only_physical_cores=True) // config.threads, num_seeds)


def _progress(config: TrainConfig, console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[state]}"),
        console=console,
        transient=True,
        disable=not (config.progress and console.is_terminal),
    )


def _line(seed: int, result: FitResult) -> str:
    return (
        f"seed {seed}: test {result.test_acc:.1%}, val {result.val_acc:.1%}, epoch "
        f"{result.best_epoch} of {result.epochs}, {result.seconds:.1f} s"
    )
