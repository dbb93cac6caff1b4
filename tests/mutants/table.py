from tests.mutants import (
    accelerate,
    devices,
    explain,
    gpu,
    graph_files,
    graphs,
    inference,
    inspection,
    kernels,
    layers,
    ops,
    predict,
    sampler,
    training,
)

#: The faults of each area.
AREAS = {
    "graphs": graphs.MUTANTS,
    "ops": ops.MUTANTS,
    "layers": layers.MUTANTS,
    "accelerate": accelerate.MUTANTS,
    "sampler": sampler.MUTANTS,
    "inference": inference.MUTANTS,
    "explain": explain.MUTANTS,
    "inspection": inspection.MUTANTS,
    "training": training.MUTANTS,
    "graph_files": graph_files.MUTANTS,
    "predict": predict.MUTANTS,
    "devices": devices.MUTANTS,
    "kernels": kernels.MUTANTS,
    "gpu": gpu.MUTANTS,
}
