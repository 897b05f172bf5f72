"""Lets a thread take several neighbours, and read and write these at once.

    scf.for %i = %c0 to %c1002 step %c1 {                 scf.for %i = %c0 to %c1002 step %c4 {
      %a = memref.load %x[%i]                               scf.if %i + 4 <= 1002 {
      %b = math.exp %a                                        %x4, %y4 = memref.alloca() : memref<4xf32>
      memref.store %b, %y[%i]                                 vector.store (vector.load %x[%i]), %x4[0]
    } {parallel}                                   ->         scf.for %lane = %c0 to %c4 step %c1 {
                                                                %a = memref.load %x4[%lane]
                                                                %b = math.exp %a
                                                                memref.store %b, %y4[%lane]
                                                              } {unroll}
                                                              vector.store (vector.load %y4[0]), %y[%i]
                                                            } else {
                                                              scf.for %j = %i to %c1002 step %c1 { … as it was … }
                                                            }
                                                          } {parallel}

The arrays of lanes are registers, since loops over them are unrolled. So many neighbours make an access of
`vector_bits` for the widest elements; the others' accesses are narrower. Taken are elementwise nests at the top of a
kernel, where the innermost counter is the last index of an access and the address of the first lane is known to be a
multiple of what is accessed, of buffers that are not touched elsewhere while they are written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from xdsl.context import Context
from xdsl.dialects import arith, memref, scf, vector
from xdsl.dialects.builtin import ModuleOp, NoneAttr, UnitAttr
from xdsl.dialects.func import FuncOp
from xdsl.ir import Block, Operation, SSAValue
from xdsl.passes import ModulePass

from ....dialects.locations import blamed_on
from ....dialects.spmd import Space
from ....dialects.types import memref_of
from ...interface import check_on_buffers
from ...options import vector_width
from ...pass_base import kernels
from ...target import GPUS, Profitability, default_profitability
from ...utils.affine import growth
from ...utils.constants import Constants, constant_value, memref_type, vector_type
from ...utils.emitter import Emitter
from ...utils.memory import Access, access, accesses, ancestor_in, by_root, element_bytes, space_of
from ...utils.nest_emitter import NO_OPERANDS
from .alignment import alignment_of, argument_alignments
from .bands import Band, band_of

__all__ = ["WidenAccesses"]

_SLE = 3
_LEAST_BITS = 32
"""Of an element that decides how many lanes there are: more would take too many registers."""


@dataclass(frozen=True)
class WidenAccesses(ModulePass):
    """Accesses to single elements in elementwise loops of kernels -> accesses to `vector_bits` at once."""

    name = "widen-accesses"
    vector_bits: int = vector_width(GPUS["sm_80"].vector_bits)
    profitability: Profitability = field(default_factory=default_profitability)

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        check_on_buffers(op)
        alignments = argument_alignments(op)
        for kernel in kernels(op):
            with blamed_on(kernel):
                self.widen(kernel, alignments)

    def widen(self, kernel: FuncOp, alignments: dict[SSAValue, int]) -> None:
        """Rewrites the nests at the top of a kernel that it pays for."""
        constants = Constants(kernel)
        for op in list(kernel.body.block.ops):
            band = band_of(op) if isinstance(op, scf.ForOp) else None
            if band is None or band.inner_loops():
                continue
            strips = _Strips(band, alignments, self.vector_bits)
            if strips.wide and self.profitability.takes_neighbours(band.points // strips.lanes):
                strips.rewrite(constants)


Key = tuple[SSAValue, tuple[SSAValue, ...]]
"""A buffer, and the indices of what is accessed."""


class _Strips:
    """An elementwise nest, and which of its accesses may be of several lanes."""

    def __init__(self, band: Band, alignments: dict[SSAValue, int], bits: int) -> None:
        self.band, self.loop, self.alignments = band, band.loops[-1], alignments
        self.low, self.high, step = band.ranges[-1]
        self.counter = self.loop.body.block.args[0]
        self.lanes = 1
        self.wide: dict[Key, list[Access]] = {}
        found = [item for item in accesses([self.loop]) if space_of(item.buffer) is Space.GLOBAL]
        candidates = [items for items in by_root(found).values() if step == 1 and not self.meets_others(items)]
        near = [item for items in candidates for item in items if self.is_next(item)]
        if near:
            self.lanes = bits // max(_LEAST_BITS, *(8 * element_bytes(item.buffer) for item in near))
        if self.lanes > 1 and self.low % self.lanes == 0 and self.high - self.low >= self.lanes:
            self.choose(found, near)

    def meets_others(self, items: list[Access]) -> bool:
        """Whether a buffer is written, and accessed in more than one way: then the order of accesses counts."""
        return any(item.writes for item in items) and (
            len({(item.buffer, item.indices) for item in items}) > 1
            or any(item.op.parent is not self.loop.body.block for item in items)
        )

    def is_next(self, item: Access) -> bool:
        """Whether the next round accesses the next element; what is known outside of the loop says of which row."""
        if item.op.parent is not self.loop.body.block or access(item.op) is None or not item.indices:
            return False
        plain = isinstance(item.op, memref.LoadOp | memref.StoreOp)
        layout = isinstance(memref_of(item.buffer).layout, NoneAttr)
        return plain and layout and self.offset(item) is not None and all(map(self.is_outside, item.indices[:-1]))

    def offset(self, item: Access) -> int | None:
        """How far the last index is from the counter."""
        last = item.indices[-1]
        if last is self.counter:
            return 0
        if isinstance(last.owner, arith.AddiOp) and last.owner.lhs is self.counter:
            return constant_value(last.owner.rhs)
        return None

    def is_outside(self, value: SSAValue) -> bool:
        """Whether a value is made outside of the innermost loop."""
        around: Operation | None = value.owner if isinstance(value.owner, Operation) else value.owner.parent_op()
        return around is not None and not self.loop.is_ancestor(around)

    def choose(self, found: list[Access], near: list[Access]) -> None:
        """Groups the accesses that may be wide; none where too many others would be made worse."""
        wide: dict[Key, list[Access]] = {}
        for item in near:
            if self.is_aligned(item):
                wide.setdefault((item.buffer, item.indices), []).append(item)
        chosen = {item.op for items in wide.values() for item in items}
        others = [item for item in found if item.op not in chosen and not self.is_same(item)]
        if len(others) <= len(wide) and not any(self.follows(item) for item in others):
            self.wide = wide

    def is_same(self, item: Access) -> bool:
        """Whether all rounds access the same element."""
        return all(growth(index, self.counter) == 0 for index in item.indices)

    def follows(self, item: Access) -> bool:
        """Whether the rounds access one element after the other: neighbours read neighbours, one at a time."""
        return bool(item.indices) and growth(item.indices[-1], self.counter) == 1

    def is_aligned(self, item: Access) -> bool:
        """Whether the first lane's address is a multiple of what is accessed, in every strip."""
        size = self.lanes * element_bytes(item.buffer)
        if alignment_of(item.buffer, self.alignments) % size or (self.offset(item) or 0) % self.lanes:
            return False
        stride = 1
        for index, extent in zip(reversed(item.indices[:-1]), reversed(memref_of(item.buffer).get_shape()[1:])):
            stride *= extent
            if stride % self.lanes and constant_value(index) != 0:
                return False
        return True

    def rewrite(self, constants: Constants) -> None:
        """Makes strips of the innermost loop."""
        loop, body = self.loop, self.loop.body.block
        ragged = (self.high - self.low) % self.lanes != 0
        rest = loop.clone() if ragged else None
        ops = [op for op in body.ops if not isinstance(op, scf.YieldOp)]
        e = Emitter(constants, body, body.last_op, loop.location)
        loop.operands = [loop.lb, loop.ub, e.index(self.lanes)]
        if rest is None:
            self.strip(e, ops)
            return
        whole = e.compare(_SLE, e.add(self.counter, e.index(self.lanes)), e.index(self.high))
        branch = e.if_(whole)
        branch.regions[1].add_block(Block())
        inside, behind = (e.inside(region.block) for region in branch.regions)
        self.strip(inside, ops)
        inside.yield_()
        rest.operands = [self.counter, rest.ub, rest.step]
        rest.attributes = {}
        behind.insert(rest)
        behind.yield_()

    def strip(self, e: Emitter, ops: Sequence[Operation]) -> None:
        """What a thread does with so many neighbours."""
        zero = e.index(0)
        lanes: dict[Key, SSAValue] = {}
        starts: dict[Key, list[SSAValue]] = {}
        for key, items in self.wide.items():
            buffer, indices = key
            element = memref_of(buffer).element_type
            first = e.add(self.counter, e.index(self.offset(items[0]) or 0))
            starts[key] = [buffer, *indices[:-1], first]
            type_ = memref_type(element, (self.lanes,))
            made = e.create(memref.AllocaOp, [], [type_], {"operandSegmentSizes": NO_OPERANDS}).results[0]
            made.name_hint = buffer.name_hint
            lanes[key] = made
            if not items[0].writes:
                loaded = e.op(vector.LoadOp, *starts[key], type=vector_type(self.lanes, element))
                e.create(vector.StoreOp, [loaded, made, zero])
        inner = e.loop(zero, e.index(self.lanes), e.index(1), attributes={"unroll": UnitAttr()}, name="lane")
        inside = e.inside(inner.body.block)
        point = inside.add(self.counter, inner.body.block.args[0])
        point.name_hint = self.counter.name_hint
        moved = set(ops)
        self.counter.replace_uses_with_if(point, lambda use: ancestor_in(use.operation, self.loop.body.block) in moved)
        for op in ops:
            op.detach()
            inside.insert(op)
        inside.yield_()
        for key, items in self.wide.items():
            for item in items:
                self.in_lane(item.op, lanes[key], inner.body.block.args[0])
            if any(item.writes for item in items):
                element = memref_of(key[0]).element_type
                made = e.op(vector.LoadOp, lanes[key], zero, type=vector_type(self.lanes, element))
                e.create(vector.StoreOp, [made, *starts[key]])

    @staticmethod
    def in_lane(op: Operation, buffer: SSAValue, lane: SSAValue) -> None:
        """Lets an access be to the array of lanes."""
        value = op.operands[:1] if isinstance(op, memref.StoreOp) else ()
        op.operands = [*value, buffer, lane]
