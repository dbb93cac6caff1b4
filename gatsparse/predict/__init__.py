"""Trained models: loading, and predictions on their own and on other graphs."""

from gatsparse.predict.data import load_data
from gatsparse.predict.links import LinkPredictions, predict_links
from gatsparse.predict.model import FinishedRun, load_model, load_run
from gatsparse.predict.outputs import predict
from gatsparse.predict.predictions import Predictions
from gatsparse.predict.report import explain_run

__all__ = [
    "FinishedRun",
    "LinkPredictions",
    "Predictions",
    "explain_run",
    "load_data",
    "load_model",
    "load_run",
    "predict",
    "predict_links",
]
