"""Conversions between types of numbers in C; scalars and vectors alike."""

from __future__ import annotations

from typing import Any

from xdsl.dialects import arith, vector
from xdsl.ir import Attribute, Operation

from ..dialects import vectorx
from ..dialects.types import element_of, is_vector
from .expr import EQUAL, CExpr, binary, call, cast, unary
from .printer import Printer, Rule
from .types import (
    SIGNED,
    UNSIGNED,
    VECTOR_OF,
    CodegenError,
    as_mask,
    c_type,
    is_mask,
    scalar_type,
    vector_of,
)


def _convert(p: Printer, op: Operation, source_type: str | None = None, final: str | None = None) -> None:
    """A conversion, by way of another signedness of the source or the result where one is given."""
    source, target = op.operands[0].type, op.results[0].type
    expr = p.use(op.operands[0])
    if is_vector(target):
        p.define(op.results[0], _convert_vector(p.whole(expr, source), source, target, source_type, final))
        return
    if scalar_type(source) == scalar_type(target):
        p.define(op.results[0], expr)
        return
    if source_type is not None and source_type != scalar_type(source):
        expr = cast(source_type, expr)
    if final is not None:
        expr = cast(final, expr)
    p.define(op.results[0], cast(scalar_type(target), expr))


def _convert_vector(expr: CExpr, source: Attribute, target: Any, source_type: str | None, final: str | None) -> CExpr:
    lanes, wanted = target.get_shape()[0], c_type(target)
    text, reads = expr.text, expr.reads
    if source_type is not None:
        other = vector_of(source, source_type)
        if other != c_type(source):
            text = cast(other, expr).text
    if scalar_type(element_of(source)) == "u8" and wanted[-1] not in "bc":
        # gcc has no instruction for larger steps: it would take the lanes apart.
        for letter in ("" if source_type == "i8" else "t") + ("i" if wanted[-1] in "fd" else ""):
            text = f"__builtin_convertvector({text}, v{lanes}{letter})"
    if c_type(source) == wanted and source_type is None:
        return expr
    through = f"v{lanes}{VECTOR_OF[final]}" if final is not None else wanted
    text = f"__builtin_convertvector({text}, {through})"
    return CExpr(f"({wanted}){text}" if through != wanted else text, reads=reads)


def print_plain_conversion(p: Printer, op: Operation) -> None:
    """`(float)x`: signed integers, floats, indices."""
    source = op.operands[0].type
    if is_mask(source) and is_vector(source):
        expr = p.vector(op.operands[0])
        p.define(op.results[0], _convert_vector(expr, source, op.results[0].type, None, None))
    elif is_mask(source):  # a signed truth value is 0 or -1
        p.define(op.results[0], cast(scalar_type(op.results[0].type), unary("-", p.use(op.operands[0]))))
    else:
        _convert(p, op, SIGNED.get(scalar_type(element_of(source))))


def print_unsigned_source(p: Printer, op: Operation) -> None:
    """`(float)(u32)x`."""
    source, target = op.operands[0].type, op.results[0].type
    if is_mask(source) and is_vector(source):
        negated = unary("-", p.vector(op.operands[0]))
        p.define(op.results[0], _convert_vector(negated, source, target, None, None))
        return
    unsigned = UNSIGNED.get(scalar_type(element_of(source)))
    _convert(p, op, unsigned if not is_mask(source) else None)


def print_unsigned_target(p: Printer, op: Operation) -> None:
    """`(int)(u32)x`."""
    unsigned = UNSIGNED[scalar_type(element_of(op.results[0].type))]
    _convert(p, op, None, unsigned if unsigned not in ("u8", "bool") else None)


def print_truncation(p: Printer, op: arith.TruncIOp) -> None:
    """The low bits: `(int)x`; of a truth value the lowest, `x & 1`."""
    if not is_mask(op.result.type):
        _convert(p, op)
        return
    low = binary("&", p.vector(op.input), CExpr("1", constant=True))
    source = op.input.type
    if not is_vector(source):
        p.define(op.result, cast("bool", low))
        return
    p.define(op.result, as_mask(CExpr(f"({low.text}) != 0", EQUAL, low.reads), source))


def print_index_cast(p: Printer, op: Operation) -> None:
    """Between long and an integer type."""
    _convert(p, op, SIGNED.get(scalar_type(element_of(op.operands[0].type))))


def print_bitcast(p: Printer, op: Operation) -> None:
    """The same bits as another type."""
    source, target = op.operands[0].type, op.results[0].type
    if is_vector(target):
        if is_mask(source) or is_mask(target):
            raise CodegenError(f"no C for {op.name} of {source} to {target}")
        p.define(op.results[0], cast(c_type(target), p.vector(op.operands[0])))
        return
    a, b = scalar_type(source), scalar_type(target)
    expr = p.use(op.operands[0])
    p.define(op.results[0], expr if a == b else call(f"{a}_as_{b}", expr))


_SCALAR: dict[type[Operation], Rule] = {
    **dict.fromkeys(
        (arith.SIToFPOp, arith.FPToSIOp, arith.ExtFOp, arith.TruncFOp, arith.ExtSIOp), print_plain_conversion
    ),
    **dict.fromkeys((arith.UIToFPOp, arith.ExtUIOp), print_unsigned_source),
    arith.FPToUIOp: print_unsigned_target,
    arith.TruncIOp: print_truncation,
    arith.IndexCastOp: print_index_cast,
    arith.BitcastOp: print_bitcast,
    vector.BitcastOp: print_bitcast,
}

CONVERSIONS = _SCALAR | {op: _SCALAR[getattr(arith, op.__name__)] for op in vectorx.CONVERSIONS}
"""How conversions are printed, by op."""
