"""Arithmetic on IR values written as formulas: `x * x + 1` builds `arith.mulf` and `arith.addf`."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects import arith, math
from xdsl.dialects.builtin import Float32Type, Float64Type, IntegerAttr, IntegerType, i1
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import IRDLOperation

from .....dialects.types import is_integer
from ....utils.emitter import Emitter

F32, F64, I32, I64 = Float32Type(), Float64Type(), IntegerType(32), IntegerType(64)

_FLOAT = {"+": arith.AddfOp, "-": arith.SubfOp, "*": arith.MulfOp, "/": arith.DivfOp}
_INTEGER = {
    "+": arith.AddiOp, "-": arith.SubiOp, "*": arith.MuliOp, "<<": arith.ShLIOp, ">>": arith.ShRSIOp,
    "&": arith.AndIOp, "|": arith.OrIOp, "^": arith.XOrIOp,
}  # fmt: skip
_FLOAT_ORDER = {"==": 1, ">": 2, ">=": 3, "<": 4, "<=": 5, "!=": 13}
_INTEGER_ORDER = {"==": 0, "!=": 1, "<": 2, "<=": 3, ">": 4, ">=": 5}

Number = int | float


class ScalarExpr:
    """A scalar and the place where operations on it go. Comparisons with NaN are false, `!=` is true."""

    __slots__ = ("emitter", "value")

    def __init__(self, emitter: Emitter, value: SSAValue) -> None:
        self.emitter = emitter
        self.value = value

    @property
    def type(self) -> Attribute:
        return self.value.type

    @property
    def is_float(self) -> bool:
        return isinstance(self.type, Float32Type | Float64Type)

    def same(self, other: ScalarExpr | Number) -> ScalarExpr:
        """`other` as a value of this one's type."""
        if isinstance(other, ScalarExpr):
            return other
        return ScalarExpr(self.emitter, self.emitter.constants.scalar(self.type, other))

    def make(
        self, op: type[IRDLOperation], *operands: ScalarExpr, type: Attribute | None = None, **properties: Attribute
    ) -> ScalarExpr:
        """One operation on these values."""
        values = [operand.value for operand in operands]
        return ScalarExpr(self.emitter, self.emitter.op(op, *values, type=type, **properties))

    def binary(self, sign: str, a: ScalarExpr | Number, b: ScalarExpr | Number) -> ScalarExpr:
        table = _FLOAT if self.is_float else _INTEGER
        return self.make(table[sign], self.same(a), self.same(b))

    def compare(self, sign: str, other: ScalarExpr | Number) -> ScalarExpr:
        op, table = (arith.CmpfOp, _FLOAT_ORDER) if self.is_float else (arith.CmpiOp, _INTEGER_ORDER)
        return self.make(op, self, self.same(other), type=i1, predicate=IntegerAttr(table[sign], 64))

    def __add__(self, other: ScalarExpr | Number) -> ScalarExpr:
        return self.binary("+", self, other)

    def __radd__(self, other: Number) -> ScalarExpr:
        return self.binary("+", other, self)

    def __sub__(self, other: ScalarExpr | Number) -> ScalarExpr:
        return self.binary("-", self, other)

    def __rsub__(self, other: Number) -> ScalarExpr:
        return self.binary("-", other, self)

    def __mul__(self, other: ScalarExpr | Number) -> ScalarExpr:
        return self.binary("*", self, other)

    def __rmul__(self, other: Number) -> ScalarExpr:
        return self.binary("*", other, self)

    def __truediv__(self, other: ScalarExpr | Number) -> ScalarExpr:
        return self.binary("/", self, other)

    def __rtruediv__(self, other: Number) -> ScalarExpr:
        return self.binary("/", other, self)

    def __neg__(self) -> ScalarExpr:
        return self.make(arith.NegfOp, self) if self.is_float else self.binary("-", 0, self)

    def __lshift__(self, count: ScalarExpr | int) -> ScalarExpr:
        return self.binary("<<", self, count)

    def __rshift__(self, count: ScalarExpr | int) -> ScalarExpr:
        return self.binary(">>", self, count)

    def __and__(self, other: ScalarExpr | int) -> ScalarExpr:
        return self.binary("&", self, other)

    def __or__(self, other: ScalarExpr | int) -> ScalarExpr:
        return self.binary("|", self, other)

    def __xor__(self, other: ScalarExpr | int) -> ScalarExpr:
        return self.binary("^", self, other)

    def __lt__(self, other: ScalarExpr | Number) -> ScalarExpr:
        return self.compare("<", other)

    def __le__(self, other: ScalarExpr | Number) -> ScalarExpr:
        return self.compare("<=", other)

    def __gt__(self, other: ScalarExpr | Number) -> ScalarExpr:
        return self.compare(">", other)

    def __ge__(self, other: ScalarExpr | Number) -> ScalarExpr:
        return self.compare(">=", other)

    def equals(self, other: ScalarExpr | Number) -> ScalarExpr:
        return self.compare("==", other)

    def differs(self, other: ScalarExpr | Number) -> ScalarExpr:
        return self.compare("!=", other)

    def to(self, type_: Attribute) -> ScalarExpr:
        """Converted by value; floats to integers toward zero."""
        have = self.type
        if have == type_:
            return self
        if self.is_float:
            if is_integer(type_):
                return self.make(arith.FPToSIOp, self, type=type_)
            return self.make(arith.ExtFOp if have == F32 else arith.TruncFOp, self, type=type_)
        if not is_integer(type_):
            return self.make(arith.SIToFPOp, self, type=type_)
        assert is_integer(have)
        return self.make(arith.ExtSIOp if have.bitwidth < type_.bitwidth else arith.TruncIOp, self, type=type_)

    def bits(self) -> ScalarExpr:
        """The bits of a float as an integer."""
        return self.make(arith.BitcastOp, self, type=I32 if self.type == F32 else I64)

    def as_float(self) -> ScalarExpr:
        """The float with these bits."""
        return self.make(arith.BitcastOp, self, type=F32 if self.type == I32 else F64)


