"""Shared parts of the Triton operators.

:mod:`~gatsparse.gpu.launch` and :mod:`~gatsparse.gpu.device_functions` import Triton, the others
only where they start a kernel; nothing here is imported by ``import gatsparse``.
"""
