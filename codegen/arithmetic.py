"""Numbers in C: constants, arithmetic, comparisons, conversions; scalars and vectors alike."""

from __future__ import annotations

import math as python_math
import re
from typing import Any

import numpy as np
from xdsl.dialects import arith, vector
from xdsl.dialects import math as math_dialect
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, FloatAttr, IndexType, IntegerAttr
from xdsl.ir import Attribute, Operation, SSAValue

from ..dialects import vectorx
from ..dialects.types import element_of, is_vector
from .expr import CExpr, binary, call, cast, ternary, unary
from .printer import Printer, Rule
from .types import SIGNED, UNSIGNED, CodegenError, as_mask, c_type, is_mask, scalar_type, vector_of

WIDTHS = {"bool": 1, "u8": 8, "short": 16, "int": 32, "long": 64}

FLOAT_BINARY: dict[type[Operation], str] = {arith.AddfOp: "+", arith.SubfOp: "-", arith.MulfOp: "*", arith.DivfOp: "/"}
INTEGER_BINARY: dict[type[Operation], str] = {arith.AddiOp: "+", arith.SubiOp: "-", arith.MuliOp: "*"}
BITWISE: dict[type[Operation], str] = {arith.AndIOp: "&", arith.OrIOp: "|", arith.XOrIOp: "^"}
LOGICAL = {"&": "&&", "|": "||", "^": "!="}
DIVISIONS: dict[type[Operation], tuple[str, dict[str, str]]] = {
    arith.DivSIOp: ("/", SIGNED), arith.RemSIOp: ("%", SIGNED),
    arith.DivUIOp: ("/", UNSIGNED), arith.RemUIOp: ("%", UNSIGNED),
}  # fmt: skip
SHIFTS: dict[type[Operation], tuple[str, dict[str, str]]] = {
    arith.ShLIOp: ("<<", {}), arith.ShRSIOp: (">>", SIGNED), arith.ShRUIOp: (">>", UNSIGNED),
}  # fmt: skip
INTEGER_EXTREMES: dict[type[Operation], tuple[str, str, dict[str, str]]] = {
    arith.MaxSIOp: ("max", ">", SIGNED), arith.MinSIOp: ("min", "<", SIGNED),
    arith.MaxUIOp: ("max", ">", UNSIGNED), arith.MinUIOp: ("min", "<", UNSIGNED),
}  # fmt: skip
FLOAT_EXTREMES: dict[type[Operation], str] = {
    arith.MaximumfOp: "max", arith.MinimumfOp: "min", arith.MaxnumfOp: "maxnum", arith.MinnumfOp: "minnum",
}  # fmt: skip
CALLS: dict[type[Operation], str] = {
    arith.FloorDivSIOp: "floor_div",
    arith.CeilDivSIOp: "ceil_div",
    arith.CeilDivUIOp: "ceil_div",
}

INTEGER_PREDICATES: list[tuple[str, dict[str, str]]] = [
    ("==", {}), ("!=", {}), ("<", SIGNED), ("<=", SIGNED), (">", SIGNED), (">=", SIGNED),
    ("<", UNSIGNED), ("<=", UNSIGNED), (">", UNSIGNED), (">=", UNSIGNED),
]  # fmt: skip
"""By the number of an `arith.cmpi` predicate: the operator, and the signedness it needs."""

FLOAT_PREDICATES = [
    None, "x == y", "x > y", "x >= y", "x < y", "x <= y", "x < y | x > y", "x == x & y == y",
    "!x < y | x > y", "!x <= y", "!x < y", "!x >= y", "!x > y", "x != y", "x != x | y != y", None,
]  # fmt: skip
"""By the number of an `arith.cmpf` predicate; `!` negates the whole. None is always false (0) or true (15)."""

