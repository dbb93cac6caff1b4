"""Large graphs: structure, full-batch steps, sampled epochs and exact inference."""
