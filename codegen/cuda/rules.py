"""How CUDA C differs from C, op by op: an overlay on the table `C`.

gpu.thread_id x                                  const long t = threadIdx.x;
memref.alloca() {spmd.space = team}              __shared__ float row[1000];
gpux.reduce maximumf %m                    ->    const float max = block_largest<256>(m);
spmd.barrier {scope = block}                     __syncthreads();
spmd.single {…} attributes {scope = block}       if (threadIdx.x == 0) …
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import ClassVar

from xdsl.dialects import arith, func, gpu, math, memref, vector
from xdsl.dialects.builtin import DYNAMIC_INDEX, IntegerAttr, IntegerType, i32
from xdsl.ir import Operation, SSAValue

from ...dialects import gpux, spmd, vectorx
from ...dialects.types import element_of, is_vector, memref_of
from ..arithmetic import INTEGER_BINARY, print_integer_binary
from ..c import C
from ..control import print_single
from ..conversions import print_bitcast
from ..conversions import print_index_cast as print_any_index_cast
from ..expr import CExpr, call, cast
from ..memory import element_bytes
from ..printer import Printer, Rule, is_cheap_index
from ..types import SIGNED, UNSIGNED, Array, CodegenError, c_type, is_mask, scalar_type
from ..vectors import REDUCTIONS

LARGEST_PRIVATE = 64 << 10
"""Bytes; what does not fit into registers is memory of each thread."""
LARGEST_STATIC = 46 << 10
"""Bytes of team memory that a kernel may declare by itself, beside what reductions need: 48 KB in all."""
ALIGNMENT = 16
"""Of team memory, for the widest access."""


class CudaPrinter(Printer):
    """A printer that spells as CUDA C what is not the same in C."""

    UNROLL = "#pragma unroll {}"
    DIMENSIONS: ClassVar = "xyz"

    block_size: tuple[int, ...] = (1, 1, 1)
    """Of the kernel that is printed."""
    dynamic: dict[Operation, int]
    """Where in the dynamic team memory an allocation lies, in bytes; the others are static."""

    def as_pointer(self, made: Array, text: str) -> str:
        """C++ converts no pointers by itself."""
        return f"({made.pointer('').strip()}){text}"

    @property
    def threads_of_block(self) -> int:
        """How many threads a block has."""
        return prod(self.block_size)

    def threads_that_meet(self, op: Operation) -> int:
        """How many threads of a block, the first, wait for one another at an operation."""
        given = op.attributes.get(gpux.THREADS)
        return given.value.data if isinstance(given, IntegerAttr) else self.threads_of_block


def team_memory(function: gpu.FuncOp) -> tuple[dict[Operation, int], int]:
    """Where the allocations lie in the dynamic team memory, and its bytes; nothing where all are static."""
    places: dict[Operation, int] = {}
    used = 0
    for op in function.walk():
        if isinstance(op, memref.AllocOp) and is_team(op):
            places[op] = used
            used += -(-_bytes(op) // ALIGNMENT) * ALIGNMENT
    return (places, used) if used > LARGEST_STATIC else ({}, 0)


def is_team(op: memref.AllocOp) -> bool:
    """Whether an allocation is shared by the threads of a block."""
    space = op.attributes.get(spmd.SPACE)
    return isinstance(space, spmd.SpaceAttr) and space.data is spmd.Space.TEAM


def _bytes(op: memref.AllocaOp | memref.AllocOp) -> int:
    type_ = op.memref.type
    if DYNAMIC_INDEX in type_.get_shape():
        raise CodegenError(f"no CUDA for {op.name} of {type_}: arrays have a fixed size", op.location)
    return prod(type_.get_shape()) * element_bytes(type_.element_type)


def print_id(p: Printer, op: gpu.BlockIdOp | gpu.ThreadIdOp | gpu.BlockDimOp | gpu.GridDimOp) -> None:
    """`const long t = threadIdx.x;`: these are unsigned ints, which indices must not be computed in."""
    if op.result.first_use is None:
        return
    word, hint = _IDS[type(op)]
    name = p.names.fresh(op.result.name_hint or hint)
    type_ = "int" if _is_counted_in_32_bits(op.result) else "long"
    p.line(f"const {type_} {name} = {word}.{op.dimension.data.value};")
    p.values[op.result] = CExpr(name)


def _is_counted_in_32_bits(number: SSAValue) -> bool:
    """Whether the number of a thread or a block, which has 32 bits, is only used as such."""
    return all(isinstance(use.operation, arith.IndexCastOp) for use in number.uses) and all(
        use.operation.results[0].type == i32 for use in number.uses
    )


def print_index_cast(p: Printer, op: arith.IndexCastOp) -> None:
    """Nothing, of a number of 32 bits to the index of an access: C widens it where it is added to an address."""
    source = op.input.owner
    if isinstance(source, tuple(_IDS)) and _is_counted_in_32_bits(op.input):
        p.values[op.result] = p.use(op.input)
    elif op.input.type != i32 or any(use.operation.name.startswith("arith.") for use in op.result.uses):
        print_any_index_cast(p, op)
    else:
        expr, user = p.use(op.input), op.result.get_user_of_unique_use()
        alone = user is not None and user.parent is op.parent
        if not (alone or expr.is_atom or is_cheap_index(expr, op.result)):
            expr = p.named(op.input, expr)
        p.define(op.result, expr)


_IDS: dict[type[Operation], tuple[str, str]] = {
    gpu.BlockIdOp: ("blockIdx", "block"), gpu.ThreadIdOp: ("threadIdx", "thread"),
    gpu.BlockDimOp: ("blockDim", "threads"), gpu.GridDimOp: ("gridDim", "blocks"),
}  # fmt: skip


def print_block_barrier(p: Printer, op: spmd.BarrierOp) -> None:
    """`__syncthreads();`, or `sync_first<128>();` where the other threads of the block have nothing to do."""
    assert isinstance(p, CudaPrinter)
    if spmd.scope_of(op) is not spmd.Scope.BLOCK:
        raise CodegenError("no CUDA for a barrier of the grid: it is where a launch ends", op.location)
    count = p.threads_that_meet(op)
    p.effect("__syncthreads();" if count == p.threads_of_block else f"sync_first<{count}>();")


def print_one_thread(p: Printer, op: spmd.SingleOp) -> None:
    """`if (threadIdx.x == 0)`"""
    assert isinstance(p, CudaPrinter)
    dimensions = [d for d, extent in zip(p.DIMENSIONS, p.block_size) if extent > 1] or ["x"]
    numbers = [f"threadIdx.{d}" for d in dimensions]
    if spmd.scope_of(op) is spmd.Scope.GRID:
        numbers += [f"blockIdx.{d}" for d in p.DIMENSIONS]
    p.thread = " + ".join(numbers)
    print_single(p, op)


COLLECTIVES = {
    **{kind: name for kind, (name, _) in REDUCTIONS.items()},
    **{f"first_{kind}": f"first_{REDUCTIONS[kind][0]}" for kind in gpux.FIRST},
    "recurrence": "recurrence",
}
"""By kind: the primitive for a block."""


def print_collective(p: Printer, op: gpux.CollectiveOp) -> None:
    """`const float max = block_largest<256>(m);`, `const Scanned<double> all = block_running_sum<256>(x);`"""
    assert isinstance(p, CudaPrinter)
    kind, types = op.kind.data, [value.type for value in op.values]
    if kind not in COLLECTIVES or any(map(is_vector, types)):
        raise CodegenError(f"no CUDA for {op.name} {kind} of {', '.join(map(str, types))}")
    if is_mask(types[0]):
        kind = {"add": "xor", "mul": "and"}.get(kind, kind)
    names = SIGNED if kind.endswith("si") else UNSIGNED if kind.endswith("ui") else {}
    scalars = [scalar_type(type_) for type_ in types]
    compared = [names.get(scalars[0], scalars[0]), *scalars[1:]]
    values = [
        cast(to, value) if value.constant or to != scalar else value  # a literal has a type of its own
        for value, to, scalar in zip((p.use(value) for value in op.values), compared, scalars, strict=True)
    ]
    p.flush_reads()
    scans = isinstance(op, gpux.ScanOp)
    function = f"block_{'running_' if scans else ''}{COLLECTIVES[kind]}<{p.threads_that_meet(op)}>"
    combined = call(function, values[0] if len(values) == 1 else call("pair", *values))
    if all(result.first_use is None for result in op.res):
        p.line(f"{combined.text};")
        return
    made = compared[0] if len(values) == 1 else f"Pair<{', '.join(compared)}>"
    if len(op.res) == 1 and compared != scalars:
        made, combined, compared = scalars[0], cast(scalars[0], combined), scalars
    name = p.new_name(op.res[0], scalars[0])
    p.line(f"const {f'Scanned<{made}>' if scans else made} {name} = {combined.text};")
    parts = [f"{name}.{part}" for part in ("upto", "all")] if scans else [name]
    if len(values) > 1:
        parts = [f"{whole}.{part}" for whole in parts for part in ("first", "second")]
    for result, part in zip(op.res, parts, strict=True):
        p.values[result] = CExpr(part) if compared == scalars else cast(scalar_type(result.type), CExpr(part))


def print_round_to_tf32(p: Printer, op: gpux.RoundToTF32Op) -> None:
    """`(int)round_to_tf32(x)`"""
    p.define(op.result, cast("int", call("round_to_tf32", p.use(op.value))))


def print_mma(p: Printer, op: gpux.MmaOp) -> None:
    """`mma_tf32(sums[i][j], (const u32 (&)[4])a[i], b[j][0], b[j][1]);`"""

    def part(buffer: SSAValue, indices: Sequence[SSAValue]) -> str:
        return p.arrays[buffer].name + "".join(f"[{p.use(index).text}]" for index in indices)

    b = part(op.b, op.b_indices)
    a, sums = part(op.a, op.a_indices), part(op.sums, op.sums_indices)
    p.effect(f"mma_tf32({sums}, (const u32 (&)[4]){a}, (u32){b}[0], (u32){b}[1]);")


def print_private(p: Printer, op: memref.AllocaOp) -> None:
    """A thread's own memory: a local array."""
    type_ = op.memref.type
    if _bytes(op) > LARGEST_PRIVATE:
        raise CodegenError(f"no CUDA for memref.alloca of {type_}: a thread has at most {LARGEST_PRIVATE} bytes")
    if op.memref.first_use is None:
        return
    made = p.add_array(op.memref, variable=not type_.get_shape())
    align = f"__align__({ALIGNMENT}) " if _in_vectors(op.memref) else ""
    p.line(f"{align}{made.element} {made.name}{_extents(op.memref)};")