MATH: dict[type[Operation], str] = {
    math_dialect.SqrtOp: "sqrt", math_dialect.AbsFOp: "fabs", math_dialect.FloorOp: "floor",
    math_dialect.CeilOp: "ceil", math_dialect.TruncOp: "trunc", math_dialect.RoundOp: "round",
    math_dialect.RoundEvenOp: "rint", math_dialect.CopySignOp: "copysign", math_dialect.FmaOp: "fma",
    math_dialect.ExpOp: "exp", math_dialect.Exp2Op: "exp2", math_dialect.ExpM1Op: "expm1",
    math_dialect.LogOp: "log", math_dialect.Log2Op: "log2", math_dialect.Log10Op: "log10",
    math_dialect.Log1pOp: "log1p", math_dialect.SinOp: "sin", math_dialect.CosOp: "cos", math_dialect.TanOp: "tan",
    math_dialect.AsinOp: "asin", math_dialect.AcosOp: "acos", math_dialect.AtanOp: "atan",
    math_dialect.Atan2Op: "atan2", math_dialect.SinhOp: "sinh", math_dialect.CoshOp: "cosh",
    math_dialect.TanhOp: "tanh", math_dialect.AsinhOp: "asinh", math_dialect.AcoshOp: "acosh",
    math_dialect.AtanhOp: "atanh", math_dialect.ErfOp: "erf", math_dialect.PowFOp: "pow", math_dialect.CbrtOp: "cbrt",
}  # fmt: skip
"""Functions of <math.h> (rint rounds half to even), with the suffix f for float; lane by lane on vectors."""


# Constants


def float_literal(value: float, type_: str) -> str:
    """The shortest decimal that reads back as the same number."""
    if python_math.isnan(value):
        return "NAN"
    if python_math.isinf(value):
        return "-INFINITY" if value < 0 else "INFINITY"
    if type_ == "double":
        return repr(float(value))
    text = str(np.float32(value))
    return text + ("f" if "." in text or "e" in text else ".0f")


def integer_literal(value: int, type_: str) -> str:
    """A literal whose value C does not misread: INT64_MIN has no literal of its own."""
    if type_ == "bool":
        return "true" if value & 1 else "false"
    if type_ == "u8":
        return str(value & 0xFF)
    width = WIDTHS[type_]
    value = (value + (1 << (width - 1))) % (1 << width) - (1 << (width - 1))
    if value == -(1 << (width - 1)) and width >= 32:
        return f"({value + 1}{'L' if width == 64 else ''} - 1)"
    return str(value)


def literal(value: Any, type_: str) -> str:
    """A number as C text."""
    return float_literal(value, type_) if type_ in ("float", "double") else integer_literal(int(value), type_)


def print_constant(p: Printer, op: arith.ConstantOp) -> None:
    """Literals are printed at each use."""
    value, type_ = op.value, op.result.type
    scalar = scalar_type(element_of(type_))
    if isinstance(value, IntegerAttr | FloatAttr):
        p.values[op.result] = CExpr(literal(value.value.data, scalar), constant=True)
        return
    if not isinstance(value, DenseIntOrFPElementsAttr) or not is_vector(type_):
        raise CodegenError(f"no C for a constant of type {type_}")
    numbers = value.get_values()
    lanes = type_.get_shape()[0]
    if is_mask(type_):
        numbers, scalar = [-int(bool(n)) for n in numbers], "int"
    if len(set(map(repr, numbers))) == 1:
        p.values[op.result] = CExpr(literal(numbers[0], scalar), splat=True, constant=True)
        return
    assert len(numbers) == lanes
    text = ", ".join(literal(n, scalar) for n in numbers)
    p.define(op.result, CExpr(f"({c_type(type_)}){{{text}}}"))


# Arithmetic


def _pair(p: Printer, left: SSAValue, right: SSAValue) -> tuple[CExpr, CExpr]:
    """Two operands of an operator: C spreads one scalar over the lanes of the other, but not two."""
    a, b = p.use(left), p.use(right)
    if scalar_type(element_of(left.type)) == "u8":  # an int literal does not spread over bytes
        return p.whole(a, left.type), p.whole(b, right.type)
    if a.splat and b.splat:
        a = p.whole(a, left.type)
    return a, b


def _signed_as(expr: CExpr, type_: Attribute, names: dict[str, str]) -> CExpr:
    """The operand in its signed or unsigned type, where that differs."""
    scalar = scalar_type(element_of(type_))
    if scalar == "bool" and is_vector(type_):
        scalar = "int"  # the lanes of a mask
    wanted = names.get(scalar)
    if wanted is None or wanted == scalar:
        return expr
    if expr.constant and not expr.text.startswith(("-", "(")) and wanted[0] == "u":
        return expr
    return cast(vector_of(type_, wanted), expr)


