from tests.mutants.mutant import Mutant

_DATA = "predict/test_data.py"
_PREPARED = "predict/test_prepared.py"
_NORMALIZE = "train/test_normalize.py"

MUTANTS = [
    Mutant(
        "predictions subtract their own least feature",
        "predict/data.py",
        "prepared(loaded, config, run.feature_shift)",
        "prepared(loaded, config)",
        _PREPARED,
        "part_of_the_graph",
    ),
    Mutant(
        "zeros that are not stored are not counted",
        "train/normalize.py",
        "if stored.numel() < x.numel():",
        "if stored.numel() > x.numel():",
        _NORMALIZE,
    ),
    Mutant(
        "sparse features are not shifted",
        "train/normalize.py",
        "if x.layout == torch.strided or shift != 0:",
        "if x.layout == torch.strided:",
        _NORMALIZE,
    ),
    Mutant(
        "features are divided by small sums",
        "train/normalize.py",
        "sums.clamp(min=1.0)",
        "sums",
        _NORMALIZE,
    ),
    Mutant(
        "columns are learned from the graph of a prediction",
        "data/graph_files/nodes.py",
        "        if schema is None:\n            columns = learn_columns(",
        "        if columns:\n            columns = learn_columns(",
        _DATA,
    ),
    Mutant(
        "the masks of a prediction are mixed with the drawn split",
        "predict/data.py",
        "drawn = data if of_graphs else without_masks(data)",
        "drawn = data",
        _PREPARED,
    ),
    Mutant(
        "every graph gets the drawn split",
        "predict/data.py",
        "if RunFolder(run.path).has_data(drawn):",
        "if RunFolder(run.path).path:",
        _PREPARED,
    ),
    Mutant(
        "changed data of the training are used",
        "predict/data.py",
        "RunFolder(run.path).check_data(loaded)",
        "RunFolder(run.path)",
        _DATA,
        "changed_data",
    ),
    Mutant(
        "other numbers of edge features are used",
        "predict/data.py",
        "if found != run.sizes.edge_dim:",
        "if found is None and run.sizes.edge_dim:",
        _DATA,
        "other_numbers",
    ),
    Mutant(
        "the model with the largest error is the best",
        "predict/model.py",
        "sign = -1 if METRICS[config.chosen_metric].is_error else 1",
        "sign = 1",
        "predict/test_model.py",
    ),
    Mutant(
        "nodes without a label are scored",
        "predict/predictions.py",
        "nodes = (mask & objective.labelled(y)).nonzero()",
        "nodes = mask.nonzero()",
        "predict/test_predictions.py",
    ),
    Mutant(
        "the blocks of a table are all its first rows",
        "predict/predictions.py",
        "self._table(column[first : first + _ROWS], self.outputs[first : first + _ROWS])",
        "self._table(column[first : first + _ROWS], self.outputs[: len(column[first:])][:_ROWS])",
        "predict/test_predictions.py",
    ),
]
