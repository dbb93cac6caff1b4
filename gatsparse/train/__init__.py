"""Training of node classifiers, from typed configurations."""

from gatsparse.train.config import (
    ConfigError,
    ModelConfig,
    OptimConfig,
    TrainConfig,
    parse_config,
)
from gatsparse.train.experiment import train
from gatsparse.train.full_batch import (
    Epoch,
    FitResult,
    RuleResult,
    TrainingDivergedError,
    build_model,
    build_optimizer,
    fit,
    load_task,
    model_structure,
    task_of_seed,
)
from gatsparse.train.side_by_side import ProcessDiedError
from gatsparse.train.stopping import EarlyStopping

__all__ = [
    "ConfigError",
    "EarlyStopping",
    "Epoch",
    "FitResult",
    "ModelConfig",
    "OptimConfig",
    "ProcessDiedError",
    "RuleResult",
    "TrainConfig",
    "TrainingDivergedError",
    "build_model",
    "build_optimizer",
    "fit",
    "load_task",
    "model_structure",
    "parse_config",
    "task_of_seed",
    "train",
]
