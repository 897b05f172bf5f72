"""Gradients of elementwise ops. At kinks the conventions are PyTorch's: relu'(0) = abs'(0) = 0, a tie of maximum
splits in halves."""

from __future__ import annotations

import math

from ....dialects.hl import elementwise as e
from .call import GradientTable, ReasonTable, partials, where, zeros_like
from .expr import (
    BinaryFormula,
    Formula,
    TensorExpr,
    absolute,
    cos,
    cosh,
    exp,
    formula,
    formulas,
    log,
    maximum,
    rsqrt,
    select,
    sign,
    sin,
    sinh,
    square,
    stop_gradient,
    trunc,
)


def _relu(x: TensorExpr, y: TensorExpr, ct: TensorExpr) -> TensorExpr:
    # In terms of the result, which the next layer keeps anyway; a NaN passes its cotangent on, as in PyTorch.
    return select(y.compare("le", 0.0), ct.like(0.0), ct)


UNARY: dict[type[e.HLOp], Formula] = {
    e.NegOp: lambda x, y, ct: -ct,
    e.CopyOp: lambda x, y, ct: ct,
    e.AbsOp: lambda x, y, ct: ct * sign(x),
    e.ExpOp: lambda x, y, ct: ct * y,
    e.Expm1Op: lambda x, y, ct: ct * exp(x),
    e.LogOp: lambda x, y, ct: ct / x,
    e.Log1POp: lambda x, y, ct: ct / (x + 1.0),
    e.SqrtOp: lambda x, y, ct: ct / (y * 2.0),
    e.RsqrtOp: lambda x, y, ct: (ct * -0.5) * (y * square(y)),
    e.SinOp: lambda x, y, ct: ct * cos(x),
    e.CosOp: lambda x, y, ct: -(ct * sin(x)),
    e.TanOp: lambda x, y, ct: ct * (square(y) + 1.0),
    e.AsinOp: lambda x, y, ct: ct * rsqrt(1.0 - square(x)),
    e.AcosOp: lambda x, y, ct: -(ct * rsqrt(1.0 - square(x))),
    e.AtanOp: lambda x, y, ct: ct / (square(x) + 1.0),
    e.SinhOp: lambda x, y, ct: ct * cosh(x),
    e.CoshOp: lambda x, y, ct: ct * sinh(x),
    e.TanhOp: lambda x, y, ct: ct * (1.0 - square(y)),
    e.SigmoidOp: lambda x, y, ct: ct * (y * (1.0 - y)),
    e.ErfOp: lambda x, y, ct: (ct * (2 / math.sqrt(math.pi))) * exp(-square(x)),
    e.ReluOp: _relu,
    # Constant between their steps.
    **dict.fromkeys((e.SignOp, e.FloorOp, e.CeilOp, e.RoundOp, e.TruncOp), lambda x, y, ct: ct.like(0.0)),
}


def _div_y(x: TensorExpr, y: TensorExpr, result: TensorExpr, ct: TensorExpr) -> TensorExpr:
    # Not by the result, which may have been written over since; compiled, x / y is the same value again.
    return -((ct * (x / y)) / y)


def _pow_x(x: TensorExpr, y: TensorExpr, result: TensorExpr, ct: TensorExpr) -> TensorExpr:
    # y * x ** (y - 1). Where y is 0 the slope is 0 at every x: x ** 0 there, since 0 * 0 ** -1 would be NaN.
    return ct * (y * x ** select(y.compare("eq", 0.0), y, y - 1.0))


def _pow_y(x: TensorExpr, y: TensorExpr, result: TensorExpr, ct: TensorExpr) -> TensorExpr:
    # x ** y * log(x), and 0 where x is 0 and y >= 0, although log(0) is infinite.
    zero = x.like(0.0)
    flat = x.compare("eq", zero) & y.compare("ge", zero)
    return ct * (result * log(select(flat, x.like(1.0), x)))


def _share(predicate: e.Predicate) -> BinaryFormula:
    """Of maximum or minimum: nothing for who loses, half to each of two equal ones."""

    def derivative(x: TensorExpr, y: TensorExpr, result: TensorExpr, ct: TensorExpr) -> TensorExpr:
        shared = select(x.compare("eq", y), ct * 0.5, ct)
        return select(x.compare(predicate, y), shared.like(0.0), shared)

    return derivative


def _per_radius(x: TensorExpr, y: TensorExpr, of: int) -> TensorExpr:
    """One coordinate / (x² + y²), both as parts of the larger one, whose square might overflow or vanish.

    At the origin the angle's derivatives are taken to be 0.
    """
    size, one = maximum(absolute(x), absolute(y)), x.like(1.0)
    size = select(size.compare("gt", x.like(0.0)) & size.compare("lt", x.like(math.inf)), size, one)
    parts = x / size, y / size
    radius = square(parts[0]) + square(parts[1])
    radius = select(radius.compare("eq", 0.0), one, radius)
    return (parts[of] / radius) / size


GRADIENTS: GradientTable = {
    **{op: formula(derivative) for op, derivative in UNARY.items()},
    e.CastOp: lambda b, call: (b.cast(call.ct, b.dtype(call.x)),),
    e.AddOp: formulas(lambda x, y, result, ct: ct, lambda x, y, result, ct: ct),
    e.SubOp: formulas(lambda x, y, result, ct: ct, lambda x, y, result, ct: -ct),
    e.MulOp: formulas(lambda x, y, result, ct: ct * y, lambda x, y, result, ct: ct * x),
    e.DivOp: formulas(lambda x, y, result, ct: ct / y, _div_y),
    e.RemainderOp: formulas(lambda x, y, result, ct: ct, lambda x, y, result, ct: -(ct * stop_gradient(x // y))),
    e.FmodOp: formulas(lambda x, y, result, ct: ct, lambda x, y, result, ct: -(ct * trunc(x / y))),
    e.PowOp: formulas(_pow_x, _pow_y),
    e.MaximumOp: formulas(_share("lt"), _share("gt")),
    e.MinimumOp: formulas(_share("gt"), _share("lt")),
    e.Atan2Op: formulas(
        lambda x, y, result, ct: ct * _per_radius(x, y, 1), lambda x, y, result, ct: -(ct * _per_radius(x, y, 0))
    ),
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
