"""Emulator of PTX in NumPy: runs what Triton compiled, on a machine without a GPU.

=================== ==========================================================================
``text.py``         parses PTX into instructions with typed operands
``formats.py``      number formats: bits of a register to values and back, exact rounding
``operation.py``    the table of operations; modifiers that nobody takes are errors
``integers.py``     integer arithmetic, shifts, bit fields, selection and comparison
``floats.py``       floating-point arithmetic
``conversions.py``  ``cvt`` in all roundings
``warps.py``        operations between the threads of a warp
``buffers.py``      memory of a launch, checked for bounds, alignment, initialisation and races
``accesses.py``     loads and stores
``chunk.py``        state of the programs that run at the same time; counts
``operands.py``     reads and writes registers in the format of an instruction
``memory_steps.py`` runs loads and stores in many threads
``program.py``      basic blocks of decoded instructions
``machine.py``      runs programs and schedules their warps
=================== ==========================================================================
"""
