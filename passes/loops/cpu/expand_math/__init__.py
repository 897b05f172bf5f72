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

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from xdsl.dialects import func, math
from xdsl.dialects.builtin import Float32Type
from xdsl.ir import Operation

from ....pass_base import KernelPass
from ....utils.constants import Constants
from ....utils.emitter import Emitter
from . import error_function, exponential, logarithm, trigonometric
from .expr import ScalarExpr, sqrt

__all__ = ["EXPANSIONS", "ExpandMath", "expand", "is_expandable"]


def rsqrt(x: ScalarExpr) -> ScalarExpr:
    return 1.0 / sqrt(x)


EXPANSIONS: dict[type[Operation], Callable[..., ScalarExpr]] = {
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


_ALSO_F64: tuple[type[Operation], ...] = (math.RsqrtOp,)
"""What the library lacks is expanded for f64 too."""


def is_expandable(op: Operation) -> bool:
    """Whether an operation has an expansion for its type."""
    if type(op) not in EXPANSIONS:
        return False
    return isinstance(op.results[0].type, Float32Type) or type(op) in _ALSO_F64


@dataclass(frozen=True)
class ExpandMath(KernelPass):
    """Replaces functions of math on scalar f32 by arithmetic."""

    name = "expand-math"

    def apply_to_function(self, function: func.FuncOp) -> None:
        expand(function, list(function.walk()))


def expand(kernel: func.FuncOp, ops: Iterable[Operation]) -> bool:
    """Expands those of the given operations of a kernel that can be; returns whether there were any."""
    constants: Constants | None = None
    for op in ops:
        if not is_expandable(op):
            continue
        constants = constants or Constants(kernel)
        assert op.parent is not None
        emitter = Emitter(constants, op.parent, op, op.location)
        result = EXPANSIONS[type(op)](*(ScalarExpr(emitter, value) for value in op.operands))
        result.value.name_hint = op.results[0].name_hint
        op.results[0].replace_all_uses_with(result.value)
        op.detach()
        op.erase()
    return constants is not None