def _narrow(expr: CExpr, type_: Attribute) -> CExpr:
    """C computes in int: the result of 8-bit arithmetic is cut back."""
    scalar = scalar_type(type_) if not is_vector(type_) else "vector"
    return cast(scalar, expr) if scalar in ("u8", "short", "bool") else expr


def _long(left: CExpr, right: CExpr, type_: Attribute) -> CExpr:
    """Two literals of a 64-bit type must not be computed in int."""
    if left.constant and right.constant and left.text.isdigit() and c_type(type_) == "long":
        return CExpr(left.text + "L", constant=True)
    return left


def print_float_binary(p: Printer, op: Operation) -> None:
    """`x + y`."""
    a, b = _pair(p, op.operands[0], op.operands[1])
    p.define(op.results[0], binary(FLOAT_BINARY[type(op)], a, b))


def print_integer_binary(p: Printer, op: Operation) -> None:
    """`x + y`; wraps (the toolchain passes -fwrapv)."""
    operator, type_ = INTEGER_BINARY[type(op)], op.results[0].type
    if is_mask(type_):
        operator = "&" if operator == "*" else "^"
        a, b = (p.vector(o) for o in op.operands)
        p.define(op.results[0], binary(operator, a, b))
        return
    a, b = _pair(p, op.operands[0], op.operands[1])
    if operator == "+" and a.text == "0" and not b.splat and not is_vector(type_):
        p.define(op.results[0], b)
        return
    p.define(op.results[0], _narrow(binary(operator, _long(a, b, type_), b), type_))


def print_bitwise(p: Printer, op: Operation) -> None:
    """`x & y`; on truth values `x && y`."""
    operator, type_ = BITWISE[type(op)], op.results[0].type
    a, b = _pair(p, op.operands[0], op.operands[1])
    if is_mask(type_) and operator == "^":
        for one, other in ((a, b), (b, a)):
            if one.constant and one.text in ("true", "-1"):
                p.define(op.results[0], unary("!" if one.text == "true" else "~", p.whole(other, type_)))
                return
    if is_vector(type_) or not is_mask(type_):
        p.define(op.results[0], binary(operator, a, b))
    else:
        p.define(op.results[0], binary(LOGICAL[operator], a, b))


def print_division(p: Printer, op: Operation) -> None:
    """`x / y`, `x % y`; whoever builds the IR sees to it that y is not 0."""
    operator, names = DIVISIONS[type(op)]
    type_ = op.results[0].type
    if isinstance(type_, IndexType):  # sizes and places in memory, never negative: C's division is the same
        names = {}
    a, b = (_signed_as(p.vector(o), type_, names) for o in op.operands)
    divided = binary(operator, a, b)
    p.define(op.results[0], _back(divided, type_, names))


def _back(expr: CExpr, type_: Attribute, names: dict[str, str]) -> CExpr:
    """A result computed in another signedness, in its own type again."""
    scalar = scalar_type(element_of(type_))
    if names.get(scalar, scalar) == scalar:
        return _narrow(expr, type_)
    return cast(c_type(type_), expr)


def print_shift(p: Printer, op: Operation) -> None:
    """`x << n`, n taken modulo the width."""
    operator, names = SHIFTS[type(op)]
    type_ = op.results[0].type
    width = WIDTHS[scalar_type(element_of(type_))]
    value, amount = p.vector(op.operands[0]), p.use(op.operands[1])
    if value.constant and width == 64 and value.text.isdigit():
        value = CExpr(value.text + "L", constant=True)
    if not (amount.constant and amount.text.isdigit() and int(amount.text) < width):
        amount = binary("&", p.whole(amount, type_), CExpr(str(width - 1), constant=True))
    p.define(op.results[0], _back(binary(operator, _signed_as(value, type_, names), amount), type_, names))


