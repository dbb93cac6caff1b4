from tests.mutants import (
    explain,
    graphs,
    inference,
    inspection,
    kernels,
    layers,
    ops,
    sampler,
    training,
)

#: The faults of each area.
AREAS = {
    "graphs": graphs.MUTANTS,
    "ops": ops.MUTANTS,
    "layers": layers.MUTANTS,
    "sampler": sampler.MUTANTS,
    "inference": inference.MUTANTS,
    "explain": explain.MUTANTS,
    "inspection": inspection.MUTANTS,
    "training": training.MUTANTS,
    "kernels": kernels.MUTANTS,
}
