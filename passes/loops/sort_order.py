"""Which of two elements a sort puts first."""

from __future__ import annotations

from xdsl.dialects import arith
from xdsl.dialects.builtin import Float32Type, Float64Type, IntegerAttr, i1
from xdsl.ir import SSAValue

from ...dialects.types import is_integer
from ..utils.emitter import Emitter

_OEQ, _OGT, _OLT, _UNO = 1, 2, 4, 14
_SLT, _SGT, _ULT, _UGT = 2, 4, 6, 8


def precedes(e: Emitter, b: SSAValue, a: SSAValue, descending: bool) -> SSAValue:
    """Whether b must come before a."""
    if not isinstance(a.type, Float32Type | Float64Type):
        unsigned = is_integer(a.type) and a.type.bitwidth <= 8
        less, greater = (_ULT, _UGT) if unsigned else (_SLT, _SGT)
        return e.compare(greater if descending else less, b, a)
    before = _compare_floats(e, _OGT if descending else _OLT, b, a)
    nan, number = (b, a) if descending else (a, b)
    is_nan, is_number = _compare_floats(e, _UNO, nan, nan), _compare_floats(e, _OEQ, number, number)
    return e.op(arith.OrIOp, before, e.op(arith.AndIOp, is_nan, is_number))


def _compare_floats(e: Emitter, predicate: int, a: SSAValue, b: SSAValue) -> SSAValue:
    return e.op(arith.CmpfOp, a, b, type=i1, predicate=IntegerAttr(predicate, 64))
