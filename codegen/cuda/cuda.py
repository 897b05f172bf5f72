"""From a module at the gpu level to CUDA C: a kernel for each `gpu.func`.

    extern "C" __global__ void __launch_bounds__(256) softmax(const float (*__restrict__ x)[1000], …)

`print_cuda` gives the units, `CudaProgram.one_file()` all of it as a readable file that nvcc takes as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from xdsl.dialects import gpu
from xdsl.dialects.builtin import DenseArrayBase, MemRefType, ModuleOp
from xdsl.ir import Operation, SSAValue

from ...dialects.locations import blamed_on, describe
from ..c import definition, is_written, signature, text_of
from ..expr import CExpr
from ..names import RESERVED, Names
from ..printer import Rule, comment_text
from ..types import CodegenError, c_type
from .header import with_header
from .rules import ALIGNMENT, CUDA, CudaPrinter, team_memory

_WORDS = """threadIdx blockIdx blockDim gridDim warpSize DEVICE LANES CHECK_VECTOR THREAD_OF_BLOCK vec splat same
    team_memory bits_as larger smaller larger_num smaller_num shuffled sync_first sync_these
    Sum Product AllOf AnyOf OddOf Largest Smallest LargestNum
    SmallestNum FirstLargest FirstSmallest Recurrence Pair pair Word Scanned dim3 uint3 rsqrtf rsqrt min max
    clock norm rhypot saturate cospi sinpi normcdf"""
WORDS = tuple(_WORDS.split())
"""What CUDA and the header give a meaning to."""

COLLECTIVE = re.compile(
    r"\b__syncthreads\b|\bsync_first<|\bblock_\w+<|\b\w+_sync\b|\bcopy_async|\bload_matrices|\bmma_"
)
"""What threads wait for one another in."""


@dataclass(frozen=True)
class Kernel:
    """One kernel in CUDA C, and what a launch needs to know of it."""

    name: str
    comment: str
    prototype: str
    body: str
    grid: tuple[int, int, int]
    block: tuple[int, int, int]
    shared: int
    """Bytes of team memory that the launch has to give."""
    parameters: tuple[str, ...]
    written: tuple[bool, ...]
    """Of each parameter, whether the kernel may write to it."""
    types: tuple[str, ...]
    """Of each parameter, the type of its elements."""

    @property
    def function(self) -> str:
        """The function with its comment."""
        return definition(self.comment, self.prototype, self.body)

    @property
    def source(self) -> str:
        """The whole of a file that has no other kernel."""
        return with_header(self.function)

    @property
    def collective(self) -> bool:
        """Whether its threads wait for one another."""
        return COLLECTIVE.search(self.body) is not None


@dataclass(frozen=True)
class CudaProgram:
    """The kernels of a module, by the symbols of their functions."""

    kernels: Mapping[str, Kernel]

    def one_file(self) -> str:
        """All of it as one file."""
        text = "\n".join(kernel.function for kernel in self.kernels.values())
        return f"// nvcc -arch=sm_80 -cubin\n\n{with_header(text)}"


def kernel_functions(module: ModuleOp) -> list[gpu.FuncOp]:
    """The functions of a module's `gpu.module`s: kernels, each of which is one launch."""
    modules = [op for op in module.body.block.ops if isinstance(op, gpu.ModuleOp)]
    return [op for inner in modules for op in inner.body.block.ops if isinstance(op, gpu.FuncOp)]


def kernel_names(functions: Iterable[gpu.FuncOp]) -> dict[str, str]:
    """The names of kernels in CUDA C, by symbol."""
    names = Names((*RESERVED, *WORDS))
    return {f.sym_name.data: names.fresh(f.sym_name.data) for f in functions}


def print_cuda(module: ModuleOp, rules: Mapping[type[Operation], Rule] = CUDA) -> CudaProgram:
    """The CUDA C of a module at the gpu level."""
    functions = kernel_functions(module)
    names = kernel_names(functions)
    return CudaProgram({f.sym_name.data: print_kernel(f, names[f.sym_name.data], rules) for f in functions})


def print_kernel(function: gpu.FuncOp, name: str, rules: Mapping[type[Operation], Rule] = CUDA) -> Kernel:
    """One kernel."""
    with blamed_on(function):
        return _print_kernel(function, name, rules)


def _print_kernel(function: gpu.FuncOp, name: str, rules: Mapping[type[Operation], Rule]) -> Kernel:
    if len(function.body.blocks) != 1:
        raise CodegenError(f"no CUDA for @{name}: expected one basic block, given {len(function.body.blocks)}")
    p = CudaPrinter(rules, Names((name, *WORDS)))
    p.block_size = _extents(function, "known_block_size")
    p.dynamic, shared = team_memory(function)
    block = function.body.block
    made = [_parameter(p, argument) for argument in block.args]
    if shared:
        p.line(f"extern __shared__ __align__({ALIGNMENT}) char team_memory[];")
    p.block(block)
    head = f'extern "C" __global__ void __launch_bounds__({p.threads_of_block}) {name}'
    return Kernel(
        name,
        comment_text(describe(function.location)),
        signature(head, [text for text, _, _ in made]),
        text_of(p),
        _extents(function, "known_grid_size"),
        p.block_size,
        shared,
        tuple(name for _, name, _ in made),
        tuple(is_written(argument) for argument in block.args),
        tuple(type_ for _, _, type_ in made),
    )


def _extents(function: gpu.FuncOp, which: str) -> tuple[int, int, int]:
    known = function.known_block_size if which == "known_block_size" else function.known_grid_size
    if not isinstance(known, DenseArrayBase):
        raise CodegenError(
            f"no CUDA for @{function.sym_name.data}: expected gpu.{which}, which says how it is launched"
        )
    x, y, z = (int(n) for n in (*known.get_values(), 1, 1)[:3])
    return x, y, z


def _parameter(p: CudaPrinter, argument: SSAValue) -> tuple[str, str, str]:
    """`const float (*__restrict__ x)[784]`, its name, and the type of its elements."""
    if isinstance(argument.type, MemRefType):
        made = p.add_array(argument)
        text = made.pointer(f"__restrict__ {made.name}", const=not is_written(argument))
        return text, made.name, made.element
    name, type_ = p.names.fresh(argument.name_hint or "x"), c_type(argument.type)
    p.values[argument] = CExpr(name)
    return f"{type_} {name}", name, type_