def print_team(p: Printer, op: memref.AllocOp) -> None:
    """`__shared__ float row[1000];`, or a part of what the launch gives where that would be too much."""
    assert isinstance(p, CudaPrinter)
    if not is_team(op):
        raise CodegenError("no CUDA for memref.alloc of global memory in a kernel")
    if op.memref.first_use is None:
        return
    made = p.add_array(op.memref, variable=not op.memref.type.get_shape())
    extents = _extents(op.memref)
    if op not in p.dynamic:
        p.line(f"__shared__ __align__({ALIGNMENT}) {made.element} {made.name}{extents};")
        return
    place = f" + {p.dynamic[op]}" if p.dynamic[op] else ""
    p.line(f"{made.element} (&{made.name}){extents} = *({made.element} (*){extents})(team_memory{place});")


def _extents(value: SSAValue) -> str:
    return "".join(f"[{n}]" for n in memref_of(value).get_shape())


def _in_vectors(value: SSAValue) -> bool:
    """Whether several elements are read or written at once."""
    if is_vector(memref_of(value).element_type):
        return False
    return any(isinstance(use.operation, vector.LoadOp | vector.StoreOp) for use in value.uses)


def print_wrapping(p: Printer, op: Operation) -> None:
    """`add_i32(x, y)`: nvcc takes signed overflow for impossible, and has no flag against that. Indices do not
    overflow, and operators of vectors wrap by themselves."""
    type_ = op.results[0].type
    if is_vector(type_) or not isinstance(type_, IntegerType) or type_.bitwidth not in (32, 64) or _is_exact(op):
        print_integer_binary(p, op)
        return
    name = {"+": "add", "-": "sub", "*": "mul"}[INTEGER_BINARY[type(op)]]
    a, b = (p.use(o) for o in op.operands)
    p.define(op.results[0], call(f"{name}_i{type_.bitwidth}", a, b))


