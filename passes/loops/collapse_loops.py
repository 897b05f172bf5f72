"""Turns two loops over adjacent memory into one.

    scf.for %i = %c0 to %c64 step %c1 {
      scf.for %j = %c0 to %c10 step %c1 {
        %a = memref.load %x[%i, %j] : memref<64x10xf32>
        memref.store %a, %y[%i, %j] : memref<64x10xf32>
      } {parallel}
    } {parallel}
->
    %x1 = memref.collapse_shape %x [[0, 1]] : memref<64x10xf32> into memref<640xf32>
    %y1 = ...
    scf.for %i = %c0 to %c640 step %c1 {
      %a = memref.load %x1[%i] : memref<640xf32>
      memref.store %a, %y1[%i] : memref<640xf32>
    } {parallel}

Both loops must be parallel (or one reduction), the outer one must contain nothing but the inner one, and all accesses
must use the two counters side by side, over the whole of the inner extent.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from xdsl.dialects import memref, scf
from xdsl.dialects.builtin import ArrayAttr, IntegerAttr, NoneAttr, i64
from xdsl.dialects.func import FuncOp
from xdsl.ir import Block, Operation, SSAValue

from ...dialects.types import is_memref
from ..pass_base import KernelPass
from ..utils.constants import Constants, memref_type
from ..utils.loop_info import is_parallel, static_range
from ..utils.memory import Access, access

__all__ = ["CollapseLoops"]


@dataclass(frozen=True)
class CollapseLoops(KernelPass):
    """Merges perfectly nested loops whose accesses are contiguous across both."""

    name = "collapse-loops"

    def apply_to_function(self, function: FuncOp) -> None:
        collapser = _Collapser(Constants(function))
        collapser.block(function.body.block)
        # Three loops become one by way of two: views of the step between are not used in the end.
        for view in reversed(collapser.views.values()):
            if view.first_use is None:
                made = view.owner
                assert isinstance(made, memref.CollapseShapeOp)
                made.detach()
                made.erase()


class _Collapser:
    def __init__(self, constants: Constants) -> None:
        self.constants = constants
        self.views: dict[tuple[SSAValue, int], SSAValue] = {}

    def block(self, block: Block) -> None:
        """Collapses the loops of a block, inner ones first."""
        for op in list(block.ops):
            for region in op.regions:
                for inner in region.blocks:
                    self.block(inner)
            if is_parallel(op):
                assert isinstance(op, scf.ForOp)
                self.loop(op)

    def loop(self, outer: scf.ForOp) -> None:
        inner = outer.body.block.first_op
        if inner is None or not is_parallel(inner) or not isinstance(inner, scf.ForOp):
            return
        around, within = static_range(outer), static_range(inner)
        if not _only_contains(outer, inner) or around is None or within is None:
            return
        (low0, high0, step0), (low1, high1, step1) = around, within
        if (low0, step0, low1, step1) != (0, 1, 0, 1):
            return
        places = _places(outer.body.block.args[0], inner.body.block.args[0], high1)
        if places is not None:
            self.merge(outer, inner, high0 * high1, places)

    def merge(self, outer: scf.ForOp, inner: scf.ForOp, extent: int, places: list[tuple[Access, int]]) -> None:
        """Lets the inner loop run over both ranges, in the outer one's place."""
        iv = inner.body.block.args[0]
        for item, position in places:
            rank = len(item.indices)
            fixed = len(item.op.operands) - rank
            view = self.view(item.buffer, position)
            indices = [*item.indices[:position], iv, *item.indices[position + 2 :]]
            item.op.operands = [*item.op.operands[: fixed - 1], view, *indices]
        inner.detach()
        inner.operands = [outer.lb, self.constants.index(extent), outer.step, *outer.iter_args]
        block = outer.parent
        assert block is not None
        block.insert_op_before(inner, outer)
        for old, new in zip(outer.results, inner.results, strict=True):
            new.name_hint = old.name_hint
            old.replace_all_uses_with(new)
        iv.name_hint = outer.body.block.args[0].name_hint
        outer.detach()
        outer.erase()

    def view(self, buffer: SSAValue, position: int) -> SSAValue:
        """`buffer` with its dimensions `position` and `position + 1` as one."""
        found = self.views.get((buffer, position))
        if found is not None:
            return found
        groups: list[list[int]]
        source = buffer
        if isinstance(buffer.owner, memref.CollapseShapeOp):
            source = buffer.owner.src
            groups = [[d.value.data for d in group.data] for group in buffer.owner.reassociation.data]
        else:
            assert is_memref(buffer.type)
            groups = [[d] for d in range(buffer.type.get_num_dims())]
        groups[position : position + 2] = [groups[position] + groups[position + 1]]
        assert is_memref(source.type)
        shape = source.type.get_shape()
        op = memref.CollapseShapeOp.create(
            operands=[source],
            result_types=[memref_type(source.type.element_type, tuple(prod(shape[d] for d in g) for g in groups))],
            properties={"reassociation": ArrayAttr(ArrayAttr(IntegerAttr(d, i64) for d in g) for g in groups)},
        )
        self.insert(op, source)
        op.result.name_hint = source.name_hint
        self.views[buffer, position] = op.result
        return op.result

    def insert(self, op: Operation, source: SSAValue) -> None:
        """Puts a view right behind what it shows, or behind the constants."""
        owner = source.owner
        if isinstance(owner, Operation):
            assert owner.parent is not None
            owner.parent.insert_op_after(op, owner)
        else:
            last = self.constants.last
            assert last is not None
            owner.insert_op_after(op, last)


def _only_contains(outer: scf.ForOp, inner: scf.ForOp) -> bool:
    """Whether a loop does nothing but run another and pass on what that carries."""
    end = inner.next_op
    return (
        isinstance(end, scf.YieldOp)
        and tuple(end.operands) == tuple(inner.results)
        and tuple(inner.iter_args) == tuple(outer.body.block.args[1:])
    )


def _places(outer: SSAValue, inner: SSAValue, extent: int) -> list[tuple[Access, int]] | None:
    """Where accesses use the two counters side by side; None if there are other uses."""
    found: dict[Operation, tuple[Access, int]] = {}
    for iv, shift in ((outer, 0), (inner, 1)):
        for use in iv.uses:
            item = access(use.operation)
            if item is None:
                return None
            position = use.index - (len(use.operation.operands) - len(item.indices)) - shift
            type_ = item.buffer.type
            if (
                not 0 <= position < len(item.indices) - 1
                or item.indices[position] is not outer
                or item.indices[position + 1] is not inner
                or not is_memref(type_)
                or not isinstance(type_.layout, NoneAttr)
                or type_.get_shape()[position + 1] != extent
            ):
                return None
            found[use.operation] = (item, position)
    # The same counter twice in one access: its uses overlap.
    if any(item.indices.count(outer) > 1 or item.indices.count(inner) > 1 for item, _ in found.values()):
        return None
    return list(found.values())
