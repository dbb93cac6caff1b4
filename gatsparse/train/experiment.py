"""A training for every seed, with its progress on the screen and its files on disk."""

from __future__ import annotations

from contextlib import closing, nullcontext
from functools import partial
from typing import TYPE_CHECKING

import torch
from rich.console import Console
from torch_geometric import seed_everything

from gatsparse.train.backends import backend_report
from gatsparse.train.checkpoint import Checkpoint
from gatsparse.train.errors import TrainingDivergedError
from gatsparse.train.fitting import fit
from gatsparse.train.memory import check_memory, num_processes
from gatsparse.train.metrics import format_score
from gatsparse.train.models import build_model_of_sizes, sizes_of_run
from gatsparse.train.progress import RunProgress, heartbeat, progress_bar
from gatsparse.train.run_folder import open_run_folder
from gatsparse.train.side_by_side import side_by_side
from gatsparse.train.summary import headline, summarize
from gatsparse.train.task import load_task, task_of_seed

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from rich.progress import Progress, TaskID
    from torch_geometric.data import Data

    from gatsparse.train.config import TrainConfig
    from gatsparse.train.results import Epoch, FitResult
    from gatsparse.train.run_folder import RunFolder


def train(config: TrainConfig) -> list[FitResult]:
    """Trains once for every seed, and writes a run folder.

    A seed gives the same result, bit for bit, whatever was trained before or is trained
    at the same time: alone, in any order, in any number of processes, after an interruption.

    With :obj:`progress`, a terminal shows a bar; elsewhere a line with the epochs and the time
    left is printed every few seconds.

    With several processes, a script that calls this must be importable: guard the call with
    ``if __name__ == "__main__":``, as :mod:`multiprocessing` requires.

    Args:
        config (TrainConfig): The data set, the model and the seeds.

    Returns:
        list of FitResult: In the order of the seeds.

    Raises:
        ConfigError, DatasetNotFoundError, DatasetCorruptError: As in :func:`load_task`
            and :func:`task_of_seed`, or if the training would not fit into memory.
        TrainingDivergedError: As in :func:`fit`.
        ProcessDiedError: If the process of a seed is killed or crashes.
        DamagedFileError: If a file of the run that is resumed is damaged.
        OSError: If the run folder cannot be written.

    Example:
        >>> from pathlib import Path
        >>> from gatsparse.train import TrainConfig, train
        >>> config = TrainConfig("digits", epochs=2, run_dir=Path("runs"), progress=False)
        >>> results = train(config)  # doctest: +ELLIPSIS
        memory: about ...
        >>> results[0].epochs
        2
    """
    data = load_task(config)
    task = task_of_seed(data, config, config.all_seeds[0])
    console = Console(highlight=False)
    say = partial(console.print, soft_wrap=True, markup=False)
    with open_run_folder(config, data) as folder:
        results = {
            seed: folder.load_result(seed) for seed in config.all_seeds if folder.is_finished(seed)
        }
        waiting = [seed for seed in config.all_seeds if seed not in results]
        processes = num_processes(config, data, len(waiting))
        say(check_memory(config, data, processes))
        say(backend_report(config, task))
        if folder.continued:
            started = sum(folder.checkpoint(seed).exists() for seed in waiting)
            done = f"{len(results)} of {len(config.all_seeds)} seed(s) finished"
            say(f"continuing run folder {folder.path}: {done}, {started} continue")
        else:
            say(f"run folder: {folder.path}")
        terminal = console.is_terminal
        bar = progress_bar(console, shown=config.progress and terminal)
        line = RunProgress(folder, config, waiting).line
        lines = config.progress and not terminal and waiting
        with bar, heartbeat(line, say) if lines else nullcontext():
            if processes > 1:
                training = _train_side_by_side(waiting, config, folder, processes, bar)
            else:
                training = _train_in_turn(waiting, config, data, folder, bar)
            with closing(training):
                for seed in training:
                    results[seed] = folder.load_result(seed)
                    folder.save_summary(summarize(config, results))
                    say(_line(seed, results[seed], config.chosen_metric))
        if not waiting:  # interrupted between the last seed and its summary
            folder.save_summary(summarize(config, results))
    say(headline(summarize(config, results)))
    return [results[seed] for seed in config.all_seeds]


def _train_seed(
    seed: int,
    config: TrainConfig,
    data: Data,
    folder: RunFolder,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> None:
    """Trains one seed, and writes its files into the folder."""
    data = task_of_seed(data, config, seed)
    sizes = sizes_of_run(config, data)
    seed_everything(seed)
    checkpoint = Checkpoint(
        folder.checkpoint(seed),
        config.checkpoint_seconds,
        training=f"seed {seed} of {config.essence()}",
    )
    with folder.metrics(seed) as append:

        def keep(epoch: Epoch) -> None:
            append(epoch)
            if on_epoch is not None:
                on_epoch(epoch)

        try:
            model = build_model_of_sizes(config.model, sizes, data["x"].dtype)
            result = fit(model, data, config, on_epoch=keep, checkpoint=checkpoint)
        except TrainingDivergedError as error:
            raise TrainingDivergedError(f"seed {seed}, {error}") from error
    folder.save_result(seed, result, sizes)
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
                score = format_score(config.chosen_metric, epoch.val_score)
                state = f"loss {epoch.train_loss:.4f}, val {score}"
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


def _line(seed: int, result: FitResult, metric: str) -> str:
    test, val = (format_score(metric, score) for score in (result.test_score, result.val_score))
    return (
        f"seed {seed}: test {test}, val {val}, epoch "
        f"{result.best_epoch} of {result.epochs}, {result.seconds:.1f} s"
    )
