"""Gives every intermediate of the host function its place in one arena.

    %h = memref.alloc() : memref<64x256xf32>       %0 = memref.view %arena[%c0][] : … to memref<64x256xf32>
    func.call @k0(%x, %h)                          func.call @k0(%x, %0)
    %d = memref.alloc() : memref<64x10xf32>   ->   %1 = memref.view %arena[%c65536][] : … to memref<64x10xf32>
    func.call @k1(%h, %d)                          func.call @k1(%0, %1)

A buffer lives from its first use to its last. In a loop or a branch, the uses of a buffer from outside make it live for
the whole of it; one allocated inside lives within an iteration, or from there on where a branch hands it out. Two
buffers may share bytes when they do not live at once. The offsets come from greedy first fit over a few orders (by
size, by lifetime, by time), of which the best is kept: the first is TensorFlow Lite's "greedy by size" (Pisarchyk and
Lee, Efficient Memory Management for Deep Neural Net Inference, MLSys 2020).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from xdsl.context import Context
from xdsl.dialects import arith, memref, scf
from xdsl.dialects.builtin import (
    ArrayAttr,
    DictionaryAttr,
    FunctionType,
    IndexType,
    IntegerAttr,
    MemRefType,
    ModuleOp,
    UnitAttr,
    i8,
)
from xdsl.dialects.func import FuncOp
from xdsl.ir import Block, Operation, SSAValue
from xdsl.passes import ModulePass

from ...dialects.marks import ARENA_ATTRIBUTE, KERNEL_ATTRIBUTE
from ...dialects.spmd import ParallelOp
from ...dialects.types import bytes_of
from ..interface import check_on_buffers
from ..pass_base import fail, functions
from ..utils.constants import constant_value

ALIGNMENT = 64


@dataclass(eq=False)
class PlannedBuffer:
    """An intermediate: its bytes, and the first and last moment it is needed at."""

    alloc: memref.AllocOp | memref.ViewOp
    """What makes it: an allocation, or after planning a view of the arena."""
    size: int
    first: int
    last: int
    offset: int = field(default=0, init=False)

    def meets(self, other: PlannedBuffer) -> bool:
        """Whether both live at some moment."""
        return self.first <= other.last and other.first <= self.last


class Moments:
    """Numbers the ops of a function, nested ones within the span of what contains them."""

    def __init__(self, function: FuncOp) -> None:
        self.span: dict[Operation, tuple[int, int]] = {}
        self.now = 0
        self._visit(function.body.block)

    def _visit(self, block: Block) -> None:
        for op in block.ops:
            begin = self.now
            self.now += 1
            for region in op.regions:
                for inner in region.blocks:
                    self._visit(inner)
            self.span[op] = (begin, self.now)
            self.now += 1

    def within(self, op: Operation, block: Block | None) -> tuple[int, int]:
        """When `op` runs, seen from `block`: all of the loop or branch that holds it. A team runs its region once."""
        while op.parent is not block:
            parent = op.parent_op()
            assert parent is not None, "a buffer is used where it is visible"
            if isinstance(parent, ParallelOp) and parent.parent is block:
                break
            op = parent
        return self.span[op]

    def needed(self, made: Operation, user: Operation) -> tuple[int, int]:
        """When `user` needs what `made` makes; if carried out of a loop or a branch, from the start of that."""
        block = made.parent
        while not _is_inside(user, block):
            assert block is not None
            parent = block.parent_op()
            assert parent is not None, "a buffer is used where it is visible"
            block = parent.parent
        first, last = self.within(user, block)
        return (first if block is made.parent else self.within(made, block)[0]), last


def aliases(value: SSAValue) -> list[SSAValue]:
    """A buffer and every value that may show its bytes: views, and what loops and branches carry."""
    found: dict[SSAValue, None] = {value: None}
    pending = [value]
    while pending:
        for use in pending.pop().uses:
            more: Sequence[SSAValue] = ()
            user = use.operation
            if isinstance(
                user,
                memref.ReinterpretCastOp
                | memref.CastOp
                | memref.SubviewOp
                | memref.CollapseShapeOp
                | memref.ExpandShapeOp,
            ):
                more = user.results
            elif isinstance(user, scf.ForOp) and use.index >= 3:
                more = (user.body.block.args[use.index - 2], user.results[use.index - 3])
            elif isinstance(user, scf.YieldOp):
                parent = user.parent_op()
                assert parent is not None
                carried = [parent.body.block.args[use.index + 1]] if isinstance(parent, scf.ForOp) else []
                more = [parent.results[use.index], *carried]
            for alias in more:
                if alias not in found:
                    found[alias] = None
                    pending.append(alias)
    return list(found)


def buffers_of(function: FuncOp) -> list[PlannedBuffer]:
    """The intermediates of a host function, planned or not, with their lifetimes."""
    moments = Moments(function)
    found: list[PlannedBuffer] = []
    for op in function.walk():
        if not isinstance(op, memref.AllocOp | memref.ViewOp):
            continue
        spans = [moments.needed(op, use.operation) for alias in aliases(op.results[0]) for use in alias.uses]
        first, last = (min(s[0] for s in spans), max(s[1] for s in spans)) if spans else (0, -1)
        buffer = PlannedBuffer(op, bytes_of(op.results[0].type), first, last)
        if isinstance(op, memref.ViewOp):
            buffer.offset = constant_value(op.operands[1]) or 0
        found.append(buffer)
    return found


def _is_inside(op: Operation, block: Block | None) -> bool:
    while op.parent is not block:
        parent = op.parent_op()
        if parent is None:
            return False
        op = parent
    return True


def _check_rounds(buffer: PlannedBuffer) -> None:
    """Fails on a buffer that a round of a loop makes and the next one reads: both rounds' would be the same bytes."""
    values = set(aliases(buffer.alloc.results[0]))
    op: Operation | None = buffer.alloc
    while op is not None:
        loop = op.parent_op()
        if isinstance(loop, scf.ForOp) and not values.isdisjoint(loop.body.block.args[1:]):
            fail(buffer.alloc, "a buffer made in a loop is carried to the next round: carry one that is made outside")
        op = loop


