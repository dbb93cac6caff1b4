"""Attention of a trained graph attention network, as numbers, charts and a page."""

from gatsparse.extras import missing_extra

if error := missing_extra(
    "gatsparse.explain", "report", "jinja2", "matplotlib", "scipy", "sklearn"
):
    raise error

from gatsparse.explain.class_attention import ClassAttention
from gatsparse.explain.confusion import Confusion
from gatsparse.explain.entropy import AttentionEntropy
from gatsparse.explain.explanation import Explanation, LayerExplanation, explain
from gatsparse.explain.figures import (
    effects_figure,
    entropy_figure,
    loss_figure,
    removal_figure,
    score_figure,
)
from gatsparse.explain.flow import Flow, FlowEdge, FlowNode
from gatsparse.explain.nodes import Neighbor, NodeExplanation, Reached
from gatsparse.explain.removal_test import Interval, RankCorrelation, RemovalTest
from gatsparse.explain.report import write_report

__all__ = [
    "AttentionEntropy",
    "ClassAttention",
    "Confusion",
    "Explanation",
    "Flow",
    "FlowEdge",
    "FlowNode",
    "Interval",
    "LayerExplanation",
    "Neighbor",
    "NodeExplanation",
    "RankCorrelation",
    "Reached",
    "RemovalTest",
    "effects_figure",
    "entropy_figure",
    "explain",
    "loss_figure",
    "removal_figure",
    "score_figure",
    "write_report",
]
