"""A table of bad calls: every public function, with one argument replaced by a wrong value."""

from tests.bad_calls import (
    data,
    explain,
    files,
    graphs,
    inference,
    layers,
    models,
    operators,
    runs,
    training,
)

_PARTS = (layers, models, operators, graphs, inference, explain, data, files, training, runs)

#: Every function of the table.
FUNCTIONS = [function for part in _PARTS for function in part.functions()]
