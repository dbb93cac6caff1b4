"""Bad calls of public functions raise a documented error that names the argument."""

import inspect
import re

import pytest

import gatsparse
import gatsparse.data
import gatsparse.explain
import gatsparse.inspection
import gatsparse.nn
import gatsparse.ops
import gatsparse.predict
import gatsparse.train
from tests.bad_calls import FUNCTIONS
from tests.bad_calls.values import calls

#: Records, errors and warnings that callers receive, and functions without arguments.
_NOT_CALLED = {
    "AttentionEntropy",
    "BackendReport",
    "ClassAttention",
    "Column",
    "Confusion",
    "Epoch",
    "Explanation",
    "FinishedRun",
    "FitResult",
    "Flow",
    "FlowEdge",
    "FlowNode",
    "GraphSchema",
    "GraphStatistics",
    "Inspection",
    "Interval",
    "LayerAttention",
    "LayerBackend",
    "LinkPredictions",
    "LayerExplanation",
    "ModelSizes",
    "Neighbor",
    "NodeExplanation",
    "Output",
    "Predictions",
    "RankCorrelation",
    "Reached",
    "RelabeledEdges",
    "RelabeledGraph",
    "RemovalTest",
    "RuleResult",
    "RunStart",
    "TargetScale",
    "clear_graph_cache",
    "release_memory",
    "link_scores",
}


#: Functions of data sets and files that may be missing.
_NOT_HERE = {"find", "load_files", "load_ogb", "ogb_evaluator"}


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_bad_calls_raise_an_error_that_names_the_argument(function):
    wrong = [problem for call in calls(function) if (problem := problem_of(call))]
    assert wrong == []


def problem_of(call):
    """Returns what is wrong with a bad call; None if it raises a documented error."""
    what = f"{call.function}({call.argument}={call.value!r})"
    try:
        call.run()
    except call.errors as error:
        words = "|".join(map(re.escape, call.names))
        named = re.search(rf"(?<!\w)({words})(?!\w)", str(error))
        return None if named else f"{what}: {type(error).__name__} without the name: {error}"
    except Exception as error:
        return f"{what}: {type(error).__name__}: {error}"
    return f"{what}: no error"


def test_table_has_a_thousand_bad_calls():
    assert sum(1 for function in FUNCTIONS for _ in calls(function)) >= 1000


def test_good_arguments_are_accepted():
    for function in FUNCTIONS:
        good = function.good()
        if good and function.name not in _NOT_HERE and "/none/such" not in good.values():
            function.function(**good)


def test_every_public_function_is_called():
    parts = ("nn", "ops", "data", "explain", "train", "inspection", "predict")
    modules = (gatsparse, *(getattr(gatsparse, part) for part in parts))
    public = {
        name
        for module in modules
        for name in module.__all__
        if callable(item := getattr(module, name))
        and not (inspect.isclass(item) and issubclass(item, (Exception, Warning)))
    }
    called = {function.name.split(".")[0] for function in FUNCTIONS}
    assert public - called - _NOT_CALLED == set()
