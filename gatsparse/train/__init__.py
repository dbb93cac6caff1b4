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
    TrainingDivergedError,
    build_model,
    fit,
    load_task,
    model_structure,
)
from gatsparse.train.stopping import EarlyStopping

__all__ = [
    "ConfigError",
    "EarlyStopping",
    "Epoch",
    "FitResult",
    "ModelConfig",
    "OptimConfig",
    "TrainConfig",
    "TrainingDivergedError",
    "build_model",
    "fit",
    "load_task",
    "model_structure",
    "parse_config",
    "train",
]
