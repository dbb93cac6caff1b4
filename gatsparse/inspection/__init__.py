"""Statistics of a graph, the cost of a training, and a configuration to start from."""

from gatsparse.inspection.inspect import Inspection, inspect_graph

__all__ = ["Inspection", "inspect_graph"]
