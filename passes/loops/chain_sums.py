"""Cuts long sums into chains of partial sums, so that rounding errors do not grow with the number of terms.

    %s = scf.for %i = %c0 to %c20000 step %c1 iter_args(%acc = %zero) -> (f32) {
      %a = memref.load %x[%i] : memref<20000xf32>
      %next = arith.addf %acc, %a : f32
      scf.yield %next : f32
    }
->
    %s = scf.for %block = %c0 to %c20000 step %c256 iter_args(%total = %zero) -> (f32) {
      %end = arith.minsi %block + 256, %c20000 : index
      %part = scf.for %i = %block to %end step %c1 iter_args(%acc = %zero) -> (f32) {
        ...
      }
      %next = arith.addf %total, %part : f32
      scf.yield %next : f32
    }

A block has about as many terms as there are blocks, so that each of n terms goes through some 2 sqrt(n) additions. If
a loop hands its sum to a loop inside, that one has a sum of its own. Other values that are carried are handed through.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

from xdsl.dialects import arith, math, scf
from xdsl.dialects.builtin import Float32Type
from xdsl.dialects.func import FuncOp
from xdsl.ir import Attribute, Block, BlockArgument, Operation, SSAValue

from ...dialects.types import element_of, is_vector
from ..options import option
from ..pass_base import KernelPass
from ..utils.constants import Constants, scalar_attribute, splat
from ..utils.emitter import Emitter
from ..utils.loop_info import most_trips

__all__ = ["ChainSums"]


@dataclass(frozen=True)
class ChainSums(KernelPass):
    """Sums of floats of 32 bits over more than `longest` terms."""

    name = "chain-sums"
    longest: int = option(256, 2, 1 << 20)

    def apply_to_function(self, function: FuncOp) -> None:
        _Chains(Constants(function), self.longest).block(function.body.block)


class _Chains:
    def __init__(self, constants: Constants, longest: int) -> None:
        self.constants = constants
        self.longest = longest
        self.terms: dict[scf.ForOp, int] = {}
        """How many terms each sum of a loop has, where that is known; what is not counts as many."""

    def block(self, block: Block) -> None:
        """Inner loops first."""
        for op in list(block.ops):
            for region in op.regions:
                for inner in region.blocks:
                    self.block(inner)
            if isinstance(op, scf.ForOp) and op.iter_args:
                self.loop(op)

    def loop(self, loop: scf.ForOp) -> None:
        sums = [k for k, value in enumerate(loop.iter_args) if _is_single(value.type) and _total(loop, k) is not None]
        trips = most_trips(loop)
        inside = max([self.terms.get(inner, 1) for inner in _handed(loop, sums).values()], default=1)
        self.terms[loop] = trips * inside if trips is not None else self.longest + 1
        if not sums or self.terms[loop] <= self.longest:
            return
        for k, inner in _handed(loop, sums).items():
            self.separate(loop, k, inner)
        if trips is None or trips > self.longest:
            self.cut(loop, sums, 1 << (isqrt(trips) - 1).bit_length() if trips is not None else self.longest)

    def zero(self, type_: Attribute) -> SSAValue:
        if is_vector(type_):
            return self.constants.get(splat(type_, scalar_attribute(type_.element_type, 0.0)))
        return self.constants.scalar(type_, 0.0)

    def separate(self, loop: scf.ForOp, k: int, inner: scf.ForOp) -> None:
        """The sum of the loop inside starts at zero, and is added to the one outside."""
        total = loop.body.block.args[1 + k]
        j = list(inner.iter_args).index(total)
        inner.operands[3 + j] = self.zero(total.type)
        last = loop.body.block.last_op
        assert last is not None
        emitter = Emitter(self.constants, loop.body.block, last, inner.location)
        last.operands[k] = emitter.op(arith.AddfOp, total, inner.results[j])

    def cut(self, loop: scf.ForOp, sums: list[int], size: int) -> None:
        """A loop over blocks of `size` iterations around the loop over one."""
        assert loop.parent is not None
        outside = Emitter(self.constants, loop.parent, loop, loop.location)
        stride = outside.mul(loop.step, outside.index(size))
        outer = outside.loop(loop.lb, loop.ub, stride, list(loop.iter_args), name="block")
        emitter = outside.inside(outer.body.block)
        start, *totals = outer.body.block.args
        end = emitter.add(start, stride)
        trips = most_trips(loop)
        if trips is None or trips % size:
            end = emitter.min(end, loop.ub)
        starts = [self.zero(value.type) if k in sums else value for k, value in enumerate(totals)]
        types = [value.type for value in totals]
        body = loop.detach_region(loop.body)
        inner = emitter.create(scf.ForOp, [start, end, loop.step, *starts], types, regions=[body])
        emitter.yield_(
            [
                emitter.op(arith.AddfOp, total, part) if k in sums else part
                for k, (total, part) in enumerate(zip(totals, inner.results, strict=True))
            ]
        )
        for old, new in zip(loop.results, outer.results, strict=True):
            new.name_hint = old.name_hint
            old.replace_all_uses_with(new)
        loop.detach()
        loop.erase()


def _is_single(type_: Attribute) -> bool:
    return isinstance(element_of(type_), Float32Type)


def _total(loop: scf.ForOp, k: int) -> Operation | None:
    """What adds to the k-th value that a loop carries, if nothing else happens to it: an addition or a loop inside."""
    carried = loop.body.block.args[1 + k]
    end = loop.body.block.last_op
    assert end is not None
    result = end.operands[k]
    uses = list(carried.uses)
    op = result.owner
    if (
        len(uses) != 1
        or isinstance(result, BlockArgument)
        or uses[0].operation is not op
        or len(list(result.uses)) != 1
    ):
        return None
    match op:
        case arith.AddfOp():
            return op
        case math.FmaOp():
            return op if op.c is carried else None
        case scf.ForOp():
            j = uses[0].index - 3
            same = j >= 0 and op.results[j] is result
            return op if same and _total(op, j) is not None else None
        case _:
            return None


def _handed(loop: scf.ForOp, sums: list[int]) -> dict[int, scf.ForOp]:
    """The loops inside that sums are handed to."""
    found = {k: _total(loop, k) for k in sums}
    return {k: op for k, op in found.items() if isinstance(op, scf.ForOp)}