def print_integer_extreme(p: Printer, op: Operation) -> None:
    """`max_i64(x, y)`."""
    name, sign, names = INTEGER_EXTREMES[type(op)]
    type_ = op.results[0].type
    if is_vector(type_):
        a, b = (p.atom(o) for o in op.operands)
        chosen = as_mask(binary(sign, *(_signed_as(e, type_, names) for e in (a, b))), type_)
        p.define(op.results[0], call(f"select_{c_type(type_)}", chosen, a, b))
        return
    a, b = (_signed_as(p.use(o), type_, names) for o in op.operands)
    width = WIDTHS[scalar_type(type_)]
    letter = "u" if names is UNSIGNED else "i"
    p.define(op.results[0], _back(call(f"{name}_{letter}{max(width, 8)}", a, b), type_, names))


def print_float_extreme(p: Printer, op: Operation) -> None:
    """`max_f32(x, y)`: NaN wins in maximumf, loses in maxnumf."""
    a, b = (p.vector(o) for o in op.operands)
    type_ = op.results[0].type
    suffix = c_type(type_) if is_vector(type_) else {"float": "f32", "double": "f64"}[scalar_type(type_)]
    p.define(op.results[0], call(f"{FLOAT_EXTREMES[type(op)]}_{suffix}", a, b))


def print_call(p: Printer, op: Operation) -> None:
    """`floor_div(x, y)`."""
    type_ = op.results[0].type
    unsigned = isinstance(op, arith.CeilDivUIOp) and not isinstance(type_, IndexType)
    if is_vector(type_) or unsigned:
        raise CodegenError(f"no C for {op.name} on {type_}")
    a, b = (_signed_as(p.use(o), type_, SIGNED) for o in op.operands)
    p.define(op.results[0], _narrow(call(CALLS[type(op)], a, b), type_))


def print_negate(p: Printer, op: arith.NegfOp) -> None:
    """`-x`."""
    operand = p.use(op.operand)
    p.define(op.result, unary("-", operand))


def print_absolute(p: Printer, op: math_dialect.AbsIOp) -> None:
    """`x < 0 ? -x : x`."""
    type_ = op.result.type
    x = p.atom(op.operand)
    signed, zero = _signed_as(x, type_, SIGNED), CExpr("0", constant=True)
    negative, negated = binary("<", signed, zero), _narrow(unary("-", x), type_)
    if is_vector(type_):
        p.define(op.result, call(f"select_{c_type(type_)}", as_mask(negative, type_), negated, x))
    else:
        p.define(op.result, ternary(negative, negated, x))


def print_math(p: Printer, op: Operation) -> None:
    """`sqrtf(x)`, `sqrt(x)`, `sqrt_v16f(x)`."""
    name, type_ = MATH[type(op)], op.results[0].type
    operands = [p.vector(o) for o in op.operands]
    if is_vector(type_):
        name = f"{name}_{c_type(type_)}"
    elif scalar_type(type_) == "float":
        name += "f"
    p.define(op.results[0], call(name, *operands))


def print_vector_fma(p: Printer, op: vector.FMAOp) -> None:
    """`x * y + z`, which the compiler contracts into one instruction where the machine has it."""
    a, b = _pair(p, op.lhs, op.rhs)
    p.define(op.res, binary("+", binary("*", a, b), p.use(op.acc)))


def print_extended_multiply(p: Printer, op: Operation) -> None:
    """The low and the high half of a product."""
    type_ = op.operands[0].type
    if is_vector(type_) and scalar_type(type_.element_type) != "int":
        raise CodegenError(f"no C for {op.name} on {type_}")
    wide = _WIDE[type(op)]
    a, b = (p.atom(o) for o in op.operands)
    if op.results[0].first_use is not None:
        p.define(op.results[0], binary("*", a, b))
    if op.results[1].first_use is None:
        return
    scalar = scalar_type(element_of(type_))
    if is_vector(type_):
        lanes = type_.get_shape()[0]
        unsigned, long_ = f"v{lanes}{wide[1]}", f"v{lanes}{wide[0]}"
        x, y = (CExpr(f"__builtin_convertvector(({unsigned}){e.text}, {long_})") for e in (a, b))
        p.define(op.results[1], CExpr(f"__builtin_convertvector(({x.text} * {y.text}) >> 32, {c_type(type_)})"))
    elif scalar == "int":
        kind = "u64" if wide[0] == "m" else "long"
        x, y = (cast(kind, cast("u32", e) if wide[0] == "m" else e) for e in (a, b))
        p.define(op.results[1], cast("int", binary(">>", binary("*", x, y), CExpr("32", constant=True))))
    elif scalar == "long":
        p.define(op.results[1], call("mulhi_u64" if wide[0] == "m" else "mulhi_long", a, b))
    else:
        raise CodegenError(f"no C for {op.name} on {type_}")


