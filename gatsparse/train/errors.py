"""Errors of a training that are messages for the user."""


class TrainingDivergedError(ArithmeticError):
    """A loss that is not finite.

    Example:
        >>> from gatsparse.train import TrainingDivergedError
        >>> issubclass(TrainingDivergedError, ArithmeticError)
        True
    """


class ProcessDiedError(RuntimeError):
    """A process that ended without a result.

    Example:
        >>> from gatsparse.train import ProcessDiedError
        >>> issubclass(ProcessDiedError, RuntimeError)
        True
    """


class DamagedFileError(ValueError):
    """A file of a run folder that is truncated, damaged or belongs to another training.

    Example:
        >>> from gatsparse.train import DamagedFileError
        >>> issubclass(DamagedFileError, ValueError)
        True
    """