def _is_exact(op: Operation) -> bool:
    """Whether the result is known to need no more bits than it has."""
    flags = op.properties.get("overflowFlags")
    return isinstance(flags, arith.IntegerOverflowAttr) and arith.IntegerOverflowFlag.NSW in flags.data


def print_vector_bitcast(p: Printer, op: arith.BitcastOp | vector.BitcastOp) -> None:
    """`bits_v4i(x)`"""
    source, target = op.operands[0].type, op.results[0].type
    if not is_vector(target):
        print_bitcast(p, op)
        return
    if is_mask(element_of(source)) or is_mask(element_of(target)):
        raise CodegenError(f"no CUDA for {op.name} of {source} to {target}")
    p.define(op.results[0], call(f"bits_{c_type(target)}", p.vector(op.operands[0])))


def print_rsqrt(p: Printer, op: math.RsqrtOp) -> None:
    """`rsqrtf(x)`"""
    type_ = op.result.type
    scalar = scalar_type(element_of(type_))
    name = f"rsqrt_{c_type(type_)}" if is_vector(type_) else "rsqrtf" if scalar == "float" else "rsqrt"
    p.define(op.result, call(name, p.vector(op.operand)))


def print_end(p: Printer, op: gpu.ReturnOp) -> None:
    """A kernel returns nothing."""


CPU_ONLY = (
    func.CallOp, func.ReturnOp, memref.CopyOp, vector.ShuffleOp, vectorx.TransposeOp, spmd.ParallelOp,
    spmd.PrefetchOp, spmd.ShareOp, spmd.StopOnErrorOp, spmd.ThreadCountOp, spmd.ThreadIdOp,
)  # fmt: skip
"""What the passes for a GPU leave none of."""

CUDA: dict[type[Operation], Rule] = {
    **{op: rule for op, rule in C.items() if op not in CPU_ONLY},
    **dict.fromkeys(_IDS, print_id),
    **dict.fromkeys(INTEGER_BINARY, print_wrapping),
    arith.IndexCastOp: print_index_cast,
    **dict.fromkeys((arith.BitcastOp, vector.BitcastOp), print_vector_bitcast),
    math.RsqrtOp: print_rsqrt,
    spmd.BarrierOp: print_block_barrier,
    spmd.SingleOp: print_one_thread,
    **dict.fromkeys((gpux.ReduceOp, gpux.ScanOp), print_collective),
    gpux.RoundToTF32Op: print_round_to_tf32,
    gpux.MmaOp: print_mma,
    memref.AllocaOp: print_private,
    memref.AllocOp: print_team,
    gpu.ReturnOp: print_end,
}
"""How each op is printed as CUDA C."""
