"""Builder methods for dialects/hl/elementwise.py."""

from __future__ import annotations

from ..types import DType
from . import elementwise as e
from .emitter import OpEmitter, V


class ElementwiseBuilder(OpEmitter[V]):
    """One method an op."""

    def neg(self, x: V) -> V:
        return self.one(e.NegOp, x)

    def copy(self, x: V) -> V:
        return self.one(e.CopyOp, x)

    def abs(self, x: V) -> V:
        return self.one(e.AbsOp, x)

    def sign(self, x: V) -> V:
        return self.one(e.SignOp, x)

    def exp(self, x: V) -> V:
        return self.one(e.ExpOp, x)

    def expm1(self, x: V) -> V:
        return self.one(e.Expm1Op, x)

    def log(self, x: V) -> V:
        return self.one(e.LogOp, x)

    def log1p(self, x: V) -> V:
        return self.one(e.Log1POp, x)

    def sqrt(self, x: V) -> V:
        return self.one(e.SqrtOp, x)

    def rsqrt(self, x: V) -> V:
        return self.one(e.RsqrtOp, x)

    def sin(self, x: V) -> V:
        return self.one(e.SinOp, x)

    def cos(self, x: V) -> V:
        return self.one(e.CosOp, x)

    def tan(self, x: V) -> V:
        return self.one(e.TanOp, x)

    def asin(self, x: V) -> V:
        return self.one(e.AsinOp, x)

    def acos(self, x: V) -> V:
        return self.one(e.AcosOp, x)

    def atan(self, x: V) -> V:
        return self.one(e.AtanOp, x)

    def sinh(self, x: V) -> V:
        return self.one(e.SinhOp, x)

    def cosh(self, x: V) -> V:
        return self.one(e.CoshOp, x)

    def tanh(self, x: V) -> V:
        return self.one(e.TanhOp, x)

    def sigmoid(self, x: V) -> V:
        return self.one(e.SigmoidOp, x)

    def erf(self, x: V) -> V:
        return self.one(e.ErfOp, x)

    def floor(self, x: V) -> V:
        return self.one(e.FloorOp, x)

    def ceil(self, x: V) -> V:
        return self.one(e.CeilOp, x)

    def round(self, x: V) -> V:
        return self.one(e.RoundOp, x)

    def trunc(self, x: V) -> V:
        return self.one(e.TruncOp, x)

    def relu(self, x: V) -> V:
        return self.one(e.ReluOp, x)

    def logical_not(self, x: V) -> V:
        return self.one(e.LogicalNotOp, x)

    def is_nan(self, x: V) -> V:
        return self.one(e.IsNanOp, x)

    def add(self, x: V, y: V) -> V:
        return self.one(e.AddOp, x, y)

    def sub(self, x: V, y: V) -> V:
        return self.one(e.SubOp, x, y)

    def mul(self, x: V, y: V) -> V:
        return self.one(e.MulOp, x, y)

    def div(self, x: V, y: V) -> V:
        return self.one(e.DivOp, x, y)

    def floor_div(self, x: V, y: V) -> V:
        return self.one(e.FloorDivOp, x, y)

    def remainder(self, x: V, y: V) -> V:
        return self.one(e.RemainderOp, x, y)

    def fmod(self, x: V, y: V) -> V:
        return self.one(e.FmodOp, x, y)

    def pow(self, x: V, y: V) -> V:
        return self.one(e.PowOp, x, y)

    def maximum(self, x: V, y: V) -> V:
        return self.one(e.MaximumOp, x, y)

    def minimum(self, x: V, y: V) -> V:
        return self.one(e.MinimumOp, x, y)

    def atan2(self, x: V, y: V) -> V:
        return self.one(e.Atan2Op, x, y)

    def bitwise_and(self, x: V, y: V) -> V:
        return self.one(e.BitwiseAndOp, x, y)

    def bitwise_or(self, x: V, y: V) -> V:
        return self.one(e.BitwiseOrOp, x, y)

    def bitwise_xor(self, x: V, y: V) -> V:
        return self.one(e.BitwiseXorOp, x, y)

    def shift_left(self, x: V, y: V) -> V:
        return self.one(e.ShiftLeftOp, x, y)

    def shift_right_logical(self, x: V, y: V) -> V:
        return self.one(e.ShiftRightLogicalOp, x, y)

    def compare(self, predicate: e.Predicate, x: V, y: V) -> V:
        return self.one(e.CompareOp, x, y, predicate=predicate)

    def select(self, condition: V, x: V, y: V) -> V:
        return self.one(e.SelectOp, condition, x, y)

    def cast(self, x: V, dtype: DType) -> V:
        return x if self.dtype(x) is dtype else self.one(e.CastOp, x, dtype=dtype)
