"""Small faults, each of which a selection of the tests must detect: ``python -m tests.mutants``."""
