"""What is in a graph, what a training of it would cost, and a configuration to start from."""

from gatsparse.inspection.inspect import Inspection, inspect_graph

__all__ = ["Inspection", "inspect_graph"]
