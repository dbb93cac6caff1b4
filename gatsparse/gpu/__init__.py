"""Shared parts of the operators on GPUs. The modules that define or launch kernels import Triton;
``import gatsparse`` imports none of them.
"""
