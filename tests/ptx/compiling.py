"""Compiles Triton kernels for a GPU that this machine does not have.

``compile_call`` takes the arguments of a launch, ``compile_kernel`` a signature in words. Both
specialise the kernel as Triton's just-in-time compiler does.
"""

import functools
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from triton.backends.compiler import GPUTarget
from triton.backends.nvidia import compiler as nvidia
from triton.compiler import ASTSource, compile, make_backend
from triton.runtime.jit import JITFunction, create_function_from_signature

#: The folder of ptxas, nvdisasm and cuobjdump in Triton's wheel.
TOOLS = Path(nvidia.__file__).parent / "bin"

#: Options unless others are given: Triton's defaults up to 3.9, which warns if they are left out.
OPTIONS = {"enable_fp_fusion": True}


def target_of(arch: str) -> GPUTarget:
    """Returns the target named ``sm_90``, ``gfx942``, ...

    Raises:
        ValueError: If the name is neither of an NVIDIA nor of an AMD architecture.
    """
    if match := re.fullmatch(r"sm_(\d+)", arch):
        return GPUTarget("cuda", int(match.group(1)), 32)
    if re.fullmatch(r"gfx[0-9a-f]+", arch):
        return GPUTarget("hip", arch, 64 if arch.startswith("gfx9") else 32)
    raise ValueError(f"arch: expected sm_... or gfx..., got {arch!r}")


class Specialization(NamedTuple):
    """Types, constants and options for which a kernel is compiled.

    Args:
        signature (dict): Type of each parameter: ``*fp32``, ``i32``, ``constexpr``, ...
        constants (dict): Value of each ``constexpr`` parameter by its position ``(index,)``.
        attributes (dict): Attributes by position, such as divisibility by 16.
        arguments (tuple): Values of the parameters that exist at run time, in order.
        options (tuple): Compiler options: pairs of a name and a value.
    """

    signature: dict[str, str]
    constants: dict[tuple[int, ...], Any]
    attributes: dict[tuple[int, ...], list]
    arguments: tuple[Any, ...]
    options: tuple[tuple[str, Any], ...]

    def key(self) -> str:
        """Returns a text that is equal for calls that use the same compiled kernel."""
        constants = {
            place: getattr(value, "cache_key", repr(value))
            for place, value in self.constants.items()
        }
        return repr((self.signature, constants, self.attributes, self.options))


def specialize(
    kernel: JITFunction, args: tuple, constants: dict[str, Any], arch: str
) -> Specialization:
    """Returns what Triton would compile :obj:`kernel` for, given the arguments of a launch.

    Integers equal to 1 become constants, aligned pointers and multiples of 16 are marked.

    Args:
        kernel (JITFunction): The kernel.
        args (tuple): Its positional arguments: tensors, numbers, None.
        constants (dict): Keyword arguments and compiler options such as ``num_warps``.
        arch (str): ``sm_90``, ``gfx942``, ...
    """
    constants = OPTIONS | constants
    backend = make_backend(target_of(arch))
    binder = create_function_from_signature(kernel.signature, kernel.params, backend)
    bound, specialization, options = binder(*args, **constants)
    _, signature, values, attributes = kernel._pack_args(
        backend, dict(constants), bound, specialization, options
    )
    arguments = tuple(bound[name] for name, kind in signature.items() if kind != "constexpr")
    return Specialization(signature, values, attributes, arguments, tuple(sorted(options.items())))


