"""Large graphs: CSR graphs, full-batch steps, sampled epochs and exact inference."""
