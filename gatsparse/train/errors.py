"""Errors of a training that are messages for the user."""


class ConfigError(ValueError):
    """A configuration that cannot be run."""

    exit_code = 2


class TrainingDivergedError(ArithmeticError):
    """A loss that is not finite."""


class ProcessDiedError(RuntimeError):
    """A process that ended without a result."""


class DamagedFileError(ValueError):
    """A file of a run folder that is truncated, damaged or belongs to another training."""
