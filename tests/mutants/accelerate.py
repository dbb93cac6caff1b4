from tests.mutants.mutant import Mutant

_MODE = "nn/test_function_mode.py"
_FEATURES = "nn/test_mostly_zero_features.py"

MUTANTS = [
    Mutant(
        "dropout that is repeated by checkpointing is replaced",
        "nn/function_mode.py",
        "return hooks is not None or _C._current_graph_task_id() != -1",
        "return False",
        _MODE,
        "checkpointed",
    ),
    Mutant(
        "functions stay replaced after an exception",
        "nn/function_mode.py",
        "always_call=True",
        "always_call=False",
        _MODE,
        "after_an_exception",
    ),
    Mutant(
        "functions stay replaced after Ctrl-C",
        "nn/function_mode.py",
        "if running and not _is_running(running[-1][1]):",
        "if False:",
        _MODE,
        "after_an_exception",
    ),
    Mutant(
        "functions are replaced until the innermost module returns",
        "nn/function_mode.py",
        "            if not running:\n                _remove",
        "            if running:\n                _remove",
        _MODE,
        "outermost",
    ),
    Mutant(
        "dropout in place is replaced",
        "nn/function_mode.py",
        'reasons = ["inplace=True"] if inplace else []',
        "reasons = []",
        _MODE,
        "lists_dropout",
    ),
    Mutant(
        "the ELU of another alpha is replaced",
        "nn/function_mode.py",
        "if alpha != 1.0 or",
        "if",
        _MODE,
        "elu",
    ),
    Mutant(
        "features are recognised without their content",
        "nn/sparse_features.py",
        "(content := fingerprint(x)) != self._content",
        "(content := x.shape) != self._content",
        _FEATURES,
        "changes",
    ),
    Mutant(
        "modified features are multiplied as before",
        "nn/sparse_features.py",
        "if self._dense is not None or is_autocast",
        "if is_autocast",
        _FEATURES,
        "modified",
    ),
    Mutant(
        "features are converted at their first use",
        "nn/sparse_features.py",
        "        _known.set(storage, views)\n        return x\n",
        "        _known.set(storage, views)\n",
        _FEATURES,
        "few",
    ),
    Mutant(
        "a decelerated layer keeps its backend",
        "nn/accelerate.py",
        'vars(module).pop("backend", None)',
        "pass",
        "nn/test_accelerate.py",
        "decelerated",
    ),
    Mutant(
        "values of a storage outlive it",
        "storage_map.py",
        "return value if reference is not None and reference() is storage else None",
        "return value",
        "test_storage_map.py",
    ),
]
