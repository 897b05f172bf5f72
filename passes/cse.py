"""Common subexpression elimination, at every level: one walk with a table of what is known.

    %0 = hl.add %x, %y      loc(a.py:1)
    %1 = hl.add %y, %x      loc(a.py:7)
    %2 = hl.mul %0, %1
    ->
    %0 = hl.add %x, %y      loc(fused[a.py:1, a.py:7])
    %2 = hl.mul %0, %0

Two ops are the same if class, operands (in any order where the op is commutative), properties, attributes and result
types are. What is known in a block is known in the regions inside it, not the other way round. A load is the same only
until somebody writes to its buffer: buffers have epochs, and these are part of the key.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

from xdsl.dialects.builtin import LocationAttr
from xdsl.dialects.func import FuncOp
from xdsl.ir import Operation, Region, SSAValue
from xdsl.traits import Commutative, IsolatedFromAbove, IsTerminator

from ..dialects.effects import register_effects
from ..dialects.locations import fuse
from .effects import Writes, is_pure, reads_of, writes_inside
from .pass_base import FunctionPass, replace

_UNIQUE = frozenset({"tensor.empty"})
"""Pure, but each execution stands for a buffer of its own."""


@dataclass(frozen=True)
class CSE(FunctionPass):
    """Computes equal things once."""

    name = "cse"

    def apply_to_function(self, function: FuncOp) -> None:
        register_effects()
        eliminate_common_subexpressions(function.body)


def eliminate_common_subexpressions(region: Region) -> int:
    """Merges the equal ops of a region; returns how many went."""
    walk = _Walk()
    walk.region(region)
    for op, locations in walk.merged.items():
        op.location = fuse([op.location, *locations])
    return sum(map(len, walk.merged.values())) + walk.constants


@dataclass
class _Walk:
    known: dict[Hashable, Operation] = field(default_factory=dict[Hashable, Operation])
    epochs: dict[SSAValue, int] = field(default_factory=dict[SSAValue, int])
    """Per buffer: counts the writes to it."""
    epoch: int = 0
    """Counts the writes that may have hit any buffer."""
    merged: dict[Operation, list[LocationAttr]] = field(default_factory=dict[Operation, "list[LocationAttr]"])
    """The locations of ops that now are one, fused at the end: once per survivor."""
    constants: int = 0
    written: dict[Operation, Writes] = field(default_factory=dict[Operation, Writes])
    """What the loops and branches met so far write."""

    def region(self, region: Region) -> None:
        for block in region.blocks:
            added: list[Hashable] = []
            op = block.first_op
            while op is not None:
                following = op.next_op
                self.visit(op, added)
                op = following
            for key in added:
                del self.known[key]

    def visit(self, op: Operation, added: list[Hashable]) -> None:
        if op.regions:
            # What the body of a loop writes has been written when its next round begins.
            writes = writes_inside(op, self.written)
            self.forget(writes)
            outside = self.known
            if op.has_trait(IsolatedFromAbove):
                self.known = {}
            for region in op.regions:
                self.region(region)
            self.known = outside
            self.forget(writes)
            return
        key = self.key(op)
        if key is None:
            self.forget(Writes([op]))
            return
        found = self.known.get(key)
        if found is None:
            self.known[key] = op
            added.append(key)
            return
        if op.operands:
            self.merged.setdefault(found, []).append(op.location)
        else:
            # Where a constant is written matters to nobody, and it may be written a thousand times.
            self.constants += 1
        replace(op, found.results)

    def key(self, op: Operation) -> Hashable | None:
        """What two ops have in common that are the same; None for an op that is never the same as another."""
        memory: Hashable = ()
        if not is_pure(op):
            reads = reads_of(op)
            if reads is None:
                return None
            memory = (self.epoch, frozenset((buffer, self.epochs.get(buffer, 0)) for buffer in reads))
        elif op.has_trait(IsTerminator) or op.name in _UNIQUE:
            return None
        operands = op.operands
        return (
            type(op),
            frozenset(operands) if op.has_trait(Commutative) and len(operands) == 2 else tuple(operands),
            frozenset(op.properties.items()),
            frozenset(op.attributes.items()),
            tuple(op.result_types),
            memory,
        )

    def forget(self, writes: Writes) -> None:
        self.epoch += writes.everything
        for buffer in writes.buffers:
            self.epochs[buffer] = self.epochs.get(buffer, 0) + 1
