"""Gradients of elementwise ops. At kinks the conventions are PyTorch's: relu'(0) = abs'(0) = 0, a tie of maximum
splits in halves."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ....dialects.hl import elementwise as e
from ....dialects.hl.builder import OpBuilder
from .call import Call, Derivative, GradientTable, ReasonTable, Rule, partials, scale, unary, where, zeros_like

B = OpBuilder[Any]


def _one_minus(b: B, x: Any) -> Any:
    return b.sub(b.constant_like(x, 1.0), x)


def _one_plus(b: B, x: Any) -> Any:
    return b.add(x, b.constant_like(x, 1.0))


def _square(b: B, x: Any) -> Any:
    return b.mul(x, x)


def _relu(b: B, x: Any, y: Any, ct: Any) -> Any:
    # In terms of the result, which the next layer keeps anyway; a NaN passes its cotangent on, as in PyTorch.
    return b.select(b.compare("le", y, zeros_like(b, y)), zeros_like(b, ct), ct)


UNARY: dict[type[e.HLOp], Derivative] = {
    e.NegOp: lambda b, x, y, ct: b.neg(ct),
    e.CopyOp: lambda b, x, y, ct: ct,
    e.AbsOp: lambda b, x, y, ct: b.mul(ct, b.sign(x)),
    e.ExpOp: lambda b, x, y, ct: b.mul(ct, y),
    e.Expm1Op: lambda b, x, y, ct: b.mul(ct, b.exp(x)),
    e.LogOp: lambda b, x, y, ct: b.div(ct, x),
    e.Log1POp: lambda b, x, y, ct: b.div(ct, _one_plus(b, x)),
    e.SqrtOp: lambda b, x, y, ct: b.div(ct, scale(b, y, 2.0)),
    e.RsqrtOp: lambda b, x, y, ct: b.mul(scale(b, ct, -0.5), b.mul(y, _square(b, y))),
    e.SinOp: lambda b, x, y, ct: b.mul(ct, b.cos(x)),
    e.CosOp: lambda b, x, y, ct: b.neg(b.mul(ct, b.sin(x))),
    e.TanOp: lambda b, x, y, ct: b.mul(ct, _one_plus(b, _square(b, y))),
    e.AsinOp: lambda b, x, y, ct: b.mul(ct, b.rsqrt(_one_minus(b, _square(b, x)))),
    e.AcosOp: lambda b, x, y, ct: b.neg(b.mul(ct, b.rsqrt(_one_minus(b, _square(b, x))))),
    e.AtanOp: lambda b, x, y, ct: b.div(ct, _one_plus(b, _square(b, x))),
    e.SinhOp: lambda b, x, y, ct: b.mul(ct, b.cosh(x)),
    e.CoshOp: lambda b, x, y, ct: b.mul(ct, b.sinh(x)),
    e.TanhOp: lambda b, x, y, ct: b.mul(ct, _one_minus(b, _square(b, y))),
    e.SigmoidOp: lambda b, x, y, ct: b.mul(ct, b.mul(y, _one_minus(b, y))),
    e.ErfOp: lambda b, x, y, ct: b.mul(scale(b, ct, 2 / math.sqrt(math.pi)), b.exp(b.neg(_square(b, x)))),
    e.ReluOp: _relu,
    e.CastOp: lambda b, x, y, ct: b.cast(ct, b.dtype(x)),
}


def _div_y(b: B, call: Call[Any]) -> Any:
    # Not by the result, which may have been written over since; compiled, x / y is the same value again.
    x, y = call.operands
    return b.neg(b.div(b.mul(call.ct, b.div(x, y)), y))


def _remainder_y(b: B, call: Call[Any]) -> Any:
    return b.neg(b.mul(call.ct, b.floor_div(*call.operands)))


def _fmod_y(b: B, call: Call[Any]) -> Any:
    return b.neg(b.mul(call.ct, b.trunc(b.div(*call.operands))))


def _pow_x(b: B, call: Call[Any]) -> Any:
    # y * x ** (y - 1). Where y is 0 the slope is 0 at every x: x ** 0 there, since 0 * 0 ** -1 would be NaN.
    x, y = call.operands
    exponent = b.select(b.compare("eq", y, zeros_like(b, y)), y, b.sub(y, b.constant_like(y, 1.0)))
    return b.mul(call.ct, b.mul(y, b.pow(x, exponent)))


def _pow_y(b: B, call: Call[Any]) -> Any:
    # x ** y * log(x), and 0 where x is 0 and y >= 0, although log(0) is infinite.
    x, y = call.operands
    zero = zeros_like(b, x)
    flat = b.bitwise_and(b.compare("eq", x, zero), b.compare("ge", y, zero))
    return b.mul(call.ct, b.mul(call.y, b.log(b.select(flat, b.constant_like(x, 1.0), x))))


def _extremum(loses: e.Predicate, loses_as_second: e.Predicate) -> Rule:
    """maximum or minimum: all to the winner, half to each of two equal ones."""

    def side(predicate: e.Predicate) -> Callable[[B, Call[Any]], Any]:
        def derivative(b: B, call: Call[Any]) -> Any:
            x, y = call.operands
            shared = b.select(b.compare("eq", x, y), scale(b, call.ct, 0.5), call.ct)
            return b.select(b.compare(predicate, x, y), zeros_like(b, shared), shared)

        return derivative

    return partials(side(loses), side(loses_as_second))


def _atan2_x(b: B, call: Call[Any]) -> Any:
    return b.mul(call.ct, _per_radius(b, call, 1))


def _atan2_y(b: B, call: Call[Any]) -> Any:
    return b.neg(b.mul(call.ct, _per_radius(b, call, 0)))


def _per_radius(b: B, call: Call[Any], of: int) -> Any:
    """One coordinate / (x² + y²), both as parts of the larger one, whose square might overflow or vanish.

    At the origin the angle's derivatives are taken to be 0.
    """
    x, y = call.operands
    size, one = b.maximum(b.abs(x), b.abs(y)), b.constant_like(x, 1.0)
    finite = b.bitwise_and(b.compare("gt", size, zeros_like(b, x)), b.compare("lt", size, b.constant_like(x, math.inf)))
    size = b.select(finite, size, one)
    parts = b.div(x, size), b.div(y, size)
    square = b.add(_square(b, parts[0]), _square(b, parts[1]))
    square = b.select(b.compare("eq", square, zeros_like(b, square)), one, square)
    return b.div(b.div(parts[of], square), size)


GRADIENTS: GradientTable = {
    **{op: unary(derivative) for op, derivative in UNARY.items()},
    e.AddOp: partials(lambda b, call: call.ct, lambda b, call: call.ct),
    e.SubOp: partials(lambda b, call: call.ct, lambda b, call: b.neg(call.ct)),
    e.MulOp: partials(lambda b, call: b.mul(call.ct, call.operands[1]), lambda b, call: b.mul(call.ct, call.x)),
    e.DivOp: partials(lambda b, call: b.div(call.ct, call.operands[1]), _div_y),
    e.RemainderOp: partials(lambda b, call: call.ct, _remainder_y),
    e.FmodOp: partials(lambda b, call: call.ct, _fmod_y),
    e.PowOp: partials(_pow_x, _pow_y),
    # Constant between their steps.
    **dict.fromkeys(
        (e.SignOp, e.FloorOp, e.CeilOp, e.RoundOp, e.TruncOp), unary(lambda b, x, y, ct: zeros_like(b, ct))
    ),
    e.MaximumOp: _extremum("lt", "gt"),
    e.MinimumOp: _extremum("gt", "lt"),
    e.Atan2Op: partials(_atan2_x, _atan2_y),
    e.SelectOp: partials(
        None,
        lambda b, call: where(b, call.x, call.ct),
        lambda b, call: b.select(call.x, zeros_like(b, call.ct), call.ct),
    ),
}

_DISCRETE = "the result is not a floating-point number"

NO_GRADIENT: ReasonTable = {
    e.FloorDivOp: "constant between its steps, and PyTorch has none either",
    **dict.fromkeys(
        (
            e.LogicalNotOp,
            e.IsNanOp,
            e.BitwiseAndOp,
            e.BitwiseOrOp,
            e.BitwiseXorOp,
            e.ShiftLeftOp,
            e.ShiftRightLogicalOp,
            e.CompareOp,
        ),
        _DISCRETE,
    ),
}
