"""Computes indices in 32 bits where they fit: that takes half the registers and a fraction of the time.

    %b = gpu.block_id x                                     %b = arith.index_cast (gpu.block_id x) : index to i32
    %n = arith.muli %b, %c256 : index                 ->    %n = arith.muli %b, %c256 overflow<nsw> : i32
    %p = arith.addi %n, %t : index                          %p = arith.addi %n, %t overflow<nsw> : i32
    %v = memref.load %x[%p]                                 %i = arith.index_cast %p : i32 to index
                                                            %v = memref.load %x[%i]

One walk finds the least and the greatest value of each index: what blocks and threads are numbered by, the bounds of
loops, constants, and what arithmetic makes of these. An operation becomes one of i32 if its operands and its result
lie within 32 bits; so does a loop whose counter stays there. Addresses are 64 bits wide all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from xdsl.context import Context
from xdsl.dialects import arith, gpu, scf
from xdsl.dialects.builtin import DYNAMIC_INDEX, IndexType, ModuleOp, NoneAttr, i32, i64
from xdsl.ir import Attribute, Block, Operation, SSAValue
from xdsl.passes import ModulePass

from ....dialects.types import is_integer, is_memref
from ...utils.constants import INDEX, Constants, constant_value
from ...utils.emitter import Emitter
from ...utils.index_bounds import LARGEST, RANGES, Range, type_range

__all__ = ["NarrowIndices"]

_HALF = 1 << 31
_NO_SIGNED_WRAP = arith.IntegerOverflowAttr([arith.IntegerOverflowFlag.NSW])
_SUMS = (arith.AddiOp, arith.SubiOp, arith.MuliOp)
_IDS = (gpu.BlockIdOp, gpu.ThreadIdOp)
_SIGNED: dict[type[Operation], type[Operation]] = {arith.DivUIOp: arith.DivSIOp, arith.RemUIOp: arith.RemSIOp}
"""Divisions of indices, which are never negative: the same of numbers that have a sign."""


@dataclass(frozen=True)
class NarrowIndices(ModulePass):
    """Index arithmetic in functions of the GPU -> arithmetic of i32, where that is proved to be the same."""

    name = "narrow-indices"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for module in op.body.block.ops:
            if not isinstance(module, gpu.ModuleOp):
                continue
            for function in module.body.block.ops:
                if isinstance(function, gpu.FuncOp) and not _has_wide_strides(function):
                    _Narrower(function).run()


class _Narrower:
    def __init__(self, function: gpu.FuncOp) -> None:
        self.function = function
        self.constants = Constants(function.body.block)
        self.ranges: dict[SSAValue, Range] = {}
        self.narrow: dict[SSAValue, SSAValue] = {}
        """Indices -> the same as i32."""
        self.replaced: list[SSAValue] = []
        """Results and counters that have become i32, in order."""
        self.ids: list[SSAValue] = []
        """Numbers of threads and blocks."""

    def run(self) -> None:
        self.block(self.function.body.block)
        for value in reversed(self.replaced):
            self.drop(value)
        for value in self.ids:
            self.share(value)

    def block(self, block: Block) -> None:
        for op in list(block.ops):
            if isinstance(op, scf.ForOp):
                self.loop(op)
            elif isinstance(op, arith.CmpiOp):
                if isinstance(op.lhs.type, IndexType) and self.fits(op.lhs) and self.fits(op.rhs):
                    op.operands = [self.as_i32(op.lhs), self.as_i32(op.rhs)]
            elif isinstance(op, arith.IndexCastOp):
                self.cast(op)
            elif op.results and isinstance(op.results[0].type, IndexType):
                self.compute(op)
            for region in op.regions:
                for inner in region.blocks:
                    self.block(inner)

    # What values may be.

    def range(self, value: SSAValue) -> Range:
        constant = constant_value(value)
        if constant is not None:
            return constant, constant
        return self.ranges.get(value) or type_range(value)

    def fits(self, value: SSAValue) -> bool:
        low, high = self.range(value)
        return low >= -_HALF and high < _HALF

    def computed(self, op: Operation) -> Range | None:
        """The range of a result."""
        if isinstance(op, _IDS):
            sizes = self.function.known_grid_size if isinstance(op, gpu.BlockIdOp) else self.function.known_block_size
            dimension = "xyz".index(str(op.dimension.data.value))
            return None if sizes is None else (0, (*sizes.get_values(), 1, 1)[dimension] - 1)
        if isinstance(op, arith.SelectOp):
            sides = self.range(op.lhs), self.range(op.rhs)
            return min(s[0] for s in sides), max(s[1] for s in sides)
        rule = RANGES.get(type(op))
        if rule is None:
            return None
        a, b = (self.range(operand) for operand in op.operands)
        if type(op) in _SIGNED:
            a, b = ((max(low, 0), max(high, 0)) for low, high in (a, b))
        return rule(a, b)

    # What becomes of them.

    def compute(self, op: Operation) -> None:
        result = op.results[0]
        found = self.computed(op)
        if found is None or found[0] < -LARGEST or found[1] >= LARGEST:
            return
        self.ranges[result] = found
        if isinstance(op, _IDS):
            self.ids.append(result)
        operands = [v for v in op.operands if isinstance(v.type, IndexType)]
        if not operands or not self.fits(result) or not all(map(self.fits, operands)):
            return
        kind = _SIGNED.get(type(op), type(op))
        properties: dict[str, Attribute] = dict(op.properties) if kind is type(op) else {}
        if isinstance(op, _SUMS):
            properties["overflowFlags"] = _NO_SIGNED_WRAP
        given = [self.as_i32(v) if v in operands else v for v in op.operands]
        made = kind.create(operands=given, result_types=[i32], properties=properties, location=op.location)
        self.before(op).insert(made)
        self.becomes(result, made.results[0])

    def becomes(self, value: SSAValue, made: SSAValue) -> None:
        made.name_hint = value.name_hint
        self.narrow[value] = made
        self.replaced.append(value)

    def cast(self, op: arith.IndexCastOp) -> None:
        """Between an index and data."""
        value, result = op.input, op.result
        if isinstance(result.type, IndexType):
            self.ranges[result] = self.range(value) if is_integer(value.type) else type_range(result)
            if value.type == i32:
                self.becomes(result, value)
        elif self.fits(value) and result.type in (i32, i64):
            made = self.as_i32(value)
            if result.type == i64:
                made = self.before(op).op(arith.ExtSIOp, made, type=i64)
            result.replace_all_uses_with(made)
            op.detach()
            op.erase()

    def loop(self, op: scf.ForOp) -> None:
        """The counter, where it does not leave 32 bits when it takes the step behind the last round."""
        counter = op.body.block.args[0]
        if not isinstance(counter.type, IndexType):
            return
        (low, _), (_, high), (least, step) = (self.range(value) for value in (op.lb, op.ub, op.step))
        self.ranges[counter] = low, max(low, high - 1)
        if least <= 0 or not all(map(self.fits, (op.lb, op.ub, op.step))) or high + step >= _HALF:
            return
        op.operands = [*(self.as_i32(value) for value in (op.lb, op.ub, op.step)), *op.iter_args]
        made = op.body.block.insert_arg(i32, 0)
        self.becomes(counter, made)

    def as_i32(self, value: SSAValue) -> SSAValue:
        """An index, which fits, as i32."""
        found = self.narrow.get(value)
        if found is None:
            constant = constant_value(value)
            if constant is not None:
                return self.constants.scalar(i32, constant)
            found = self.behind(value).op(arith.IndexCastOp, value, type=i32)
            found.name_hint = value.name_hint
            self.narrow[value] = found
        return found

    def drop(self, value: SSAValue) -> None:
        """Lets what needs an index have it of the i32 that it has become."""
        made = self.narrow[value]
        if value.first_use is not None:
            index = self.behind(made).op(arith.IndexCastOp, made, type=INDEX)
            value.replace_all_uses_with(index)
        if isinstance(value.owner, Block):
            value.owner.erase_arg(value)  # type: ignore[arg-type]
        else:
            value.owner.detach()
            value.owner.erase()

    def share(self, value: SSAValue) -> None:
        """Lets accesses use the number of a thread or a block as the i32 that it is to others."""
        made = self.narrow.get(value)
        if made is None or any(_computes(use.operation) for use in value.uses if use.operation is not made.owner):
            return
        if value.has_more_than_one_use():
            index = self.behind(made).op(arith.IndexCastOp, made, type=INDEX)
            value.replace_uses_with_if(index, lambda use: use.operation is not made.owner)

    def before(self, op: Operation) -> Emitter:
        assert op.parent is not None
        return Emitter(self.constants, op.parent, op, op.location)

    def behind(self, value: SSAValue) -> Emitter:
        """At the first place where a value is known."""
        owner = value.owner
        if isinstance(owner, Block):
            return Emitter(self.constants, owner, owner.first_op, self.function.location)
        assert owner.parent is not None
        return Emitter(self.constants, owner.parent, owner.next_op, owner.location)


def _computes(op: Operation) -> bool:
    return op.name.startswith("arith.")


def _has_wide_strides(function: gpu.FuncOp) -> bool:
    """Whether indices of a buffer are multiplied by its strides in C, and leave 32 bits."""
    for op in (function, *function.walk()):
        values = function.body.block.args if op is function else op.results
        for value in values:
            if is_memref(value.type) and not isinstance(value.type.layout, NoneAttr):
                shape = value.type.get_shape()
                if DYNAMIC_INDEX in shape or prod(shape) >= _HALF or _span(value.type.layout, shape) >= _HALF:
                    return True
    return False


def _span(layout: Attribute, shape: tuple[int, ...]) -> int:
    """How many elements lie between the first and the last one."""
    strides = [getattr(stride, "data", _HALF) for stride in getattr(layout, "strides", ())]
    return sum(abs(stride) * (extent - 1) for stride, extent in zip(strides, shape))