_WIDE: dict[type[Operation], str] = {arith.MulUIExtendedOp: "mu", arith.MulSIExtendedOp: "li"}


# Comparisons


def print_compare_integers(p: Printer, op: arith.CmpiOp) -> None:
    """`x < y`."""
    operator, names = INTEGER_PREDICATES[op.predicate.value.data]
    type_ = op.lhs.type
    a, b = _pair(p, op.lhs, op.rhs)
    if is_mask(type_) and not is_vector(type_) and names is SIGNED:
        a, b = b, a  # a true of one signed bit is -1
    a, b = (_signed_as(e, type_, names) for e in (a, b))
    p.define(op.result, as_mask(binary(operator, a, b), type_))


def print_compare_floats(p: Printer, op: arith.CmpfOp) -> None:
    """`x < y`, and its negation where NaN compares true."""
    number, type_ = op.predicate.value.data, op.lhs.type
    predicate = FLOAT_PREDICATES[number]
    wide = is_vector(type_)
    if predicate is None:
        text = ("0", "-1") if wide else ("false", "true")
        p.values[op.result] = CExpr(text[number == 15], splat=wide, constant=True)
        return
    parts = predicate.lstrip("!").replace("|", "&").split(" & ")
    repeated = len(parts) > 1
    if not repeated:
        a, b = _pair(p, op.lhs, op.rhs)
    else:
        a, b = (p.atom(o) for o in (op.lhs, op.rhs))
    operands = {"x": a, "y": b}
    compared: list[CExpr] = []
    for part in dict.fromkeys(re.sub("y", "x", q) if a.text == b.text else q for q in parts):
        left, operator, right = part.split()
        compared.append(binary(operator, operands[left], operands[right]))
    combined = compared[0]
    for more in compared[1:]:
        operator = "|" if "|" in predicate else "&"
        combined = binary(operator if wide else operator * 2, combined, more)
    if predicate.startswith("!"):
        combined = unary("~" if wide else "!", combined)
    p.define(op.result, as_mask(combined, type_))


def print_select(p: Printer, op: arith.SelectOp) -> None:
    """`c ? x : y`; lane by lane under a mask."""
    condition = p.vector(op.cond)
    if not is_vector(op.cond.type):
        a, b = p.vector(op.lhs), p.vector(op.rhs)
        p.define(op.result, ternary(condition, a, b))
        return
    a, b = p.vector(op.lhs), p.vector(op.rhs)
    p.define(op.result, call(f"select_{c_type(op.result.type)}", condition, a, b))


ARITHMETIC: dict[type[Operation], Rule] = {
    arith.ConstantOp: print_constant,
    **dict.fromkeys(FLOAT_BINARY, print_float_binary),
    **dict.fromkeys(INTEGER_BINARY, print_integer_binary),
    **dict.fromkeys(BITWISE, print_bitwise),
    **dict.fromkeys(DIVISIONS, print_division),
    **dict.fromkeys(SHIFTS, print_shift),
    **dict.fromkeys(INTEGER_EXTREMES, print_integer_extreme),
    **dict.fromkeys(FLOAT_EXTREMES, print_float_extreme),
    **dict.fromkeys(CALLS, print_call),
    **dict.fromkeys(MATH, print_math),
    **dict.fromkeys(_WIDE, print_extended_multiply),
    arith.NegfOp: print_negate,
    math_dialect.AbsIOp: print_absolute,
    vector.FMAOp: print_vector_fma,
    arith.CmpiOp: print_compare_integers,
    arith.CmpfOp: print_compare_floats,
    arith.SelectOp: print_select,
    vectorx.SelectOp: print_select,
    vectorx.CmpiOp: print_compare_integers,
    vectorx.CmpfOp: print_compare_floats,
}
"""How numbers are printed, by op."""
