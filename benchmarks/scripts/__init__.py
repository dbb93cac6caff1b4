"""Training scripts in the style of PyG's examples, with and without ``gatsparse.accelerate``."""
