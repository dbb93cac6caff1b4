"""Training of node classifiers, from typed configurations."""

from gatsparse.train.config import (
    ConfigError,
    ModelConfig,
    OptimConfig,
    SamplingConfig,
    SyntheticConfig,
    TrainConfig,
    parse_config,
)
from gatsparse.train.experiment import train
from gatsparse.train.fitting import (
    Epoch,
    FitResult,
    RuleResult,
    TrainingDivergedError,
    build_model,
    build_optimizer,
    fit,
    load_task,
    task_of_seed,
)
from gatsparse.train.full_batch import model_structure
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
    "SamplingConfig",
    "SyntheticConfig",
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
