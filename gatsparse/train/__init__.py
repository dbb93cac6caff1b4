"""Training of graph attention networks, from typed configurations."""

from gatsparse.extras import missing_extra

if error := missing_extra(
    "gatsparse.train",
    "train",
    "joblib",
    "jsonargparse",
    "platformdirs",
    "psutil",
    "rich",
    "scipy",
    "sklearn",
):
    raise error

from gatsparse.config_types import ConfigError
from gatsparse.train.config import (
    GraphConfig,
    LinkConfig,
    ModelConfig,
    OptimConfig,
    SamplingConfig,
    SyntheticConfig,
    TrainConfig,
)
from gatsparse.train.config_file import parse_config
from gatsparse.train.dense_gat import DenseGAT
from gatsparse.train.errors import (
    DamagedFileError,
    ProcessDiedError,
    TrainingDivergedError,
)
from gatsparse.train.experiment import train
from gatsparse.train.fitting import build_optimizer, fit
from gatsparse.train.full_batch import model_graph
from gatsparse.train.graph_model import GraphClassifier, build_graph_classifier
from gatsparse.train.graph_split import split_graphs
from gatsparse.train.link_criterion import link_scores
from gatsparse.train.link_split import split_links
from gatsparse.train.loading import load_task
from gatsparse.train.models import (
    ModelSizes,
    build_deep_gat,
    build_gat,
    build_model,
    build_model_of_sizes,
    model_sizes,
)
from gatsparse.train.objectives.objective import TargetScale
from gatsparse.train.output import JsonOutput, Output, RunStart, TextOutput
from gatsparse.train.results import Epoch, FitResult, RuleResult
from gatsparse.train.stopping import EarlyStopping
from gatsparse.train.task import task_of_seed

__all__ = [
    "ConfigError",
    "DamagedFileError",
    "DenseGAT",
    "EarlyStopping",
    "Epoch",
    "FitResult",
    "GraphClassifier",
    "GraphConfig",
    "JsonOutput",
    "LinkConfig",
    "ModelConfig",
    "ModelSizes",
    "OptimConfig",
    "Output",
    "ProcessDiedError",
    "RuleResult",
    "RunStart",
    "SamplingConfig",
    "SyntheticConfig",
    "TargetScale",
    "TextOutput",
    "TrainConfig",
    "TrainingDivergedError",
    "build_deep_gat",
    "build_gat",
    "build_graph_classifier",
    "build_model",
    "build_model_of_sizes",
    "build_optimizer",
    "fit",
    "link_scores",
    "load_task",
    "model_graph",
    "model_sizes",
    "parse_config",
    "split_graphs",
    "split_links",
    "task_of_seed",
    "train",
]
