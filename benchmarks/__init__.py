"""The benchmark of gatsparse against PyG, torch-scatter and the dense layer."""
