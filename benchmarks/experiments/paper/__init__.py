"""The results of the GAT paper, reproduced: ``python -m benchmarks.experiments.paper``."""