ORDERS: tuple[Callable[[PlannedBuffer], tuple[int, ...]], ...] = (
    lambda b: (-b.size, b.first),
    lambda b: (b.first - b.last, -b.size),
    lambda b: (-b.size * (b.last - b.first + 1), b.first),
    lambda b: (b.first, -b.size),
    lambda b: (-b.last, -b.size),
)


def place(buffers: Sequence[PlannedBuffer]) -> int:
    """Sets the offsets and returns the arena's size."""
    best: tuple[int, list[int]] | None = None
    for order in ORDERS:
        placed: list[PlannedBuffer] = []
        for buffer in sorted(buffers, key=order):
            buffer.offset = _first_fit(buffer, placed)
            placed.append(buffer)
        size = max((b.offset + b.size for b in buffers), default=0)
        if best is None or size < best[0]:
            best = (size, [b.offset for b in buffers])
    assert best is not None
    for buffer, offset in zip(buffers, best[1]):
        buffer.offset = offset
    return best[0]


def _first_fit(buffer: PlannedBuffer, placed: Sequence[PlannedBuffer]) -> int:
    offset = 0
    for other in sorted((b for b in placed if b.meets(buffer)), key=lambda b: b.offset):
        if other.offset - offset >= buffer.size:
            break
        offset = max(offset, _aligned(other.offset + other.size))
    return offset


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def peak(buffers: Sequence[PlannedBuffer]) -> int:
    """The largest sum of sizes that live at one moment: no plan can do with less."""
    moments = sorted({b.first for b in buffers})
    return max((sum(b.size for b in buffers if b.first <= now <= b.last) for now in moments), default=0)


def plan(function: FuncOp) -> None:
    """Replaces the allocations of one host function by views of a new argument, the arena."""
    if any(ARENA_ATTRIBUTE in entry.data for entry in function.arg_attrs or ()):
        return
    buffers = buffers_of(function)
    size = place(buffers) if buffers else 0
    block = function.body.block
    for buffer in buffers:
        _check_rounds(buffer)
    arena = block.insert_arg(MemRefType(i8, [_aligned(size)]), len(block.args))
    arena.name_hint = "arena"
    constants: dict[int, SSAValue] = {}
    for buffer in buffers:
        alloc = buffer.alloc
        if buffer.offset not in constants:
            constant = arith.ConstantOp(IntegerAttr(buffer.offset, IndexType()))
            first = block.first_op
            assert first is not None
            block.insert_op_before(constant, first)
            constants[buffer.offset] = constant.result
        view = memref.ViewOp.create(
            operands=[arena, constants[buffer.offset]],
            result_types=[alloc.results[0].type],
            location=alloc.location,
        )
        view.results[0].name_hint = alloc.results[0].name_hint
        parent = alloc.parent
        assert parent is not None
        parent.insert_op_before(view, alloc)
        alloc.results[0].replace_all_uses_with(view.results[0])
        alloc.detach()
        alloc.erase()
    function.function_type = FunctionType.from_lists([a.type for a in block.args], [])
    entries = list(function.arg_attrs or [DictionaryAttr({})] * (len(block.args) - 1))
    function.arg_attrs = ArrayAttr([*entries, DictionaryAttr({ARENA_ATTRIBUTE: UnitAttr()})])


@dataclass(frozen=True)
class PlanMemory(ModulePass):
    """See the module's text."""

    name = "plan-memory"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        check_on_buffers(op)
        for function in functions(op):
            if KERNEL_ATTRIBUTE not in function.attributes:
                plan(function)
