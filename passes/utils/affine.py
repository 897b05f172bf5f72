"""LinearLike arithmetic read as linear forms: how an index grows with a loop, and sums of multiples of values."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.dialects import arith, memref
from xdsl.ir import Operation, SSAValue

from .constants import constant_value


def growth(index: SSAValue, counter: SSAValue) -> int | None:
    """By how much an index grows with a loop's counter; None where that is not constant."""
    if index is counter:
        return 1
    op = index.owner
    if not isinstance(op, arith.AddiOp | arith.SubiOp | arith.MuliOp):
        return None if isinstance(op, Operation) and op.operands and not isinstance(op, memref.LoadOp) else 0
    left, right = growth(op.lhs, counter), growth(op.rhs, counter)
    if left is None or right is None:
        return None
    if isinstance(op, arith.MuliOp):
        factor = constant_value(op.rhs) if left else constant_value(op.lhs)
        if not left and not right:
            return 0
        return None if factor is None else (left or right) * factor
    return left - right if isinstance(op, arith.SubiOp) else left + right


@dataclass(frozen=True)
class LinearExpr:
    """A constant plus multiples of index values; terms are in order of first use."""

    const: int = 0
    terms: tuple[tuple[SSAValue, int], ...] = ()

    @staticmethod
    def of(value: LinearLike) -> LinearExpr:
        """An index as a linear expression."""
        if isinstance(value, LinearExpr):
            return value
        return LinearExpr(value) if isinstance(value, int) else LinearExpr(0, ((value, 1),))

    def __add__(self, other: LinearLike) -> LinearExpr:
        right = LinearExpr.of(other)
        terms = dict(self.terms)
        for value, factor in right.terms:
            terms[value] = terms.get(value, 0) + factor
        return LinearExpr(self.const + right.const, tuple((v, f) for v, f in terms.items() if f))

    def __mul__(self, factor: int) -> LinearExpr:
        if factor == 0:
            return LinearExpr()
        return LinearExpr(self.const * factor, tuple((v, f * factor) for v, f in self.terms))


LinearLike = LinearExpr | SSAValue | int
