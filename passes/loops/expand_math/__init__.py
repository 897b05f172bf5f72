"""Functions of f32 as arithmetic.

    %y = math.exp %x : f32
->
    %n = math.roundeven ...          2^n e^r by a polynomial in r
    ...
    %y = arith.mulf ... : f32

so that loops that contain them become vectors: the library has no vector form, and none is needed. Each result is
within 4 units in the last place of the true one, for every argument; infinities, NaN and denormals come out right.
f64 keeps calling the library, as do pow and functions not in the table.
"""

# pyright: basic
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import builtin, math
from xdsl.dialects.builtin import Float32Type
from xdsl.ir import Operation
from xdsl.passes import ModulePass

from ..build import Constants, Emitter, kernels
from . import error_function, exponential, logarithm, trigonometric
from .expr import Expr, sqrt

__all__ = ["EXPANSIONS", "ExpandMath", "is_expandable"]


def rsqrt(x: Expr) -> Expr:
    return 1.0 / sqrt(x)


EXPANSIONS: dict[type[Operation], Callable[..., Expr]] = {
    math.ExpOp: exponential.exp,
    math.Exp2Op: exponential.exp2,
    math.ExpM1Op: exponential.expm1,
    math.SinhOp: exponential.sinh,
    math.CoshOp: exponential.cosh,
    math.TanhOp: exponential.tanh,
    math.LogOp: logarithm.log,
    math.Log1pOp: logarithm.log1p,
    math.Log2Op: logarithm.log2,
    math.Log10Op: logarithm.log10,
    math.ErfOp: error_function.erf,
    math.SinOp: trigonometric.sin,
    math.CosOp: trigonometric.cos,
    math.TanOp: trigonometric.tan,
    math.AsinOp: trigonometric.asin,
    math.AcosOp: trigonometric.acos,
    math.AtanOp: trigonometric.atan,
    math.Atan2Op: trigonometric.atan2,
    math.RsqrtOp: rsqrt,
}


def is_expandable(op: Operation) -> bool:
    """Whether an operation has an expansion for its type."""
    return type(op) in EXPANSIONS and isinstance(op.results[0].type, Float32Type)


@dataclass(frozen=True)
class ExpandMath(ModulePass):
    """Replaces functions of math on scalar f32 by arithmetic."""

    name = "expand-math"

    def apply(self, ctx: Context, op: builtin.ModuleOp) -> None:
        for kernel in kernels(op):
            constants: Constants | None = None
            for inner in list(kernel.walk()):
                if not is_expandable(inner):
                    continue
                constants = constants or Constants(kernel)
                assert inner.parent is not None
                emitter = Emitter(constants, inner.parent, inner, inner.location)
                result = EXPANSIONS[type(inner)](*(Expr(emitter, value) for value in inner.operands))
                result.value.name_hint = inner.results[0].name_hint
                inner.results[0].replace_all_uses_with(result.value)
                inner.detach()
                inner.erase()
