"""A training for every seed, with its output and its files."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from types import NoneType
from typing import TYPE_CHECKING

from torch_geometric import seed_everything

from gatsparse.checks import check_instance
from gatsparse.train.backends import backend_report
from gatsparse.train.checkpoint import Checkpoint
from gatsparse.train.config import TrainConfig
from gatsparse.train.device import find_device
from gatsparse.train.errors import TrainingDivergedError
from gatsparse.train.fitting import fit
from gatsparse.train.graph_model import model_of_run
from gatsparse.train.loading import load_task
from gatsparse.train.logs import complete_logs, epoch_logs, require_logs
from gatsparse.train.memory import check_memory, num_processes
from gatsparse.train.models import sizes_of_run
from gatsparse.train.output import Output, RunStart, TextOutput
from gatsparse.train.progress import RunProgress, watched
from gatsparse.train.run_folder import open_run_folder
from gatsparse.train.side_by_side import side_by_side
from gatsparse.train.summary import summarize
from gatsparse.train.task import task_of_seed
from gatsparse.train.threads import torch_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from torch_geometric.data import Data

    from gatsparse.train.results import Epoch, FitResult
    from gatsparse.train.run_folder import RunFolder


def train(
    config: TrainConfig, data: Data | None = None, *, output: Output | None = None
) -> list[FitResult]:
    """Trains once for every seed, and writes a run folder.

    On a CPU, a seed gives the same result, bit for bit, whatever was trained before or is trained
    at the same time: alone, in any order, in any number of processes, after an interruption.

    With several processes, a script that calls this must be importable: guard the call with
    ``if __name__ == "__main__":``, as :mod:`multiprocessing` requires.

    Args:
        config (TrainConfig): The data set, the model and the seeds.
        data (torch_geometric.data.Data, optional): Data to train on instead of the data set.
        output (Output, optional): Receives the events of the run.
            (default: a :class:`TextOutput` with :obj:`progress` of the configuration)

    Returns:
        list of FitResult: In the order of the seeds.

    Raises:
        ConfigError, DatasetNotFoundError, DatasetCorruptError: As in :func:`load_task`
            and :func:`task_of_seed`, or if the training would not fit into memory, or torch does
            not find :obj:`device`.
        ImportError: If a package that writes :obj:`log` is not installed.
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
    check_instance("config", config, TrainConfig, "a TrainConfig")
    check_instance("output", output, (Output, NoneType), "an Output")
    with closing(TextOutput(config.progress) if output is None else output) as shown:
        return _train(config, data, shown)


def _train(config: TrainConfig, given: Data | None, output: Output) -> list[FitResult]:
    require_logs(config.logs)
    find_device(config.device)  # raises before the data are read
    data = load_task(config, given)
    if given is not None:
        config = config.for_given_data(given)
    task = task_of_seed(data, config, config.all_seeds[0])
    with open_run_folder(config, data) as folder:
        results = {
            seed: folder.load_result(seed) for seed in config.all_seeds if folder.is_finished(seed)
        }
        complete_logs(config.logs, folder, results)
        waiting = [seed for seed in config.all_seeds if seed not in results]
        processes = num_processes(config, data, len(waiting))
        started = sum(folder.checkpoint(seed).exists() for seed in waiting)
        output.begin(
            RunStart(
                config,
                str(folder.path),
                list(data.get("notes") or ()),
                check_memory(config, data, processes),
                backend_report(config, task),
                folder.continued,
                len(results),
                started,
            )
        )
        progress = RunProgress(folder, waiting, config.epochs, processes)
        if processes > 1:
            training = _train_side_by_side(waiting, config, given, folder, processes)
        else:
            training = _train_in_turn(waiting, config, data, folder)
        with watched(progress, output) as update, closing(training):
            for seed in training:
                update()
                progress.finish(seed)
                results[seed] = folder.load_result(seed)
                folder.save_summary(summarize(config, results))
                output.seed_finished(seed, results[seed])
        summary = summarize(config, results)
        if not waiting:  # interrupted between the last seed and its summary
            folder.save_summary(summary)
    output.end(summary)
    return [results[seed] for seed in config.all_seeds]


def _train_seed(seed: int, config: TrainConfig, data: Data, folder: RunFolder) -> None:
    """Trains one seed, and writes its files into the folder."""
    data = task_of_seed(data, config, seed)
    sizes = sizes_of_run(config, data)
    checkpoint = Checkpoint(
        folder.checkpoint(seed),
        config.checkpoint_seconds,
        training=f"seed {seed} of {config.essence()}",
    )
    with folder.metrics(seed) as append, epoch_logs(config.logs, folder.path, seed) as log:

        def keep(epoch: Epoch) -> None:
            append(epoch)
            log(epoch)

        seed_everything(seed)
        try:
            model = model_of_run(config, sizes, data["x"].dtype)
            result = fit(model, data, config, on_epoch=keep, checkpoint=checkpoint)
        except TrainingDivergedError as error:
            raise TrainingDivergedError(f"seed {seed}, {error}") from error
    folder.save_result(seed, result, sizes)
    checkpoint.remove()


def _train_in_turn(
    seeds: list[int], config: TrainConfig, data: Data, folder: RunFolder
) -> Generator[int, None, None]:
    with torch_threads(config.threads):
        for seed in seeds:
            _train_seed(seed, config, data, folder)
            yield seed


def _train_side_by_side(
    seeds: list[int], config: TrainConfig, data: Data | None, folder: RunFolder, processes: int
) -> Generator[int, None, None]:
    prepare = partial(_prepare, config, data, folder)
    with closing(side_by_side(prepare, seeds, processes, config.threads)) as finished:
        yield from finished


def _prepare(config: TrainConfig, data: Data | None, folder: RunFolder) -> Callable[[int], None]:
    return partial(_train_seed, config=config, data=load_task(config, data), folder=folder)