def fma(a: ScalarExpr, b: ScalarExpr | Number, c: ScalarExpr | Number) -> ScalarExpr:
    """a * b + c, rounded once."""
    return a.make(math.FmaOp, a, a.same(b), a.same(c))


def select(condition: ScalarExpr, yes: ScalarExpr | Number, no: ScalarExpr | Number) -> ScalarExpr:
    """`yes` where the condition holds."""
    typed = yes if isinstance(yes, ScalarExpr) else no
    assert isinstance(typed, ScalarExpr)
    return condition.make(arith.SelectOp, condition, typed.same(yes), typed.same(no), type=typed.type)


def absolute(x: ScalarExpr) -> ScalarExpr:
    return x.make(math.AbsFOp, x)


def sqrt(x: ScalarExpr) -> ScalarExpr:
    return x.make(math.SqrtOp, x)


def nearest(x: ScalarExpr) -> ScalarExpr:
    """The nearest integer, as a float; halves to even."""
    return x.make(math.RoundEvenOp, x)


def with_sign(x: ScalarExpr, sign: ScalarExpr) -> ScalarExpr:
    """The magnitude of `x` with the sign of `sign`."""
    return x.make(math.CopySignOp, x, sign)


def clamp(x: ScalarExpr, low: float, high: float) -> ScalarExpr:
    """x within [low, high]; NaN stays NaN."""
    below = select(x > high, high, x)
    return select(below < low, low, below)


def polynomial(x: ScalarExpr, coefficients: Sequence[float]) -> ScalarExpr:
    """c[0] + c[1] x + c[2] x² + ..., by Horner's rule."""
    result = x.same(coefficients[-1])
    for c in reversed(coefficients[:-1]):
        result = fma(result, x, c)
    return result
