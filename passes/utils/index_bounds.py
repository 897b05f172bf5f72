"""The values that an index may have: the proof that an access stays inside its buffer.

    scf.for %i = %c0 to %c784 step %c64 {
      %end = arith.minsi %i + 64, %c784
      scf.for %j = %i to %end step %c1          // %j <= %end - 1 <= 784 - 1 and %j >= %i >= 0

An index is a sum of a constant and of multiples of values that are no sums. The upper bound of such a sum is found by
putting something greater in the place of one value after another, the innermost loops' counters first: a counter's last
value, either side of a minimum, what a condition around the access says. The least of the bounds that come out holds.
Sums are exact modulo 2**64, as machines compute them: a bound between 0 and an extent is one of the wrapped sum, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from xdsl.dialects import arith, scf, vector
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, IndexType
from xdsl.dialects.linalg.ops import GenericOp, IndexOp
from xdsl.ir import BlockArgument, Operation, SSAValue

from ...dialects.spmd import ShareOp, ThreadCountOp, ThreadIdOp
from ...dialects.types import element_of, is_integer
from ...dialects.vectorx import SelectOp
from .constants import constant_value

__all__ = ["LARGEST", "RANGES", "IndexBounds", "Range", "Sum", "type_range"]

LARGEST = 1 << 63
MOST_STEPS = 400
"""Of replacements for one bound: what needs more is not proved."""
MOST_TEAM = 1 << 20


@dataclass(frozen=True, eq=False)
class Sum:
    """A constant and multiples of values."""

    constant: int = 0
    terms: dict[SSAValue, int] = field(default_factory=dict[SSAValue, int])

    def plus(self, other: Sum, factor: int = 1) -> Sum:
        terms = dict(self.terms)
        for value, multiple in other.terms.items():
            terms[value] = terms.get(value, 0) + factor * multiple
        return Sum(self.constant + factor * other.constant, {v: f for v, f in terms.items() if f})

    def times(self, factor: int) -> Sum:
        return Sum().plus(self, factor)

    def replaced(self, value: SSAValue, other: Sum) -> Sum:
        factor = self.terms[value]
        return self.plus(Sum(0, {value: factor}), -1).plus(other, factor)


Facts = tuple[Sum, ...]
"""Sums that are known to be at least 0."""

Range = tuple[int, int]
"""The least and the greatest of some numbers."""


def _is_wide(value: SSAValue) -> bool:
    """Whether sums of such values wrap where addresses do."""
    type_ = value.type
    return isinstance(type_, IndexType) or (is_integer(type_) and type_.width.data == 64)


def type_range(value: SSAValue) -> Range:
    """What a value may be by its type alone."""
    type_ = element_of(value.type)
    if is_integer(type_) and type_.width.data < 64:
        # Of either sign: what reads them says which.
        return -(1 << (type_.width.data - 1)), (1 << type_.width.data) - 1
    return -LARGEST, LARGEST - 1


class IndexBounds:
    """Bounds of the indices of a program, which is not changed meanwhile."""

    def __init__(self) -> None:
        self.sums: dict[SSAValue, Sum] = {}
        self.ranges: dict[tuple[SSAValue, Facts], Range] = {}
        self.steps = MOST_STEPS

    def proves(self, at: Operation, index: Sum, limit: int) -> bool:
        """Whether 0 <= index < limit wherever an operation runs."""
        facts = self._facts_around(at)
        self.steps = MOST_STEPS
        return self._high(index.times(-1), facts) <= 0 and self._high(index, facts) < limit

    def sum_of(self, value: SSAValue) -> Sum:
        """A value as a sum of others, if that sum never wraps: only then do bounds of the sum say more of its terms."""
        found = self.sums.get(value)
        if found is None:
            self.sums[value] = Sum(0, {value: 1})  # while its own is sought: a loop's values come back to themselves
            steps, self.steps = self.steps, MOST_STEPS
            found = self._expanded(value)
            if found is None or not (-self._high(found.times(-1), ()) >= -LARGEST and self._high(found, ()) < LARGEST):
                found = Sum(0, {value: 1})
            self.steps, self.sums[value] = steps, found
        return found

    def _expanded(self, value: SSAValue) -> Sum | None:
        constant = constant_value(value)
        if constant is not None:
            return Sum(constant)
        op = value.owner
        if not isinstance(op, Operation) or not _is_wide(value):
            return None
        if isinstance(op, arith.IndexCastOp):
            return self.sum_of(op.input) if _is_wide(op.input) else None
        if isinstance(op, arith.AddiOp | arith.SubiOp):
            return self.sum_of(op.lhs).plus(self.sum_of(op.rhs), 1 if isinstance(op, arith.AddiOp) else -1)
        if isinstance(op, arith.MuliOp):
            left, right = self.sum_of(op.lhs), self.sum_of(op.rhs)
            if not left.terms or not right.terms:
                return left.times(right.constant) if left.terms else right.times(left.constant)
        return None

    def _range(self, value: SSAValue, facts: Facts) -> Range:
        found = self.ranges.get((value, facts))
        if found is None:
            one = self.sum_of(value)
            low, high = -self._high(one.times(-1), facts), self._high(one, facts)
            found = (low, high) if -LARGEST <= low <= high < LARGEST else type_range(value)
            if self.steps > 0:
                self.ranges[value, facts] = found
        return found

    def _high(self, index: Sum, facts: Facts) -> int:
        """What a sum is at most."""
        if not index.terms:
            return index.constant
        self.steps -= 1
        best = index.constant
        for value, factor in index.terms.items():
            low, high = self._leaf(value, facts) if self.steps > 0 else type_range(value)
            best += factor * (high if factor > 0 else low)
        if self.steps <= 0:
            return best
        for number, fact in enumerate(facts):
            for value, factor in fact.terms.items():
                multiple, rest = divmod(-index.terms.get(value, 0), factor)
                if multiple > 0 and rest == 0:
                    best = min(best, self._high(index.plus(fact, multiple), facts[:number] + facts[number + 1 :]))
        for value in sorted(index.terms, key=_depth, reverse=True):
            greater, all_hold = self._greater(value, index.terms[value])
            if greater:
                rest = index.plus(Sum(0, {value: index.terms[value]}), -1)
                found = [self._high(rest.plus(other), facts) for other in greater]
                return min(best, min(found) if all_hold else max(found))
        return best

    def _leaf(self, value: SSAValue, facts: Facts) -> Range:
        """Least and greatest value of what is no sum."""
        least, most = type_range(value)
        op = value.owner
        if not isinstance(op, Operation):
            return least, most
        low, high = least, most
        if isinstance(op, IndexOp):
            low, high = 0, _iterations(op) - 1
        elif isinstance(op, ThreadIdOp | ThreadCountOp):
            low, high = 0, MOST_TEAM
        elif isinstance(op, ShareOp):
            low, high = 0, max(0, self._range(op.extent, facts)[1])
        elif isinstance(op, arith.ExtUIOp):
            (low, high), width = self._range(op.operands[0], facts), _width(op.operands[0])
            if low < 0 or high >= 1 << (width - 1):
                low, high = 0, (1 << width) - 1
        elif isinstance(op, arith.ExtSIOp | arith.IndexCastOp | arith.TruncIOp):
            (low, high), half = self._range(op.operands[0], facts), 1 << (_width(value) - 1)
            if low < -half or high >= half:
                return least, most
        elif isinstance(op, arith.ConstantOp) and isinstance(op.value, DenseIntOrFPElementsAttr):
            numbers = [n for n in op.value.get_values() if isinstance(n, int)]
            low, high = (min(numbers), max(numbers)) if numbers else (least, most)
        elif isinstance(op, vector.ExtractOp | vector.BroadcastOp):  # each lane
            low, high = self._range(op.operands[0], facts)
        elif isinstance(op, SelectOp):
            sides = [self._range(side, facts) for side in op.operands[1:]]
            low, high = min(s[0] for s in sides), max(s[1] for s in sides)
        elif isinstance(op, arith.SelectOp):
            sides = [
                self._range(side, facts + self._facts_of(op.cond, holds))
                for side, holds in ((op.lhs, True), (op.rhs, False))
            ]
            low, high = min(s[0] for s in sides), max(s[1] for s in sides)
        elif isinstance(op, scf.IfOp) and op.false_region.blocks:
            at = op.results.index(value)  # type: ignore[arg-type]
            sides = [
                self._range(region.block.last_op.operands[at], facts + self._facts_of(op.cond, holds))  # type: ignore
                for region, holds in ((op.true_region, True), (op.false_region, False))
            ]
            low, high = min(s[0] for s in sides), max(s[1] for s in sides)
        elif type(op) in RANGES:
            found = RANGES[type(op)](self._range(op.operands[0], facts), self._range(op.operands[1], facts))
            low, high = found or (least, most)
        return (low, high) if least <= low and high <= most else (least, most)

    def _greater(self, value: SSAValue, factor: int) -> tuple[list[Sum], bool]:
        """Sums of which factor * value is at most each (True), or at most one (False)."""
        if isinstance(value, BlockArgument):
            loop = value.block.parent_op()
            if isinstance(loop, scf.ForOp) and value.index == 0 and _is_small(loop.step):
                ends = self._last(loop) if factor > 0 else [self.sum_of(loop.lb)]
                return [end.times(factor) for end in ends], True
            return [], True
        op = value.owner
        if isinstance(op, arith.MinSIOp | arith.MaxSIOp):
            sides = [self.sum_of(op.lhs).times(factor), self.sum_of(op.rhs).times(factor)]
            return sides, isinstance(op, arith.MinSIOp) == (factor > 0)
        if isinstance(op, ShareOp):
            return [self.sum_of(op.extent).times(factor) if factor > 0 else Sum()], True
        return [], True

    def _last(self, loop: scf.ForOp) -> list[Sum]:
        """Bounds of the last value of a counter."""
        low, end, step = self.sum_of(loop.lb), self.sum_of(loop.ub), constant_value(loop.step)
        ends = [end.plus(Sum(-1))]
        if step is not None and step > 1:
            distance = end.plus(low, -1)
            if not distance.terms:
                ends.append(low.plus(Sum((distance.constant - 1) // step * step)))
            elif self._is_multiple(distance, step):
                ends.append(end.plus(Sum(-step)))
        return ends

    def _is_multiple(self, index: Sum, of: int) -> bool:
        """Whether a sum is a multiple of a number whatever its values are."""
        for value in index.terms:
            op = value.owner
            if isinstance(op, arith.RemSIOp | arith.RemUIOp):
                by = constant_value(op.rhs)
                if by and by % of == 0:
                    return self._is_multiple(index.replaced(value, self.sum_of(op.lhs)), of)
        if index.constant % of:
            return False
        return all(factor % of == 0 or self._is_multiple_value(value, of) for value, factor in index.terms.items())

    def _is_multiple_value(self, value: SSAValue, of: int) -> bool:
        if isinstance(value, BlockArgument):
            loop = value.block.parent_op()
            if not isinstance(loop, scf.ForOp) or value.index != 0:
                return False
            step = constant_value(loop.step)
            return step is not None and step % of == 0 and self._is_multiple(self.sum_of(loop.lb), of)
        op = value.owner
        if isinstance(op, arith.MinSIOp | arith.MaxSIOp):
            return self._is_multiple(self.sum_of(op.lhs), of) and self._is_multiple(self.sum_of(op.rhs), of)
        if isinstance(op, ShareOp) and op.chunk.value.data % of == 0:
            return value is op.low or self._is_multiple(self.sum_of(op.extent), of)
        return False

    def _facts_around(self, op: Operation) -> Facts:
        """What the conditions around an operation say."""
        facts: Facts = ()
        parent = op.parent_op()
        while parent is not None:
            if isinstance(parent, scf.IfOp):
                facts += self._facts_of(parent.cond, op.parent_region() is parent.true_region)
            op, parent = parent, parent.parent_op()
        return facts

    def _facts_of(self, condition: SSAValue, holds: bool) -> Facts:
        """What follows from a condition."""
        op = condition.owner
        if isinstance(op, arith.AndIOp if holds else arith.OrIOp) and _width(condition) == 1:
            return self._facts_of(op.lhs, holds) + self._facts_of(op.rhs, holds)
        if not isinstance(op, arith.CmpiOp) or not _is_wide(op.lhs):
            return ()
        name = arith.CMPI_COMPARISON_OPERATIONS[op.predicate.value.data]
        left, right = self.sum_of(op.lhs), self.sum_of(op.rhs)
        if name in ("eq", "ne"):
            difference = left.plus(right, -1)
            return (difference, difference.times(-1)) if (name == "eq") == holds else ()
        if name.startswith("u"):
            # Below a number that is not negative: not negative itself.
            bound = right.constant if not right.terms else -1
            if bound < 0 or not holds or name not in ("ult", "ule"):
                return ()
            return left, right.plus(left, -1).plus(Sum(-1 if name == "ult" else 0))
        if not holds:
            name = {"slt": "sge", "sge": "slt", "sle": "sgt", "sgt": "sle"}[name]
        difference = right.plus(left, -1) if name in ("slt", "sle") else left.plus(right, -1)
        return (difference.plus(Sum(-1)) if name in ("slt", "sgt") else difference,)


def _is_small(step: SSAValue) -> bool:
    """Whether no counter wraps that takes such steps."""
    constant = constant_value(step)
    return isinstance(step.owner, ThreadCountOp) or (constant is not None and 0 < constant < LARGEST >> 1)


def _width(value: SSAValue) -> int:
    type_ = element_of(value.type)
    return type_.width.data if is_integer(type_) else 64


Number = Callable[[int, int], int]
Rule = Callable[[Range, Range], Range | None]
"""The range of a result by those of two operands; None: nothing is known."""


def _sum(a: Range, b: Range) -> Range:
    return a[0] + b[0], a[1] + b[1]


def _difference(a: Range, b: Range) -> Range:
    return a[0] - b[1], a[1] - b[0]


def _unsigned_remainder(a: Range, b: Range) -> Range | None:
    return (_remainder(a, b) if a[0] >= 0 else (0, b[1] - 1)) if b[0] > 0 else None


def _remainder(a: Range, b: Range) -> Range | None:
    if b[0] <= 0:
        return None
    most = b[1] - 1
    return (0 if a[0] >= 0 else max(a[0], -most)), (min(a[1], most) if a[1] >= 0 else 0)


def _quotient(divide: Number) -> Rule:
    """Of numbers by such as are greater than 0; each way to round keeps the order."""
    return lambda a, b: _corners(divide)(a, b) if b[0] > 0 else None


def _truncated(x: int, y: int) -> int:
    return x // y if x >= 0 else -(-x // y)


def _unsigned(rule: Rule) -> Rule:
    """The same for numbers of which neither is negative."""
    return lambda a, b: rule(a, b) if a[0] >= 0 and b[0] >= 0 else None


def _corners(rule: Number) -> Callable[[Range, Range], Range]:
    def corners(a: Range, b: Range) -> Range:
        found = [rule(x, y) for x in a for y in b]
        return min(found), max(found)

    return corners


def _masked(a: Range, b: Range) -> Range | None:
    tops = [r[1] for r in (a, b) if r[0] >= 0]
    return (0, min(tops)) if tops else None


def _shifted(a: Range, b: Range) -> Range | None:
    return _corners(lambda x, y: x >> y)(a, b) if b[0] >= 0 and b[1] < 64 else None


RANGES: dict[type[Operation], Rule] = {
    arith.AddiOp: _sum,
    arith.SubiOp: _difference,
    arith.MuliOp: _corners(lambda x, y: x * y),
    arith.MinSIOp: _corners(min),
    arith.MaxSIOp: _corners(max),
    arith.MinUIOp: _masked,
    arith.MaxUIOp: _unsigned(_corners(max)),
    arith.RemSIOp: _remainder,
    arith.RemUIOp: _unsigned_remainder,
    arith.DivSIOp: _quotient(_truncated),
    arith.FloorDivSIOp: _quotient(lambda x, y: x // y),
    arith.CeilDivSIOp: _quotient(lambda x, y: -(-x // y)),
    arith.DivUIOp: _unsigned(_quotient(_truncated)),
    arith.AndIOp: _masked,
    arith.ShRSIOp: _shifted,
    arith.ShRUIOp: _unsigned(_shifted),
}
"""By op: what its result may be."""


def _depth(value: SSAValue) -> int:
    """How deep in regions a value is made, and how late: values that others are made of come before these."""
    depth, op = 0, value.block.parent_op() if isinstance(value, BlockArgument) else value.owner
    while isinstance(op, Operation):
        depth, op = depth + 1, op.parent_op()
    return 2 * depth + (not isinstance(value, BlockArgument))


def _iterations(op: IndexOp) -> int:
    """How many values an index of a generic op takes."""
    owner, dimension = op.parent_op(), op.dim.value.data
    if isinstance(owner, GenericOp):
        found = owner.get_static_loop_ranges()
        if dimension < len(found) and found[dimension] >= 0:
            return max(1, found[dimension])
    return LARGEST