class Compiled:
    """A compiled kernel.

    Args:
        result: The result of ``triton.compile``.
        arch (str): The architecture it was compiled for.
    """

    def __init__(self, result: Any, arch: str):
        self.asm: dict[str, Any] = {name: result.asm[name] for name in result.asm}
        self.arch = arch
        self.name: str = result.metadata.name
        self.num_warps: int = result.metadata.num_warps
        self.shared: int = result.metadata.shared  # bytes

    @property
    def ptx(self) -> str:
        return self.asm["ptx"]

    @property
    def cubin(self) -> bytes:
        return self.asm["cubin"]

    @functools.cached_property
    def sass(self) -> str:
        """The disassembled machine code."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "kernel.cubin"
            file.write_bytes(self.cubin)
            command = [TOOLS / "nvdisasm", "-c", file]
            return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    @functools.cached_property
    def resources(self) -> "Resources":
        """Registers, spills and memory that the compiled kernel needs."""
        if "amdgcn" in self.asm:
            return _amd_resources(self.asm["amdgcn"])
        return _nvidia_resources(self.ptx)

    @property
    def registers(self) -> int:
        return self.resources.registers

    @property
    def spills(self) -> int:
        return self.resources.spills

    @property
    def stack(self) -> int:
        return self.resources.stack


class Resources(NamedTuple):
    """Registers and memory that one thread of a kernel needs.

    Args:
        registers (int): Number of 32-bit registers; of vector registers on AMD.
        spills (int): Bytes that are stored to spill registers; number of spilled registers on AMD.
        stack (int): Bytes of stack.
    """

    registers: int
    spills: int
    stack: int


def _number(pattern: str, text: str) -> int:
    """Returns the number in a line that must be there."""
    found = re.search(pattern, text)
    if found is None:
        raise ValueError(f"expected {pattern!r} in the compiler's output, got {text!r}")
    return int(found.group(1))


def _nvidia_resources(ptx: str) -> Resources:
    name = re.search(r"\.target (sm_(\d+)\w*)", ptx)
    if name is None:
        raise ValueError("expected PTX with a .target")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "kernel.ptx"
        source.write_text(ptx)
        command = [
            *(nvidia.get_ptxas(int(name.group(2))).path, "-v", f"--gpu-name={name.group(1)}"),
            *(source, "-o", source.with_suffix(".cubin")),
        ]
        log = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    return Resources(
        registers=_number(r"Used (\d+) registers", log),
        spills=_number(r"(\d+) bytes spill stores", log),
        stack=_number(r"(\d+) bytes stack frame", log),
    )


def _amd_resources(text: str) -> Resources:
    return Resources(
        registers=_number(r"\.vgpr_count:\s+(\d+)", text),
        spills=_number(r"\.vgpr_spill_count:\s+(\d+)", text)
        + _number(r"\.sgpr_spill_count:\s+(\d+)", text),
        stack=_number(r"\.private_segment_fixed_size:\s+(\d+)", text),
    )


_COMPILED: dict[tuple[str, str, str], Compiled] = {}


def compile_specialized(kernel: JITFunction, wanted: Specialization, arch: str) -> Compiled:
    """Compiles a kernel; equal requests share a result, also across processes (Triton's cache)."""
    key = (kernel.cache_key, wanted.key(), arch)
    if key not in _COMPILED:
        source = ASTSource(kernel, wanted.signature, wanted.constants, wanted.attributes)
        result = compile(source, target=target_of(arch), options=dict(wanted.options))
        _COMPILED[key] = Compiled(result, arch)
    return _COMPILED[key]


def compile_call(
    kernel: JITFunction, *args: Any, arch: str = "sm_90", num_warps: int = 1, **constants: Any
) -> Compiled:
    """Compiles :obj:`kernel` for the arguments of a launch; nothing is run.

    Args:
        kernel (JITFunction): The kernel.
        args: Positional arguments of the launch: tensors of any device, numbers, None.
        arch (str): ``sm_90``, ``gfx942``, ...
        num_warps (int): Warps of a program.
        constants: Keyword arguments of the launch.
    """
    wanted = specialize(kernel, args, {"num_warps": num_warps, **constants}, arch)
    return compile_specialized(kernel, wanted, arch)


def compile_kernel(
    kernel: JITFunction,
    signature: dict[str, str],
    constants: dict[str, Any],
    arch: str = "sm_90",
    num_warps: int = 1,
    divisible: tuple[str, ...] = (),
    **options: Any,
) -> Compiled:
    """Compiles :obj:`kernel` for a signature; nothing is run.

    Args:
        kernel (JITFunction): The kernel.
        signature (dict): Type of each parameter that is no constant: ``*fp32``, ``i32``, ...
            Pointers are aligned to 16 bytes.
        constants (dict): Values of the other parameters.
        arch (str): ``sm_90``, ``gfx942``, ...
        num_warps (int): Warps of a program.
        divisible (tuple): Names of the integers that are multiples of 16.
        options: Other compiler options.
    """
    names = kernel.arg_names
    if unknown := {*signature, *constants} ^ set(names):
        raise ValueError(f"{kernel.__name__}: missing or unknown parameters: {sorted(unknown)}")
    kinds = {name: "constexpr" if name in constants else signature[name] for name in names}
    marked = [name for name, kind in kinds.items() if kind.startswith("*") or name in divisible]
    wanted = Specialization(
        signature=kinds,
        constants={(names.index(name),): value for name, value in constants.items()},
        attributes={(names.index(name),): [["tt.divisibility", 16]] for name in marked},
        arguments=(),
        options=tuple(sorted({**OPTIONS, "num_warps": num_warps, **options}.items())),
    )
    return compile_specialized(kernel, wanted, arch)
